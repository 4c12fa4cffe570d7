package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A certificate that a delta puts on hold does not become good when the delta expires and no newer
// one is available. CRL.WithDelta promises this, also for a certificate that was never looked up
// while the delta was fresh.
func TestAttack_HoldOfADeltaOutlivesTheDelta(t *testing.T) {
	for _, reason := range []byte{onHold, keyCompromise} {
		for name, config := range map[string]func(*revocation.Config){"hard": func(*revocation.Config) {}, "grace": staleGrace} {
			inBubble(t, name, func(t *testing.T) {
				w := wire(t)
				first := w.issue(t, "first")
				w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day)))))
				w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now.Add(-time.Hour), now.Add(day), entryFor(w.client, ocsptest.ReasonCode(reason))))))
				checker := w.checker(t, crlOnly, config)
				w.says(t, checker, first, isGood, nil)
				w.outage()
				w.net.serve(deltaURL, failing(revocation.ErrTransport))
				w.clock.advance(4 * day)
				w.says(t, checker, first, isGood, nil)
				found, err := w.check(t, checker)
				synctest.Wait()
				require.Error(t, err)
				assert.Equal(t, isUnavailable.String(), found.Status.String())
			})
		}
	}
}

// A hold by OCSP is lifted by newer evidence. A base keeps its own age, however new an expired
// delta was.
func TestAttack_DeltaThatRanOutLiftsNoHold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day)))))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now.Add(2*time.Hour), now.Add(5*time.Hour), entryFor(w.other)))))
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), onHold), now.Add(time.Hour), now.Add(2*day)))
		w.clock.advance(2 * time.Hour)
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		onlyList := w.issue(t, "without a responder", noResponder)
		w.says(t, checker, onlyList, isGood, nil) // the list and its delta are in memory now
		w.outage()
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		w.clock.advance(12 * time.Hour)
		assert.True(t, w.findingOf(t, checker, onlyList).DeltaMissing)
		assert.Equal(t, now.Add(-2*time.Hour), w.findingOf(t, checker, onlyList).ThisUpdate.UTC(), "the base decided")
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// StaleGrace never applies to a certificate that was seen revoked or on hold: an expired list lifts
// no hold.
func TestAttack_StaleListLiftsNoHold(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), onHold), now.Add(-3*time.Hour), now.Add(20*day)))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(time.Hour)))))
		checker := w.checker(t, leafOnly, staleGrace)
		w.says(t, checker, w.issue(t, "without a responder", noResponder), isGood, nil)
		w.outage()
		w.clock.advance(3 * time.Hour)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), onHold), now.Add(-3*time.Hour), now.Add(20*day)))
		w.says(t, checker, w.client, isRevoked, nil)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// Lists that each cover some reasons are subject to MaxAge like others.
func TestAttack_PartialListsDoNotOutliveMaxAge(t *testing.T) {
	const a, b = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	some, rest := ocsptest.Reasons(ocsptest.Context(1), 1, 2), ocsptest.Reasons(ocsptest.Context(1), 3, 4, 5, 6, 7, 8)
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "two points", noResponder, noPoints,
			extra(ocsptest.DistributionPoints(ocsptest.Point(uri(a), some), ocsptest.Point(uri(b), rest))))
		for _, url := range []string{a, b} {
			l := w.listAt(now.Add(-time.Hour), now.Add(20*day))
			l.Extensions = append(l.Extensions, ocsptest.Extension{OID: ocsptest.OIDIssuingPoint, Critical: true, Value: ocsptest.Element(ocsptest.TagSequence, uri(url))})
			w.net.serve(url, body(encode(t, l)))
		}
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Verify.MaxAge = 3 * time.Hour })
		w.says(t, checker, client, isGood, nil)
		w.clock.advance(4 * time.Hour)
		w.says(t, checker, client, isUnavailable, revocation.ErrNotFresh)
	})
}
