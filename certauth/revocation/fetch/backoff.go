package revocation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"syscall"
	"time"
)

const (
	breakerOpensAfter = 5 // failures in a row
	backOffFirst      = 5 * time.Second
	backOffMost       = 5 * time.Minute
)

// outage is what is known against a host, or against one URL of it. The zero value is a host
// that works.
type outage struct {
	failures int       // in a row
	round    int       // grows with each failure that counts
	until    time.Time // nobody asks before
	probe    chan struct{}

	since time.Time
}

// outageChange is the begin or the end of an outage of a host, or of its breaker.
type outageChange struct {
	host, partner string
	isBreaker     bool
	over          bool
	since         time.Time
	refused       int
	err           error
}

// breakerError is the refusal to ask a host that is left alone.
type breakerError struct {
	host  string
	why   string
	until time.Time
	since time.Time
}

func (e *breakerError) Error() string {
	return fmt.Sprintf("%v: %s: %s, failing since %s", ErrBreakerOpen, e.host, e.why, instant(e.since))
}

func (e *breakerError) Unwrap() error { return ErrBreakerOpen }

// resting reports whether until lies ahead, and not so far ahead that the clock must have
// gone back.
func resting(until, now time.Time) bool {
	return !hasCome(until, now, 2*backOffMost)
}

// fail counts a failure of a fetch that was admitted in the given round, and reports whether
// it counted. Those that were under way, or waited, when another one failed say nothing new:
// a blip of a moment is one failure however many were asking.
func (o *outage) fail(round int, now time.Time) bool {
	if round != o.round {
		return false
	}
	if o.failures == 0 {
		o.since = now
	}
	o.failures++
	o.round++
	return true
}

// works ends the outage.
func (o *outage) works() { *o = outage{round: o.round, probe: o.probe} }

// begin makes the caller the one that tries again after a pause. Else it returns what ends
// when that is known.
func (o *outage) begin() (under chan struct{}, mine bool) {
	if o.probe != nil {
		return o.probe, false
	}
	o.probe = make(chan struct{})
	return o.probe, true
}

func (o *outage) end() {
	if o.probe != nil {
		close(o.probe)
		o.probe = nil
	}
}

// pause doubles with every failure, with a spread of a tenth that differs by responder.
func (g *gate) pause(key string, failures int) time.Duration {
	d := backOffMost
	if failures < 8 {
		d = min(backOffFirst<<(failures-1), backOffMost)
	}
	return scale(d, jitterOf(g.seed, key))
}

// jitterOf is between -0.1 and 0.1.
func jitterOf(seed maphash.Seed, key string) float64 {
	return float64(maphash.String(seed, key)%2001)/10000 - 0.1
}

// isTransportFailure tells the network from the responder: these open the breaker.
func isTransportFailure(err error) bool {
	return !isOurs(err) && (errors.Is(err, ErrTransport) || errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded))
}

// wantsBackOff reports whether the responder should be left alone for a while.
func wantsBackOff(err error) bool {
	var status HTTPStatusError
	var refused ResponderStatusError
	switch {
	case isTransportFailure(err):
		return true
	case errors.As(err, &status):
		return status.Status >= 500 || status.Status == 429
	case errors.As(err, &refused):
		return refused.Retryable()
	}
	return false
}

// isOurs reports whether a fetch failed on our side, which says nothing about the host: it was
// refused before anything was sent, or this process or machine had nothing left to do it with.
func isOurs(err error) bool {
	return errors.Is(err, ErrBlockedURL) || errors.Is(err, ErrBlockedAddress) || errors.Is(err, ErrArgument) || isExhausted(err)
}

// isExhausted reports a lack of descriptors or memory.
func isExhausted(err error) bool {
	for _, own := range []error{ErrBudget, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}
