package revocation_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// arrives serves a list at the client's distribution point, and lets it arrive.
func (w *wired) arrives(t *testing.T, checker *revocation.Checker, der []byte) {
	t.Helper()
	w.net.serve(crlURL, soon(der))
	for range 3 {
		w.clock.advance(2 * time.Minute)
		_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "another", noResponder)))
		synctest.Wait()
	}
}

// finding K227: while a list of another scope counted beside the current one, one of a third scope was ignored, so that
// a client whom it revokes was good.
func TestChecker_AListOfAThirdScopeAccuses(t *testing.T) {
	inBubble(t, "for some reasons", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		victim := w.issue(t, "victim", noResponder)
		checker := w.checker(t, crlOnly)
		reasons := func(n ...int) [][]byte { return [][]byte{ocsptest.Reasons(ocsptest.Context(3), n...)} }
		w.arrives(t, checker, w.scoped(t, 9, now.Add(-3*time.Hour), week, nil))
		w.arrives(t, checker, w.scoped(t, 10, now.Add(-2*time.Hour), week, reasons(1, 2)))
		w.arrives(t, checker, w.scoped(t, 11, now.Add(-time.Hour), week, reasons(3, 4), entryFor(victim)))
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		w.says(t, checker, victim, isRevoked, nil)
	})
}

// finding K228: a delta that is kept beside a newer list which names none, and has expired, made that list be fetched at
// each request after a minute until a newer list came.
func TestChecker_AnExpiredDeltaMakesNoListDue(t *testing.T) {
	for url, isConfigured := range map[string]bool{crlURL: false, configuredURL: true} {
		inBubble(t, url, func(t *testing.T) {
			w, week := wire(t), now.Add(7*day)
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			w.net.serve(url, soon(encode(t, w.numberedBase(10, week))))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, now.Add(time.Hour)))))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) {
				if isConfigured {
					c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(w.ca)
				}
			})
			w.says(t, checker, w.client, isGood, nil)
			next := w.numberedBase(12, week)
			next.ThisUpdate, next.Extensions = ocsptest.UTCAt(now.Add(-time.Hour)), next.Extensions[:2]
			w.net.serve(url, body(encode(t, next)))
			for range 3 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.client, isGood, nil)
			}
			w.clock.advance(3 * time.Hour)
			w.says(t, checker, w.client, isGood, nil)
			before := w.net.count(url)
			for range 10 {
				w.clock.advance(2 * time.Minute)
				w.says(t, checker, w.client, isGood, nil)
			}
			assert.LessOrEqual(t, w.net.count(url)-before, 1)
		})
	}
}

// finding K229: a delta that had expired kept out a current one with a lower number, as after the CA restored its
// numbers, so that a client was good whom only that one revokes.
func TestChecker_AnExpiredDeltaKeepsNoCurrentOneOut(t *testing.T) {
	inBubble(t, "fetched", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, now.Add(10*time.Minute)))))
		checker := w.checker(t, crlOnly)
		w.arrives(t, checker, encode(t, w.numberedBase(10, week)))
		w.clock.advance(30 * time.Minute)
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 13, now.Add(20*time.Minute), week, entryFor(victim)))))
		w.arrives(t, checker, encode(t, w.numberedBase(10, week)))
		w.says(t, checker, victim, isRevoked, nil)
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
	})
}

// finding K230: a list whose issuing distribution point had changed replaced the one before it with its delta, so that a
// client was good whom only the delta revokes, although the delta is newer than the list.
func TestChecker_AListOfAnotherPointReplacesNoDelta(t *testing.T) {
	inBubble(t, "fetched", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, week, entryFor(victim)))))
		checker := w.checker(t, crlOnly)
		w.arrives(t, checker, encode(t, w.numberedBase(10, week)))
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		w.arrives(t, checker, w.scoped(t, 12, now.Add(-time.Hour), week, [][]byte{uri(crlURL)}))
		w.says(t, checker, victim, isRevoked, nil)
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
	})
}

// finding K235: as K230, if the list before it had expired, but not its delta.
func TestChecker_AListOfAnotherPointReplacesNoDeltaOfAnExpiredList(t *testing.T) {
	inBubble(t, "fetched", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		victim := w.issue(t, "victim", noResponder)
		w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 14, now, week, entryFor(victim)))))
		checker := w.checker(t, crlOnly)
		w.arrives(t, checker, encode(t, w.numberedBase(10, now.Add(time.Hour))))
		w.clock.advance(2 * time.Hour)
		w.net.serve(deltaURL, failing(revocation.ErrTransport))
		w.arrives(t, checker, w.scoped(t, 12, now.Add(-time.Hour), week, [][]byte{uri(crlURL)}))
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		w.says(t, checker, victim, isUnavailable, revocation.ErrNotFresh)
	})
}

