package revocation_test

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// unloads makes another list of the partner take the room of those that were not used for an hour.
func (w *wired) unloads(t *testing.T, checker *revocation.Checker, size int) {
	t.Helper()
	const url, before = "http://crl.partner.example/other.crl", time.Hour + time.Minute
	w.net.serve(url, body(w.fat(t, size, 7)))
	w.clock.advance(before)
	w.says(t, checker, w.issue(t, "elsewhere", noResponder, noPoints, point(uri(url))), isGood, nil)
	require.NotZero(t, checker.Stats().ListsUnloaded)
	w.clock.advance(before) // that list can be unloaded, too
}

// finding K251: an expired list that calls a client revoked was forgotten when an older list of another scope arrived again,
// so that the client was good by that one.
func TestChecker_AnExpiredListOfAnotherScopeStillAccuses(t *testing.T) {
	inBubble(t, "the older list arrives again", func(t *testing.T) {
		w := wire(t)
		victim := w.issue(t, "victim", noResponder)
		checker := w.checker(t, crlOnly)
		old := w.scoped(t, 9, now.Add(-3*time.Hour), now.Add(7*day), nil)
		w.arrives(t, checker, old)
		w.arrives(t, checker, w.scoped(t, 10, now.Add(-time.Hour), now.Add(time.Hour), [][]byte{uri(crlURL)}, entryFor(victim)))
		w.clock.advance(2 * time.Hour)
		w.arrives(t, checker, old)
		w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		w.says(t, checker, victim, isUnavailable, revocation.ErrNotFresh)
		w.arrives(t, checker, w.scoped(t, 11, w.clock.now(), now.Add(7*day), nil))
		assert.Equal(t, 1, checker.Stats().Lists, "only the newest list")
	})
}

// finding K252: when the lists of a place had been unloaded, the first that arrived again made the editions of the other
// scopes forgotten, so that an older list of one of them was accepted, and a client was good whom the newer one revokes.
func TestChecker_AnUnloadedListOfAnotherScopeKeepsOlderOnesOut(t *testing.T) {
	inBubble(t, "unloaded", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		victim := w.issue(t, "victim", noResponder)
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = 100 << 10 })
		forSome := w.scoped(t, 11, now.Add(-time.Hour), week, [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)})
		w.arrives(t, checker, w.scoped(t, 10, now.Add(-2*time.Hour), week, nil, entryFor(victim)))
		w.arrives(t, checker, forSome)
		w.unloads(t, checker, 95<<10)
		w.arrives(t, checker, forSome)
		w.arrives(t, checker, w.scoped(t, 3, now.Add(-5*time.Hour), week, nil))
		w.says(t, checker, victim, isUnavailable, evidence.ErrRollback)
	})
}

// finding K253: lists of the CA for other distribution points, served for some minutes at the one of a client or put in the
// Store, filled the place, so that the right list was refused until they expired.
func TestChecker_ListsForOtherPointsFillNoPlace(t *testing.T) {
	for name, c := range map[string]struct{ lists, entries int }{"few large ones": {3, 3000}, "many": {70, 1}} {
		inBubble(t, name, func(t *testing.T) {
			w, week := wire(t), now.Add(7*day)
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListBytes = 400 << 10 })
			for n := range c.lists {
				l := w.withPoint(uri(fmt.Sprint(crlURL, n)))
				l.NextUpdate, l.RawEntries = ocsptest.UTCAt(week), manyEntries(c.entries, 20)
				w.arrives(t, checker, encode(t, l))
			}
			w.arrives(t, checker, w.scoped(t, 11, now.Add(-time.Hour), week, [][]byte{uri(crlURL)}))
			w.says(t, checker, w.issue(t, "another", noResponder), isGood, nil)
		})
	}
}

// finding K254: a list that arrived again was in memory twice if another certificate of its CA, which any CA can make, had
// another key identifier.
func TestChecker_AListThatArrivesAgainIsInMemoryOnce(t *testing.T) {
	inBubble(t, "another certificate of the CA", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		list := w.scoped(t, 9, now.Add(-time.Hour), now.Add(7*day), nil)
		w.arrives(t, checker, list)
		before := checker.Stats().Lists
		other := makeCert(t, "Clients CA", w.ca.key, w.root, asCA, func(c *x509.Certificate) { c.SubjectKeyId = []byte{1, 2, 3} })
		_, err := checker.CheckChain(t.Context(), certs(w.issue(t, "another", noResponder), other, w.root))
		require.NoError(t, err)
		w.arrives(t, checker, list)
		assert.Equal(t, before, checker.Stats().Lists)
	})
}

