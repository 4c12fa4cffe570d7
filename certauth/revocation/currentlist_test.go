package revocation_test

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K197: a list that had expired before it arrived, but was newer, displaced a current one. Clients were
// refused until another list came, and if that was an older one, a client was good whom the current list
// had on hold.
func TestChecker_AnExpiredListDisplacesNoCurrentOne(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*testing.T, *wired, string) *revocation.Checker
		serve  func(t *testing.T, w *wired, file string, list ocsptest.List)
	}{
		"at a distribution point": {
			func(t *testing.T, w *wired, _ string) *revocation.Checker { return w.checker(t, crlOnly) },
			func(t *testing.T, w *wired, _ string, l ocsptest.List) { w.net.serve(crlURL, soon(encode(t, l))) },
		},
		"at a URL of the operator": {func(t *testing.T, w *wired, _ string) *revocation.Checker {
			return w.operated(t, revocation.List{URL: configuredURL})
		}, func(t *testing.T, w *wired, _ string, l ocsptest.List) {
			w.net.serve(configuredURL, soon(encode(t, l)))
		}},
		"in a file": {func(t *testing.T, w *wired, file string) *revocation.Checker {
			return w.operated(t, revocation.List{File: file})
		}, func(t *testing.T, _ *wired, file string, l ocsptest.List) { write(t, file, encode(t, l)) }},
	} {
		inBubble(t, name, func(t *testing.T) {
			w, file := wire(t), filepath.Join(t.TempDir(), "clients.crl")
			onHoldNow := entryFor(w.client, ocsptest.ReasonCode(onHold))
			c.serve(t, w, file, w.listAt(now.Add(-2*time.Hour), now.Add(7*day), onHoldNow))
			checker := c.config(t, w, file)
			w.says(t, checker, w.issue(t, "first"), isGood, nil)
			for _, arrives := range []ocsptest.List{
				w.listAt(now.Add(-time.Hour), now.Add(-skew-time.Minute), onHoldNow), w.listAt(now.Add(-3*time.Hour), now.Add(7*day)),
			} {
				c.serve(t, w, file, arrives)
				for range 3 {
					w.clock.advance(2 * time.Minute)
					w.says(t, checker, w.issue(t, "another"), isGood, nil)
				}
			}
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// finding K200: a list of another scope that arrived in the place of a current one was ignored, so that a client
// whom it calls revoked was good by the older list.
func TestChecker_AListOfAnotherScopeAccusesBesideTheCurrentOne(t *testing.T) {
	inBubble(t, "for some reasons", func(t *testing.T) {
		w := wire(t)
		victim, week := w.issue(t, "victim", noResponder), now.Add(7*day)
		w.net.serve(crlURL, soon(w.scoped(t, 9, now.Add(-time.Hour), week, nil)))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
		for n := range int64(3) {
			some := [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)}
			var entries []ocsptest.Entry
			if n == 1 {
				entries = append(entries, entryFor(victim))
			}
			w.net.serve(crlURL, soon(w.scoped(t, 10+n, now.Add(time.Duration(n)*time.Minute), week, some, entries...)))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
			}
			if n > 0 {
				w.says(t, checker, victim, isRevoked, nil)
			}
		}
	})
}

// A delta whose successor cannot be fetched is not missing while it is current, and at most two URLs are tried.
func TestChecker_ACurrentDeltaIsNotMissing(t *testing.T) {
	inBubble(t, "its server fails", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		base := w.numberedBase(10, week)
		base.Extensions[2] = ocsptest.FreshestCRL(ocsptest.Point(uri(deltaURL)), ocsptest.Point(uri(deltaURL+"2")), ocsptest.Point(uri(deltaURL+"3")))
		w.net.serve(crlURL, soon(encode(t, base)))
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, week))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		for range 3 {
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
		}
		whole, err := checker.Check(t.Context(), w.chain(w.client))
		require.NoError(t, err)
		assert.False(t, whole.Certificates[0].Result.DeltaMissing)
		for _, request := range w.net.requests() {
			assert.NotEqual(t, deltaURL+"3", request.URL)
		}
	})
}

// finding K201: a list that names no delta CRL replaced one with a delta that is newer than it, and a client whom
// only the delta revokes was good.
func TestChecker_ADeltaOutlivesAListThatNamesNone(t *testing.T) {
	for url, isConfigured := range map[string]bool{crlURL: false, configuredURL: true} {
		inBubble(t, url, func(t *testing.T) {
			w, week := wire(t), now.Add(7*day)
			victim := w.issue(t, "victim", noResponder)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			w.net.serve(url, soon(encode(t, w.numberedBase(10, week))))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, week, entryFor(victim)))))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) {
				if isConfigured {
					c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(w.ca)
				}
			})
			w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
			next := w.numberedBase(12, week)
			next.ThisUpdate, next.Extensions = ocsptest.UTCAt(now.Add(-time.Hour)), next.Extensions[:2]
			w.net.serve(url, soon(encode(t, next)))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
			}
			w.says(t, checker, victim, isRevoked, nil)
		})
	}
}