// The list of a file is the one that the file has now, although one of another scope before it still counts.
func TestChecker_ReadyNamesAnExpiredListOfAnotherScope(t *testing.T) {
	inBubble(t, "in a file", func(t *testing.T) {
		w, file := wire(t), filepath.Join(t.TempDir(), "clients.crl")
		about := w.issue(t, "bare", noResponder, noPoints)
		write(t, file, w.scoped(t, 9, now.Add(-2*time.Hour), now.Add(7*day), nil))
		checker := w.operated(t, revocation.List{File: file})
		w.says(t, checker, about, isGood, nil)
		assert.NoError(t, checker.Ready())
		write(t, file, w.scoped(t, 10, now.Add(-time.Hour), now.Add(-time.Minute-skew), [][]byte{ocsptest.Flag(1)}))
		for range 3 {
			w.clock.advance(2 * time.Minute)
			w.says(t, checker, about, isGood, nil)
		}
		assert.ErrorContains(t, checker.Ready(), "expired at its nextUpdate")
	})
}

// A list of the CA for another distribution point, served once, keeps the right one out no longer than it is served, even
// if the server then says that nothing has changed.
func TestChecker_AListForOthersKeepsNoListOut(t *testing.T) {
	for name, known := range map[string]bool{"the right one is known": true, "it is not": false} {
		inBubble(t, name, func(t *testing.T) {
			w, week := wire(t), now.Add(7*day)
			right := w.scoped(t, 9, now.Add(-2*time.Hour), now.Add(time.Hour), [][]byte{uri(crlURL)})
			other := w.scoped(t, 10, now.Add(-time.Hour), week, [][]byte{uri(rootsURL)})
			checker := w.checker(t, crlOnly)
			if known {
				w.arrives(t, checker, right)
			}
			w.net.serve(crlURL, func(context.Context, revocation.Request) (revocation.Response, error) {
				return revocation.Response{Body: other, MaxAge: time.Minute, LastModified: "Mon, 02 Mar 2099 12:00:00 GMT"}, nil
			})
			for range 3 {
				w.clock.advance(2 * time.Minute)
				_, _ = checker.CheckChain(t.Context(), w.chain(w.client))
				synctest.Wait()
			}
			next := w.scoped(t, 11, now, week, [][]byte{uri(crlURL)})
			w.net.serve(crlURL, func(_ context.Context, r revocation.Request) (revocation.Response, error) {
				if r.LastModified != "" {
					return revocation.Response{NotModified: true}, nil
				}
				return revocation.Response{Body: next}, nil
			})
			w.clock.advance(2 * time.Hour)
			w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		})
	}
}

// The URLs of a distribution point are alternatives: the next one is asked if the first has a list for others.
func TestChecker_AListForOthersLeadsToTheNextURL(t *testing.T) {
	inBubble(t, "two URLs", func(t *testing.T) {
		const mirrorURL = "http://mirror.partner.example/clients.crl"
		w := wire(t)
		about := w.issue(t, "two", noResponder, noPoints, point(ocsptest.FullName(ocsptest.URI(crlURL), ocsptest.URI(mirrorURL))))
		w.net.serve(crlURL, body(w.scoped(t, 10, now.Add(-time.Hour), now.Add(7*day), [][]byte{ocsptest.Flag(2)})))
		w.net.serve(mirrorURL, body(w.scoped(t, 9, now.Add(-2*time.Hour), now.Add(7*day), nil)))
		w.says(t, w.checker(t, crlOnly), about, isGood, nil)
	})
}

// A CA whose list has another scope each time cannot make each look-up long.
func TestChecker_TheListsOfAPlaceAreBounded(t *testing.T) {
	inBubble(t, "at a distribution point", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		for n := range int64(70) {
			w.arrives(t, checker, w.scoped(t, n, now, now.Add(7*day), [][]byte{ocsptest.FullName(directory(w.ca.cert.RawSubject), ocsptest.URI(fmt.Sprint(crlURL, n)))}))
		}
		assert.LessOrEqual(t, checker.Stats().Lists, 64+1)
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
	})
}

// A list beside the first one of its place is renewed in its own time: a revocation counts after half of the life of
// either. Until then requests start no refresh.
func TestChecker_AListBesideAnotherIsRenewedInItsTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "client", noResponder)
		checker := w.checker(t, leafOnly, crlOnly)
		w.arrives(t, checker, w.scoped(t, 9, now.Add(-3*time.Hour), now.Add(4*time.Hour), nil))
		w.net.serve(crlURL, body(w.scoped(t, 10, now.Add(-2*time.Hour), now.Add(7*day), [][]byte{ocsptest.FullName(ocsptest.URI(crlURL))})))
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, client, isGood, nil)
		w.says(t, checker, client, isGood, nil)
		assert.Equal(t, 2, checker.Stats().Lists)
		fetches, refreshes := w.net.count(crlURL), checker.Stats().Refreshes
		for range 10 {
			w.clock.advance(time.Minute)
			w.says(t, checker, client, isGood, nil)
		}
		assert.Equal(t, fetches, w.net.count(crlURL))
		assert.Equal(t, refreshes, checker.Stats().Refreshes)
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, client, isGood, nil)
		assert.Equal(t, fetches+1, w.net.count(crlURL))
	})
}