// finding K255: the issuing distribution points of unloaded lists stayed in memory, which a CA can make as long as lists may
// be.
func TestChecker_UnloadedListsLeaveLittleInMemory(t *testing.T) {
	const lists, size = 20, 1 << 20
	w := wire(t)
	checker := w.checker(t, crlOnly, leafOnly, func(c *revocation.Config) { c.MaxListMemory = 5 * size })
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	began := heap()
	for n := range lists {
		url := fmt.Sprint(crlURL, n)
		w.net.serve(url, body(w.scoped(t, 9, now, now.Add(7*day), [][]byte{ocsptest.FullName(ocsptest.URI(url), ocsptest.URI(strings.Repeat("x", size)))})))
		_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "one more", noResponder, noPoints, point(uri(url)))))
		require.NoError(t, err)
		w.net.serve(url, failing(revocation.ErrTransport))
		w.clock.advance(2 * time.Hour)
	}
	require.GreaterOrEqual(t, checker.Stats().ListsUnloaded, uint64(lists-1))
	assert.Less(t, heap()-began, int64(8*size))
	runtime.KeepAlive(checker)
}

// finding K256: an expired list that calls a client revoked was forgotten when a newer list arrived that does not cover the
// client, or only for some reasons, so that SoftFail accepted the client.
func TestChecker_AListForOthersLeavesAnExpiredOneInItsPlace(t *testing.T) {
	for name, scope := range map[string][]byte{"for another point": uri(rootsURL), "for some reasons": ocsptest.Reasons(ocsptest.Context(3), 1, 2)} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			victim := w.issue(t, "victim", noResponder)
			checker := w.checker(t, crlOnly, softFail)
			w.arrives(t, checker, w.scoped(t, 9, now.Add(-time.Hour), now.Add(time.Hour), nil, entryFor(victim)))
			w.clock.advance(2 * time.Hour)
			w.arrives(t, checker, w.scoped(t, 10, w.clock.now(), now.Add(7*day), [][]byte{scope}))
			_, err := checker.CheckChain(t.Context(), w.chain(victim))
			assert.ErrorContains(t, err, "expired evidence said revoked")
		})
	}
}

// finding K261: as K256, if the newer list covers the client for whom it was fetched, but not the other one, or holds that
// client and is for some reasons only.
func TestChecker_AListThatCoversLessLeavesAnExpiredOneInItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		scope   [][]byte
		reasons []ocsptest.Extension // of an entry for the client for whom it is fetched
	}{
		"for some reasons":  {[][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, onHold)}, []ocsptest.Extension{ocsptest.ReasonCode(onHold)}},
		"for another point": {[][]byte{uri(rootsURL)}, nil},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			victim := w.issue(t, "victim", noResponder)
			asking := w.issue(t, "asking", noResponder, noPoints, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(crlURL)), ocsptest.Point(uri(rootsURL)))))
			checker := w.checker(t, crlOnly, softFail)
			w.arrives(t, checker, w.scoped(t, 9, now.Add(-time.Hour), now.Add(time.Hour), nil, entryFor(victim)))
			w.clock.advance(2 * time.Hour)
			var entries []ocsptest.Entry
			if c.reasons != nil {
				entries = append(entries, entryFor(asking, c.reasons...))
			}
			w.net.serve(crlURL, body(w.scoped(t, 10, w.clock.now(), now.Add(7*day), c.scope, entries...)))
			_, _ = checker.CheckChain(t.Context(), w.chain(asking))
			synctest.Wait()
			_, err := checker.CheckChain(t.Context(), w.chain(victim))
			assert.ErrorContains(t, err, "expired evidence said revoked")
		})
	}
}

