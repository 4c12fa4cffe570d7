package main

import (
	"context"
	"sync"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// journal keeps what the operator is told about the last request. The caller is told
// none of it. A real service counts Event.Reason in a metric here.
type journal struct {
	mutex  sync.Mutex
	reason certauth.Reason
	who    string
}

// observe is Config.Observe. It runs before the handler, so the entry is complete when
// the caller has the answer. A route behind Require reports twice: who is calling, and
// then whether this route lets them in.
func (j *journal) observe(_ context.Context, event certauth.Event) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if event.Method == "" {
		return // about a file, not about a request
	}
	if event.Outcome == certauth.OutcomeAccepted {
		j.who = nameOf(event.Identity)
		if event.Revocation.Status == certauth.RevocationWaived {
			j.who += ", unchecked"
		}
	}
	j.reason = event.Reason()
}

// reset forgets the last request. This program sends one request at a time. A service
// that serves many tells them apart by the context, which is the request's.
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
