package revocation

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"time"
)

// backOff is what is known against one URL of a responder.
type backOff struct {
	failures int
	until    time.Time
}

// resting reports whether until lies ahead, and not so far ahead that the clock must have
// gone back.
func resting(until, now time.Time) bool {
	return now.Before(until) && until.Sub(now) <= 2*backOffMost
}

func (h *host) resting(now time.Time) bool { return resting(h.until, now) }

// pause doubles with every failure, with a spread of a tenth that differs by responder.
func (g *hostGate) pause(key string, failures int) time.Duration {
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
	return errors.Is(err, ErrTransport) || errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded)
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

// forget makes room for one more host.
func (g *hostGate) forget(now time.Time) {
	if len(g.hosts) < maxHosts {
		return
	}
	victim := ""
	for name, h := range g.hosts {
		if h.inside > 0 {
			continue
		}
		victim = name
		if h.failures == 0 || !h.resting(now) {
			break
		}
	}
	delete(g.hosts, victim)
}

func (g *hostGate) forgetPaths(now time.Time) {
	if len(g.paths) < maxHosts {
		return
	}
	victim := ""
	for path, b := range g.paths {
		victim = path
		if !resting(b.until, now) {
			break
		}
	}
	delete(g.paths, victim)
}

// openBreakers names the hosts that are left alone.
func (g *hostGate) openBreakers() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for _, h := range g.hosts {
		if h.open() && !slices.Contains(names, h.label) {
			names = append(names, h.label)
		}
	}
	return names
}
