package revocation_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const (
	keyCompromise = 1
	onHold        = 6 // certificateHold
)

// outage makes every further fetch fail.
func (w *wired) outage() {
	w.net.serve(ocspURL, failing(revocation.ErrTransport))
	w.net.serve(crlURL, failing(revocation.ErrTransport))
}

// Case 37: a certificate that the Checker has seen revoked stays revoked, whatever comes later.
func TestChecker_RevokedStays(t *testing.T) {
	byOCSP := func(t *testing.T, w *wired) {
		w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), keyCompromise)))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
	}
	byCRL := func(t *testing.T, w *wired) {
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
	}
	for _, c := range []struct {
		name   string
		first  func(*testing.T, *wired)
		then   func(*testing.T, *wired)
		config func(*revocation.Config)
	}{
		{"case 37 an older Good is replayed", byOCSP, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-2*time.Hour), now.Add(5*day)))
		}, nil},
		{"a newer Good", byOCSP, func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood)) }, nil},
		{"a newer Unknown", byOCSP, func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.responder(t, ocsptest.StatusUnknown)) }, nil},
		{"the responder is gone", byOCSP, func(_ *testing.T, w *wired) { w.outage() }, nil},
		{"the responder is gone, StaleGrace", byOCSP, func(_ *testing.T, w *wired) { w.outage() }, staleGrace},
		{"the entry vanishes from a later list", byCRL, func(t *testing.T, w *wired) {
			w.net.serve(crlURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
				return body(encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day))))(ctx, r)
			})
		}, nil},
		{"the entry vanishes and OCSP says Good", byCRL, func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day)))))
		}, nil},
		{"the list is gone", byCRL, func(_ *testing.T, w *wired) { w.outage() }, nil},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			for _, config := range []func(*revocation.Config){func(*revocation.Config) {}, softFail, sources(revocation.PreferCRL)} {
				w := wire(t)
				c.first(t, w)
				change := c.config
				if change == nil {
					change = func(*revocation.Config) {}
				}
				checker := w.checker(t, leafOnly, config, change)
				w.says(t, checker, w.client, isRevoked, nil)
				c.then(t, w)
				for range 20 {
					w.clock.advance(5 * time.Hour)
					w.says(t, checker, w.client, isRevoked, nil)
				}
				w.clock.advance(-90 * time.Hour)
				w.says(t, checker, w.client, isRevoked, nil)
			}
		})
	}
}

func staleGrace(c *revocation.Config) { c.StaleGrace = 24 * time.Hour }

// A revoked client that keeps returning does not make the service fetch with each request.
func TestChecker_RevokedIsNotAskedForAgainAndAgain(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(*testing.T, *wired)
		most  int // fetches in a day
	}{
		{"by OCSP", func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), keyCompromise)))
		}, 2},
		{"by OCSP, on hold", func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), onHold))) }, 24*5 + 1},
		{"by CRL, then OCSP is back", func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, inTurn(failing(revocation.ErrTransport), w.responder(t, ocsptest.StatusGood)))
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(5*day), entryFor(w.client)))))
		}, 10},
		{"by CRL, on hold, then OCSP has an older Good", func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, inTurn(failing(revocation.ErrTransport), w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(5*day))))
			w.net.serve(crlURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
				return body(encode(t, w.listAt(now, now.Add(5*day), entryFor(w.client, ocsptest.ReasonCode(onHold)))))(ctx, r)
			})
		}, 2*24*4 + 3}, // both are asked about a hold every 15 minutes
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			c.first(t, w)
			checker := w.checker(t, leafOnly)
			for range 24 * 60 {
				w.says(t, checker, w.client, isRevoked, nil)
				w.clock.advance(time.Minute)
			}
			assert.LessOrEqual(t, w.net.total(), c.most)
			assert.LessOrEqual(t, checker.Stats().Refreshes, uint64(c.most))
		})
	}
}

