package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A distribution point that temporarily serves a list of another scope: the first list counts until
// it expires, whatever arrives in the meantime, and when the right list is served again it counts.
// A revoked certificate stays revoked all the time.
func TestChecker_AListThatIsDisplacedAtItsPointCountsUntilItRunsOut(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		victim, client := w.issue(t, "victim", noResponder), w.issue(t, "client", noResponder)
		w.net.serve(crlURL, body(w.scoped(t, 9, now, now.Add(day), nil, entryFor(victim))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, client, isGood, nil)
		w.says(t, checker, victim, isRevoked, nil)
		// Only for CA certificates, newer, and not about these clients.
		w.net.serve(crlURL, body(w.scoped(t, 10, now.Add(time.Hour), now.Add(9*day), [][]byte{ocsptest.Flag(2)})))
		for range 3 {
			w.clock.advance(7 * time.Hour)
			w.says(t, checker, client, isGood, nil)
			w.says(t, checker, victim, isRevoked, nil)
		}
		w.clock.advance(4 * time.Hour) // the first has run out
		w.says(t, checker, client, isUnavailable, revocation.ErrCRLScope)
		w.says(t, checker, victim, isRevoked, nil)
		w.net.serve(crlURL, body(w.scoped(t, 11, now.Add(25*time.Hour), now.Add(9*day), nil)))
		w.clock.advance(time.Minute)
		w.says(t, checker, client, isGood, nil)
		w.says(t, checker, victim, isRevoked, nil)
	})
}

// One responder has an expired answer that says revoked, the other one a valid Good: the Good
// decides, as it would if the first responder were unreachable. Without the Good, the expired
// answer denies in every mode.
func TestChecker_AnAnswerThatIsTooOldAgainstAGoodOfAnotherResponder(t *testing.T) {
	const staleURL = "http://stale.partner.example"
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(staleURL, w.dated(t, revokedAt(now.Add(-2*day), keyCompromise), now.Add(-2*day), now.Add(-day)))
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(day)))
			checker := w.checker(t, ocspOnly, func(c *revocation.Config) {
				c.Mode, c.Responders = mode, []revocation.Responder{{URL: staleURL}}
			})
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, 1, w.net.count(ocspURL))
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			w.says(t, checker, w.issue(t, "next"), isUnavailable, revocation.ErrNotFresh)
		})
	}
}
