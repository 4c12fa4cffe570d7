package fetch

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	breakerOpensAfter = 5 // failures in a row
	backOffFirst      = 5 * time.Second
	backOffMost       = 5 * time.Minute
)

// outage is what is known about the failures of a host or a URL. The zero value is one that works.
type outage struct {
	failures int       // in a row
	round    int       // grows with each failure that counts
	until    time.Time // it is not contacted before
	probe    chan struct{}
	since    time.Time
}

// fail counts a failure of a fetch that was admitted in the given round, and reports whether it
// counted. Fetches that were running or waiting when another one failed do not count, so that a
// short disturbance is one failure however many fetches it hits.
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

// BreakerOpenError is returned if a host is not contacted because it has failed. errors.Is finds
// ErrBreakerOpen.
type BreakerOpenError struct {
	Until time.Time // when it may be contacted again

	host, why string
	since     time.Time
}

// Error names the host and the time since which it has been failing.
func (e *BreakerOpenError) Error() string {
	return fmt.Sprintf("%v: %s: %s, failing since %s", ErrBreakerOpen, e.host, e.why, e.since.UTC().Format(time.RFC3339))
}

// Unwrap returns ErrBreakerOpen.
func (e *BreakerOpenError) Unwrap() error { return ErrBreakerOpen }

// isResting reports whether until is in the future by both clocks of the machine, and not so far
// ahead that the clock must have been set back.
func isResting(until, now time.Time) bool {
	ahead := until.Round(0).Sub(now.Round(0))
	return ahead > 0 && now.Before(until) && ahead <= backOffMost*12/5
}

// pause returns the pause after a number of failures. It doubles with each, with a spread of a
// tenth that depends on the host or URL.
func (g *Gate) pause(key string, failures int) time.Duration {
	d := backOffMost
	if failures < 8 {
		d = min(backOffFirst<<(failures-1), backOffMost)
	}
	return d + d/1000*time.Duration(int64(maphash.String(g.seed, key)%201)-100)
}

// isNetwork reports whether the network failed. Only such failures pause a whole host.
func isNetwork(err error) bool {
	return !isOurs(err) && (errors.Is(err, ErrTransport) || errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded))
}

// CountsAgainstHost reports whether the error should pause requests to the host: the network
// failed, the host answered with 429 or 5xx, or the error has a method Retryable that returns
// true.
func CountsAgainstHost(err error) bool {
	var refused interface{ Retryable() bool }
	answer, isAnswer := errors.AsType[HTTPStatusError](err)
	return isNetwork(err) || answer.Status >= 500 || answer.Status == 429 || !isAnswer && errors.As(err, &refused) && refused.Retryable()
}

// isOurs reports whether a fetch failed on our side, which says nothing about the host: it was
// refused before anything was sent, or this process or machine lacked the resources.
func isOurs(err error) bool {
	return errors.Is(err, ErrBlockedURL) || errors.Is(err, ErrBlockedAddress) || errors.Is(err, ErrRequest) || IsExhausted(err)
}

// IsExhausted reports whether this process or machine has run out of file descriptors or memory.
func IsExhausted(err error) bool {
	own := []error{ErrBudget, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS}
	return slices.ContainsFunc(own, func(one error) bool { return errors.Is(err, one) })
}

// HostOf returns the host and port of a URL, in the form of Outage.Host.
func HostOf(address string) string {
	label, _, _ := hostOf(address)
	return label
}

func hostOf(address string) (label, origin string, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "(unreadable)", "", ErrBlockedURL
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	label = strings.ToLower(u.Hostname()) + ":" + port
	return label, u.Scheme + "://" + label, nil
}
