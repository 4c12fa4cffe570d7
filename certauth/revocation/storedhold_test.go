package revocation_test

import (
	"testing"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K73: a hold from the Store, or from a list that has been in memory for hours, was queried a
// quarter of an hour after it was first looked up, not after the source had last been queried. Until
// then a client was refused whose hold the CA had long lifted.
func TestChecker_AnOldHoldIsAskedAboutAtOnce(t *testing.T) {
	held := func(w *wired) ocsptest.List {
		return w.listAt(now.Add(-time.Hour), now.Add(5*day), entryFor(w.client, ocsptest.ReasonCode(onHold)))
	}
	inBubble(t, "an OCSP response in the Store", func(t *testing.T) {
		w, kept := wire(t), newShelf()
		stored := func(c *revocation.Config) { c.Store = kept }
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-3*day), onHold), now.Add(-time.Hour), now.Add(5*day)))
		w.says(t, w.checker(t, ocspOnly, stored), w.client, isRevoked, nil)
		w.clock.advance(2 * time.Hour)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, w.checker(t, ocspOnly, stored), w.client, isGood, nil)
	})
	inBubble(t, "a list in the Store", func(t *testing.T) {
		w, kept := wire(t), newShelf()
		stored := func(c *revocation.Config) { c.Store = kept }
		w.net.serve(crlURL, body(encode(t, held(w))))
		w.says(t, w.checker(t, crlOnly, stored), w.client, isRevoked, nil)
		w.clock.advance(2 * time.Hour)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Hour), now.Add(5*day)))))
		w.says(t, w.checker(t, crlOnly, stored), w.client, isGood, nil)
	})
	inBubble(t, "a list in memory", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, held(w))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.issue(t, "first"), isGood, nil)
		w.clock.advance(2 * time.Hour)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Hour), now.Add(5*day)))))
		w.says(t, checker, w.client, isGood, nil)
	})
}

// finding K167: a list in the Store that is valid for longer than a newer one in memory, which has expired, was not
// used, so that clients were refused in an outage that an instance without the newer one would accept.
func TestChecker_AnOlderListOfTheStoreIsUsedOnceTheNewerOneHasExpired(t *testing.T) {
	for name, revoked := range map[string]bool{"not revoked": false, "the newer one revokes": true} {
		inBubble(t, name, func(t *testing.T) {
			w, kept := wire(t), newShelf()
			var entries []ocsptest.Entry
			if revoked {
				entries = append(entries, entryFor(w.client))
			}
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(time.Hour), entries...))))
			checker := w.checker(t, crlOnly, stored(kept))
			w.says(t, checker, w.issue(t, "another"), isGood, nil)
			kept.all(encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(day)))) // by another instance
			w.outage()
			w.clock.advance(2 * time.Hour)
			if revoked {
				w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
				return
			}
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}