// finding K219: a list beside the current one was unloaded first when the lists of others needed room, as one that
// nobody uses, so that a client whom it revokes was good.
func TestChecker_AListBesideTheCurrentOneIsInUse(t *testing.T) {
	for _, hours := range []int{0, 2} {
		inBubble(t, fmt.Sprintf("others need room after %d hours", hours), func(t *testing.T) {
			w := wire(t)
			victim, week := w.issue(t, "victim", noResponder), now.Add(7*day)
			some := [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)}
			w.net.serve(crlURL, soon(w.scoped(t, 9, now.Add(-time.Hour), week, nil)))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = 84 << 10 })
			w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
			w.net.serve(crlURL, soon(w.scoped(t, 10, now, week, some, entryFor(victim))))
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			for range hours {
				w.clock.advance(time.Hour)
				w.says(t, checker, w.client, isGood, nil)
			}
			const bigURL = "http://crl.partner.example/big.crl"
			for n := range 3 {
				url := fmt.Sprintf("%s%d", bigURL, n)
				w.net.serve(url, body(w.fat(t, 40<<10, 7)))
				_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "of a big list", noResponder, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{url} })))
				synctest.Wait()
			}
			w.says(t, checker, victim, isRevoked, nil)
		})
	}
}

// finding K220: as K197, for a list beside the current one.
func TestChecker_AnExpiredListDisplacesNoneBesideTheCurrentOne(t *testing.T) {
	inBubble(t, "for some reasons", func(t *testing.T) {
		w := wire(t)
		victim, week := w.issue(t, "victim", noResponder), now.Add(7*day)
		some, held := [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 6)}, entryFor(victim, ocsptest.ReasonCode(onHold))
		checker := w.checker(t, crlOnly)
		for _, der := range [][]byte{
			w.scoped(t, 9, now.Add(-3*time.Hour), week, nil), w.scoped(t, 10, now.Add(-2*time.Hour), week, some, held),
			w.scoped(t, 11, now.Add(-time.Hour), now.Add(-skew-time.Minute), some, held),
		} {
			w.net.serve(crlURL, soon(der))
			for range 3 {
				w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
				w.clock.advance(2 * time.Minute)
			}
		}
		w.says(t, checker, victim, isRevoked, nil)
	})
}

// finding K221: a list that had expired before it arrived replaced the current one in the Store, so that another
// instance refused clients while nothing else could be fetched.
func TestChecker_AnExpiredListReplacesNoCurrentOneInTheStore(t *testing.T) {
	inBubble(t, "at a distribution point", func(t *testing.T) {
		w, kept := wire(t), newShelf()
		w.net.serve(crlURL, soon(encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(7*day)))))
		checker := w.checker(t, crlOnly, stored(kept))
		w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
		w.net.serve(crlURL, soon(encode(t, w.listAt(now.Add(-time.Hour), now.Add(-skew-time.Minute)))))
		for range 3 {
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		}
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.says(t, w.checker(t, crlOnly, stored(kept)), w.issue(t, "of another instance", noResponder), isGood, nil)
	})
}

// finding K222: a list beside the current one stayed in memory after a newer one of its scope had become the current one.
func TestChecker_AListBesideTheCurrentOneIsDroppedWhenItIsReplaced(t *testing.T) {
	inBubble(t, "for some reasons", func(t *testing.T) {
		w, some := wire(t), [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)}
		checker := w.checker(t, crlOnly)
		for i, der := range [][]byte{
			w.scoped(t, 9, now.Add(-3*time.Hour), now.Add(10*time.Minute), nil), w.scoped(t, 10, now.Add(-2*time.Hour), now.Add(7*day), some),
			w.scoped(t, 11, now.Add(-time.Hour), now.Add(7*day), some),
		} {
			w.net.serve(crlURL, soon(der))
			for range 3 {
				_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "another", noResponder)))
				synctest.Wait()
				w.clock.advance(2 * time.Minute)
			}
			if i == 1 {
				assert.Equal(t, 2, checker.Stats().Lists)
				w.clock.advance(20 * time.Minute)
			}
		}
		assert.Equal(t, 2, checker.Stats().Lists, "the newest one, and the expired one, which can still accuse (K256)")
	})
}

// finding K223: what a list beside the current one says against the signer of another list was ignored, unless the
// current one covers the signer's certificate, too.
func TestListSigner_AListBesideTheCurrentOneRevokesTheSigner(t *testing.T) {
	inBubble(t, "for some reasons", func(t *testing.T) {
		w := otherSigns(t)
		w.net.serve(crlURL, body(encode(t, w.signedBy(w.signer))))
		checker := w.fetched(t)
		for n, point := range [][]byte{uri(rootsURL), ocsptest.Reasons(ocsptest.Context(3), 1, 2)} {
			l := w.numberedBase(int64(10+n), now.Add(7*day))
			l.Extensions = append(l.Extensions[:2], ocsptest.IssuingPoint(point))
			if n == 1 {
				l.Entries = []ocsptest.Entry{entryFor(w.signer)}
			}
			w.net.serve(rootsURL, soon(w.ofRoot(t, l)))
			for range 3 {
				_, _ = checker.CheckChain(t.Context(), w.chain(w.about))
				synctest.Wait()
				w.clock.advance(2 * time.Minute)
			}
		}
		w.says(t, checker, w.about, isUnavailable, revocation.ErrCRLIssuer)
	})
}
