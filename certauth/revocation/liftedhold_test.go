package revocation_test

import (
	"testing"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A hold that a query has lifted is not remembered again at the end of that query, as one that the
// query confirmed is. Once the Good that lifted it has expired, there is no evidence, and nobody says
// that the certificate is revoked.
func TestChecker_AHoldThatOCSPHasLiftedStaysLifted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Minute), now.Add(30*time.Minute), entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.clock.advance(40 * time.Minute)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, w.clock.now().Add(-time.Minute), w.clock.now().Add(time.Hour)))
		w.says(t, checker, w.client, isGood, nil)
		w.outage()
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
	})
}
