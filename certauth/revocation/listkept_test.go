package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K262: an expired list that calls a client revoked was forgotten when a newer list by another key of the CA arrived,
// even if that covers the client for whom it was fetched and not the other one, so that SoftFail accepted the client.
func TestChecker_AListByAnotherKeyThatCoversLessLeavesAnExpiredOneInItsPlace(t *testing.T) {
	inBubble(t, "for another point", func(t *testing.T) {
		w := wire(t)
		signer := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		victim := w.issue(t, "victim", noResponder)
		asking := w.issue(t, "asking", noResponder, noPoints, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(crlURL)), ocsptest.Point(uri(rootsURL)))))
		checker := w.checker(t, crlOnly, softFail, func(c *revocation.Config) { c.Issuers = certs(signer) })
		w.arrives(t, checker, w.scoped(t, 9, now.Add(-time.Hour), now.Add(time.Hour), nil, entryFor(victim)))
		w.clock.advance(2 * time.Hour)
		next := w.signedBy(signer)
		next.ThisUpdate, next.NextUpdate = ocsptest.UTCAt(w.clock.now()), ocsptest.UTCAt(now.Add(7*day))
		next.Extensions = append(next.Extensions, ocsptest.IssuingPoint(uri(rootsURL)))
		w.net.serve(crlURL, body(encode(t, next)))
		w.says(t, checker, asking, isGood, nil)
		_, err := checker.CheckChain(t.Context(), w.chain(victim))
		assert.ErrorContains(t, err, "expired evidence said revoked")
		synctest.Wait()
	})
}

// finding K264: as K260, if the list had expired before its delta was issued.
func TestChecker_AListThatTheClockWasSetBackBehindStillAccusesWithItsDelta(t *testing.T) {
	for name, c := range map[string]struct {
		inDelta  bool
		answered bool // the responder still gives a response from before the list
	}{
		"in the list":                   {false, false},
		"in the list, and by OCSP not":  {false, true},
		"in the delta":                  {true, false},
		"in the delta, and by OCSP not": {true, true},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			victim := w.issue(t, "victim")
			entries := map[bool][]ocsptest.Entry{c.inDelta: {entryFor(victim)}}
			list := w.numberedBase(10, now.Add(time.Hour), entries[false]...)
			list.ThisUpdate = ocsptest.UTCAt(now)
			w.net.serve(crlURL, soon(encode(t, list)))
			checker := w.checker(t, softFail, leafOnly)
			for n := range int64(2) {
				w.net.serve(deltaURL, soon(encode(t, w.numberedDelta(10, 11+n, w.clock.now(), now.Add(7*day), entries[true]...))))
				_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "another", noResponder)))
				synctest.Wait()
				w.clock.advance(2 * time.Hour)
			}
			if !c.answered {
				w.outage()
			}
			w.clock.advance(-5 * time.Hour)
			_, err := checker.CheckChain(t.Context(), w.chain(victim))
			assert.ErrorContains(t, err, "evidence said revoked")
			synctest.Wait()
		})
	}
}

// finding K263: an expired list that was kept beside a newer one that may cover less took room of MaxListMemory that the list
// of another place needed, so that the clients of that were refused.
func TestChecker_AnExpiredListKeepsNoListOutOfAnotherPlace(t *testing.T) {
	const size, elsewhere = 400 << 10, "http://crl.partner.example/other.crl"
	bounded := func(c *revocation.Config) { c.MaxListMemory = size * 5 / 2 }
	for name, c := range map[string]struct {
		url    string
		config func(*testing.T, *wired) *revocation.Checker
	}{
		"of the partner": {crlURL, func(t *testing.T, w *wired) *revocation.Checker { return w.checker(t, crlOnly, leafOnly, bounded) }},
		"of the operator": {configuredURL, func(t *testing.T, w *wired) *revocation.Checker {
			return w.checker(t, crlOnly, leafOnly, bounded, func(c *revocation.Config) {
				c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}, {URL: elsewhere}}, certs(w.ca)
			})
		}},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			entries := manyEntries(size/20, 20)
			serve := func(url string, life time.Duration, scope ...ocsptest.Extension) {
				l := w.listAt(w.clock.now(), w.clock.now().Add(life))
				l.RawEntries = entries
				l.Extensions = append(l.Extensions, scope...)
				w.net.serve(url, soon(encode(t, l)))
			}
			here, there := w.issue(t, "here", noResponder), w.issue(t, "there", noResponder, noPoints, point(uri(elsewhere)))
			checker := c.config(t, w)
			serve(c.url, time.Hour)
			w.says(t, checker, here, isGood, nil)
			w.clock.advance(2 * time.Hour)
			serve(c.url, 7*day, ocsptest.IssuingPoint(uri(crlURL)))
			_, _ = checker.CheckChain(t.Context(), w.chain(here))
			synctest.Wait()
			assert.Equal(t, 2, checker.Stats().Lists)
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, here, isGood, nil)
			serve(elsewhere, 7*day)
			w.clock.advance(2 * time.Minute)
			_, _ = checker.CheckChain(t.Context(), w.chain(there))
			synctest.Wait()
			w.says(t, checker, there, isGood, nil)
			w.says(t, checker, here, isGood, nil)
		})
	}
}
