package revocation

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

const (
	breakerOpensAfter = 5 // failures in a row
	firstPause        = 5 * time.Second
	mostPause         = 5 * time.Minute // of a failed source
)

// endpoint is a host, with scheme and port, or one URL, from which a partner's evidence is fetched, and
// what is known about its failures.
type endpoint struct {
	label string // a URL, or the host with its port, for messages

	failures int           // in a row
	round    int           // grows with each failure that counts
	since    time.Time     // the first failure
	until    time.Time     // it is not contacted before
	probe    chan struct{} // closed when the one fetch after a pause has ended
	users    int           // passes that refer to it

	// Only hosts have these.
	slots     chan struct{}
	told      *Event // the beginning of its outage, nil while it works
	byNetwork bool   // the network failed, not only the response of the host
}

// isOpen reports whether no URL of the host is contacted.
func (e *endpoint) isOpen() bool { return e.slots != nil && e.failures >= breakerOpensAfter }

func (e *endpoint) isResting(now time.Time) bool { return !hasCome(e.until, now, 2*mostPause) }

// fail counts a failure of a fetch that was admitted in the given round, and reports whether it
// counted. Fetches that were running or waiting when another one failed do not count, so that a
// short disturbance is one failure however many fetches it hits.
func (e *endpoint) fail(round int, now time.Time) bool {
	if round != e.round {
		return false
	}
	if e.failures == 0 {
		e.since = now
	}
	e.failures++
	e.round++
	return true
}

// works ends the failures.
func (e *endpoint) works() { e.failures, e.since, e.until = 0, time.Time{}, time.Time{} }

// pausedError is an ErrBreakerOpen with the time at which the host may be contacted again.
type pausedError struct {
	error
	until time.Time
}

func (e *pausedError) Unwrap() error { return e.error }

// pause returns the pause after a number of failures. It doubles with each, with a spread of a
// tenth that depends on the host or URL.
func (g *gate) pause(e *endpoint, failures int) time.Duration {
	d := mostPause
	if failures < 8 {
		d = min(firstPause<<(failures-1), mostPause)
	}
	return scale(d, jitterOf(g.seed, e.label))
}

// isNetwork reports whether the network failed. Only such failures pause a whole host.
func isNetwork(err error) bool {
	return !isOurs(err) && isAny(err, ErrTransport, ErrTimeout, context.DeadlineExceeded)
}

// countsAgainstHost reports whether the error should pause requests to the host: the network failed,
// or the host answered with 429 or 5xx, or with an OCSP status that asks to try later.
func countsAgainstHost(err error) bool {
	answer, _ := errors.AsType[fetch.HTTPStatusError](err)
	refused, _ := errors.AsType[evidence.ResponderStatusError](err)
	return isNetwork(err) || answer.Status >= 500 || answer.Status == 429 || refused.Retryable()
}

// isOurs reports whether a fetch failed on our side, which says nothing about the host: it was
// refused before anything was sent, the Fetcher panicked, or this process or machine lacked the resources.
func isOurs(err error) bool {
	_, panicked := errors.AsType[safely.PanicError](err)
	return panicked || isAny(err, ErrBlockedURL, ErrBlockedAddress, fetch.ErrRequest) || isExhausted(err)
}

// isExhausted reports whether this process or machine has run out of file descriptors or memory.
func isExhausted(err error) bool {
	return isAny(err, ErrBudget, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS)
}