// Section 9: a hold lasts until a newer authentic Good, from any source, and nothing else ends it.
func TestChecker_HoldCountsUntilANewerGood(t *testing.T) {
	hold := revokedAt(now.Add(-day), onHold)
	held := func(w *wired) ocsptest.Entry { return entryFor(w.client, ocsptest.ReasonCode(onHold)) }
	byOCSP := func(t *testing.T, w *wired) {
		w.net.serve(ocspURL, w.dated(t, hold, now.Add(-time.Hour), now.Add(day)))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
	}
	byCRL := func(t *testing.T, w *wired) {
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), held(w)))))
	}
	list := func(this time.Duration, entries ...func(*wired) ocsptest.Entry) func(*testing.T, *wired) {
		return func(t *testing.T, w *wired) {
			var all []ocsptest.Entry
			for _, e := range entries {
				all = append(all, e(w))
			}
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(this), now.Add(5*day), all...))))
		}
	}
	answers := func(status []byte, this time.Duration) func(*testing.T, *wired) {
		return func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.dated(t, status, now.Add(this), now.Add(5*day))) }
	}
	down := func(_ *testing.T, w *wired) { w.outage() }
	for _, c := range []struct {
		name        string
		first, then func(*testing.T, *wired)
		lifted      bool
	}{
		{"OCSP, then a newer Good by OCSP", byOCSP, answers(ocsptest.StatusGood, time.Minute), true},
		{"OCSP, then an older Good by OCSP", byOCSP, answers(ocsptest.StatusGood, -2*time.Hour), false},
		{"OCSP, then a Good of the same moment", byOCSP, answers(ocsptest.StatusGood, -time.Hour), false},
		{"OCSP, then the responder is gone", byOCSP, down, false},
		{"OCSP, then revoked for good", byOCSP, answers(revokedAt(now, keyCompromise), time.Minute), false},
		{"CRL, then a newer list without it", byCRL, list(time.Minute), true},
		{"CRL, then an older list without it", byCRL, list(-2 * time.Hour), false},
		{"CRL, then a newer list with it", byCRL, list(time.Minute, held), false},
		{"CRL, then a newer Good by OCSP", byCRL, answers(ocsptest.StatusGood, time.Minute), true},
		{"CRL, then an older Good by OCSP", byCRL, answers(ocsptest.StatusGood, -2*time.Hour), false},
		{"CRL, then the list is gone", byCRL, down, false},
	} {
		for name, config := range map[string]func(*revocation.Config){
			"hard": func(*revocation.Config) {}, "soft": softFail, "lists first": sources(revocation.PreferCRL),
		} {
			inBubble(t, c.name+", "+name, func(t *testing.T) {
				w := wire(t)
				c.first(t, w)
				checker := w.checker(t, leafOnly, config)
				found := w.says(t, checker, w.client, isRevoked, nil)
				require.Zero(t, found.Depth)
				w.outage()
				c.then(t, w)
				want := isRevoked
				if c.lifted {
					want = isGood
				}
				for range 15 { // far beyond nextUpdate of the first
					w.clock.advance(3 * time.Hour)
					_, _ = w.check(t, checker)
					synctest.Wait()
				}
				w.says(t, checker, w.client, want, nil)
			})
		}
	}
}

