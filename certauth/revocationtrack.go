package certauth

import (
	"context"
	"crypto/x509"
	"slices"
	"time"
)

// RevocationTracker is a [RevocationChecker] that can follow one chain, so that a caller
// who comes again costs it no more than a look at what it knows. [NotRevoked] makes use of
// it by itself.
type RevocationTracker interface {
	RevocationChecker

	// TrackChain returns a handle on a chain that has verified and is going to be asked
	// about again. It is called once for each chain that is remembered, never for a chain
	// that has not verified, and must not block or fetch anything. What it returns may be
	// dropped at any time, without notice. Nil means that the chain cannot be tracked;
	// CheckChain is then asked each time. The chain must not be changed.
	TrackChain(chain []*x509.Certificate) TrackedChain
}

// TrackedChain is a handle on one chain. It is never the answer itself: it is asked on
// every request. Implementations must be safe for concurrent use.
type TrackedChain interface {
	// CheckTracked answers as [RevocationChecker].CheckChain would for the chain at this
	// moment. now is the time of the request by the Authenticator's clock.
	CheckTracked(ctx context.Context, now time.Time) (Revocation, error)
}

// trackedBy is the handle that one rule has on a chain; nil if the chain cannot be tracked.
type trackedBy struct {
	rule   *notRevokedRule
	handle TrackedChain
}

// ask asks the checker about the chain, by the handle once the caller is known.
func (r *notRevokedRule) ask(e *evaluation, chain *verifiedChain) (Revocation, error) {
	if r.tracker != nil && e.facts.kept.Load() {
		if handle := r.track(chain); handle != nil {
			return handle.CheckTracked(e.ctx, e.now)
		}
	}
	return r.checker.CheckChain(e.ctx, chain.certs)
}

// track returns the rule's handle on the chain and asks for it if there is none yet.
func (r *notRevokedRule) track(chain *verifiedChain) TrackedChain {
	if handle, known := chain.trackedBy(r); known {
		return handle
	}
	chain.mutex.Lock()
	defer chain.mutex.Unlock()
	if handle, known := chain.trackedBy(r); known {
		return handle
	}
	handle := r.tracker.TrackChain(chain.certs)
	if isNil(handle) {
		handle = nil
	}
	var list []trackedBy
	if known := chain.tracked.Load(); known != nil {
		list = slices.Clone(*known)
	}
	list = append(list, trackedBy{r, handle})
	chain.tracked.Store(&list)
	return handle
}

func (c *verifiedChain) trackedBy(r *notRevokedRule) (handle TrackedChain, known bool) {
	list := c.tracked.Load()
	if list == nil {
		return nil, false
	}
	for i := range *list {
		if (*list)[i].rule == r {
			return (*list)[i].handle, true
		}
	}
	return nil, false
}