// finding K258: as K256, for a list at a URL or in a file of Config.Lists.
func TestChecker_AConfiguredListForOthersLeavesAnExpiredOneInItsPlace(t *testing.T) {
	some := [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)}
	for name, scopes := range map[string][2][][]byte{
		"for another point": {nil, {uri(rootsURL)}}, "for some reasons": {nil, some},
		"for CAs, after one for users": {{ocsptest.Flag(1)}, {ocsptest.Flag(2)}},
	} {
		for _, source := range []string{"file", "URL"} {
			inBubble(t, name+", "+source, func(t *testing.T) {
				w, list := wire(t), revocation.List{URL: configuredURL}
				if source == "file" {
					list = revocation.List{File: filepath.Join(t.TempDir(), "clients.crl")}
				}
				checker := w.operated(t, list, softFail)
				arrives := func(der []byte) {
					w.net.serve(configuredURL, body(der))
					if list.File != "" {
						write(t, list.File, der)
					}
					w.clock.advance(2 * time.Hour)
					require.NoError(t, checker.Refresh(t.Context()))
				}
				victim, former := w.issue(t, "victim", unpointed), w.issue(t, "former", unpointed)
				arrives(w.scoped(t, 9, now.Add(-time.Hour), now.Add(3*time.Hour), scopes[0], entryFor(victim), entryFor(former)))
				w.says(t, checker, former, isRevoked, nil)
				arrives(w.scoped(t, 10, w.clock.now(), now.Add(7*day), scopes[1]))
				w.clock.advance(4 * time.Hour)
				arrives(w.scoped(t, 11, w.clock.now(), now.Add(7*day), scopes[1]))
				_, err := checker.CheckChain(t.Context(), w.chain(victim))
				assert.ErrorContains(t, err, "expired evidence said revoked")
				arrives(w.scoped(t, 12, w.clock.now(), now.Add(7*day), nil))
				w.says(t, checker, w.client, isGood, nil)
				assert.Equal(t, 1+1, checker.Stats().Lists, "that, and the current one of the other scope")
			})
		}
	}
}

// An expired list that is kept because it can accuse takes no room that another one needs.
func TestChecker_AnExpiredListKeepsNoListOut(t *testing.T) {
	for name, limit := range map[string]func(c *revocation.Config, size int){
		"MaxListMemory": func(c *revocation.Config, size int) { c.MaxListMemory = size },
		"MaxListBytes":  func(c *revocation.Config, size int) { c.MaxListBytes = 2 * size },
	} {
		inBubble(t, name, func(t *testing.T) {
			w, file := wire(t), filepath.Join(t.TempDir(), "clients.crl")
			entries := manyEntries(20_000, 20)
			fat := func(next time.Time, point []byte) []byte {
				l := w.listAt(w.clock.now(), next)
				l.RawEntries = entries
				if point != nil {
					l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(point))
				}
				return encode(t, l)
			}
			checker := w.operated(t, revocation.List{File: file}, func(c *revocation.Config) { limit(c, len(entries)) })
			for _, next := range []struct {
				life  time.Duration
				point []byte
			}{{time.Hour, nil}, {5 * time.Hour, ocsptest.FullName(ocsptest.URI(rootsURL))}, {2 * day, ocsptest.Flag(1)}, {2 * day, ocsptest.Flag(1)}} {
				write(t, file, fat(now.Add(next.life), next.point))
				require.NoError(t, checker.Refresh(t.Context()))
				w.clock.advance(2 * time.Hour)
			}
			w.says(t, checker, w.issue(t, "client", unpointed), isGood, nil)
		})
	}
}

// finding K257: a list for some reasons only, served once where the CA's complete list belongs, was not fetched again before
// it was due for renewal, so that all clients were refused for up to six hours.
func TestChecker_AListForSomeReasonsIsSoonFetchedAgain(t *testing.T) {
	inBubble(t, "served once", func(t *testing.T) {
		w, week := wire(t), now.Add(7*day)
		checker := w.checker(t, crlOnly)
		w.net.serve(crlURL, body(w.scoped(t, 10, now.Add(-time.Hour), week, [][]byte{ocsptest.Reasons(ocsptest.Context(3), 1, 2)})))
		w.says(t, checker, w.client, isUnavailable, evidence.ErrCRLIncomplete)
		w.net.serve(crlURL, body(w.scoped(t, 9, now.Add(-time.Hour), week, nil)))
		w.clock.advance(2 * time.Minute)
		w.says(t, checker, w.client, isGood, nil)
	})
}
