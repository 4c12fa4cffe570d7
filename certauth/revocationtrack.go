package certauth

import (
	"context"
	"crypto/x509"
	"time"
)

// RevocationTracker is a [RevocationChecker] that can follow one chain, so that a caller
// who comes again costs it no more than a look at what it knows.
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
