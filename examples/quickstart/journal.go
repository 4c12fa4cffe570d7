package main

import (
	"context"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// journal records what the operator learns about the last request. The caller learns none of it.
// A real service would count Event.Reason in a metric here.
type journal struct {
	mutex  sync.Mutex
	reason certauth.Reason
	who    string
}

// observe is Config.Observe. It runs before the handler, so the entry is complete when the caller
// receives the response. A route with Require reports twice: first the caller's identity, and
// then whether the route accepts it.
func (j *journal) observe(_ context.Context, event certauth.Event) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if event.Method == "" {
		return // concerns a file, not a request
	}
	if event.Outcome == certauth.OutcomeAccepted {
		j.who = nameOf(event.Identity)
		if event.Revocation.Status == certauth.RevocationWaived {
			j.who += ", unchecked"
		}
	}
	j.reason = event.Reason()
}

// reset forgets the last request. This program sends one request at a time. A service that serves
// many would distinguish them by the context, which is that of the request.
func (j *journal) reset() {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.reason, j.who = certauth.ReasonNone, ""
}

func (j *journal) entry() (reason certauth.Reason, who string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return j.reason, j.who
}