// Case 38: no clock step revives expired evidence, or evidence from before a revocation.
func TestChecker_ClockStepsBackAndForward(t *testing.T) {
	for _, evidence := range []string{"OCSP", "CRL"} {
		inBubble(t, "case 38 "+evidence, func(t *testing.T) {
			w := wire(t)
			if evidence == "CRL" {
				w.net.serve(ocspURL, failing(revocation.ErrTransport))
			}
			checker := w.checker(t, leafOnly)
			w.says(t, checker, w.client, isGood, nil)
			w.outage()
			steps := []struct {
				by   time.Duration
				good bool
			}{
				{-2 * time.Minute, true}, // within the skew
				{-10 * day, false},       // the evidence is dated in the future
				{10*day + 2*time.Minute, true},
				{2 * day, false},
				{-2 * day, true},
				{25 * time.Hour, false},
			}
			for i, s := range steps {
				w.clock.advance(s.by)
				found, err := w.check(t, checker)
				synctest.Wait()
				if s.good {
					require.NoError(t, err, "step %d", i)
					require.Equal(t, isGood, found.Status, "step %d", i)
					continue
				}
				require.Error(t, err, "step %d", i)
				require.Equal(t, isUnavailable, found.Status, "step %d", i)
			}
		})
	}
	inBubble(t, "case 38 failures of the future do not count", func(t *testing.T) {
		w := wire(t)
		w.outage()
		w.clock.advance(20 * day)
		checker := w.checker(t, leafOnly)
		for range 8 {
			w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
			w.clock.advance(time.Minute)
		}
		w.clock.advance(-20 * day)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, checker, w.client, isGood, nil)
	})
}

// StaleGrace serves an expired Good, marked as such, until the grace period ends, and nothing else.
func TestChecker_StaleGrace(t *testing.T) {
	grace := func(c *revocation.Config) { c.StaleGrace = 2 * time.Hour }
	for _, evidence := range []string{"OCSP", "CRL"} {
		inBubble(t, evidence+" Good", func(t *testing.T) {
			w := wire(t)
			if evidence == "CRL" {
				w.net.serve(ocspURL, failing(revocation.ErrTransport))
			}
			checker, strict := w.checker(t, leafOnly, grace), w.checker(t, leafOnly)
			assert.False(t, w.says(t, checker, w.client, isGood, nil).Stale)
			w.says(t, strict, w.client, isGood, nil)
			w.outage()
			w.clock.advance(24*time.Hour + skew + time.Second)
			found := w.says(t, checker, w.client, isGood, nil)
			assert.True(t, found.Stale)
			assert.Positive(t, checker.Stats().StaleServed)
			_, err := w.check(t, strict)
			require.Error(t, err)
			w.clock.advance(2 * time.Hour)
			_, err = w.check(t, checker)
			require.Error(t, err, "after the grace")
			w.clock.advance(10 * time.Minute)
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			assert.False(t, w.says(t, checker, w.client, isGood, nil).Stale)
		})
	}
	inBubble(t, "newer evidence is fetched before a stale one is served", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, grace)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, keyCompromise)))
		w.clock.advance(23*time.Hour + skew + time.Minute)
		w.says(t, checker, w.client, isRevoked, nil)
	})
	inBubble(t, "never for Unknown", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly), grace)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusUnknown))
		w.clock.advance(62 * time.Minute)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.client, isUnknown, nil)
		w.outage()
		w.clock.advance(3 * time.Minute)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
	})
	inBubble(t, "never once a Revoked was seen, also one that has run out", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, grace)
		w.says(t, checker, w.client, isGood, nil)
		w.outage()
		w.clock.advance(23*time.Hour + skew + time.Minute)
		w.net.serve(ocspURL, w.ranOut(t, revokedAt(now, keyCompromise)))
		_, err := w.check(t, checker)
		require.ErrorContains(t, err, "said revoked")
		w.outage()
		w.clock.advance(10 * time.Minute)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
	})
}

// A known revocation is the answer at once, even if it is time to query the responder again and it hangs.
func TestChecker_ARevocationIsAnsweredFromMemory(t *testing.T) {
	for name, reason := range map[string]int{"permanent": 1, "hold": onHold} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), reason)))
			checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly))
			w.says(t, checker, w.client, isRevoked, nil)
			w.net.serve(ocspURL, hanging)
			for _, later := range []time.Duration{0, 25 * time.Hour} {
				w.clock.advance(later)
				began := time.Now()
				found, err := checker.CheckChain(t.Context(), w.chain(w.client))
				require.NoError(t, err)
				assert.Equal(t, isRevoked, found.Status)
				assert.LessOrEqual(t, time.Since(began), time.Second)
			}
		})
	}
}
