package certauth

import (
	"bytes"
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
	ctx := e.ctx
	if beside := e.facts.sent().certs[1:]; hasNamesake(chain.certs[1:], beside) {
		ctx = context.WithValue(ctx, besideKey{}, beside)
	}
	if r.tracker != nil && e.facts.Kept() {
		if handle := r.track(chain); handle != nil {
			return handle.CheckTracked(ctx, e.now)
		}
	}
	return r.checker.CheckChain(ctx, chain.certs)
}

type besideKey struct{}

// PresentedBeside returns the certificates that the caller sent along with its own, if one of
// them has the name of a CA in the chain and is another certificate: a CA may sign its CRLs
// with a key of their own, and callers send that certificate along (RFC 5280, section 6.3.3
// (f)). Nothing in them is verified. It is for a [RevocationChecker], from the context that it
// is asked with; nil otherwise. Do not change what it returns.
func PresentedBeside(ctx context.Context) []*x509.Certificate {
	beside, _ := ctx.Value(besideKey{}).([]*x509.Certificate)
	return beside
}

// hasNamesake reports whether one of the others is another certificate of a CA's name.
func hasNamesake(cas, others []*x509.Certificate) bool {
	for _, other := range others {
		for _, ca := range cas {
			if bytes.Equal(ca.RawSubject, other.RawSubject) && !ca.Equal(other) {
				return true
			}
		}
	}
	return false
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
