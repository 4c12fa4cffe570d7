package revocation_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// scoped returns a list of the scene's CA with a number and an issuing distribution point with
// these fields, or without one.
func (w *wired) scoped(t testing.TB, number int64, thisUpdate, nextUpdate time.Time, fields [][]byte, entries ...ocsptest.Entry) []byte {
	t.Helper()
	l := w.listAt(thisUpdate, nextUpdate, entries...)
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(w.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number)}
	if fields != nil {
		l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(fields...))
	}
	return encode(t, l)
}

// goesOn makes requests of another client every three hours.
func (w *wired) goesOn(t *testing.T, checker *revocation.Checker, about *identity, times int) {
	t.Helper()
	for range times {
		w.clock.advance(3 * time.Hour)
		_, _ = checker.CheckChain(t.Context(), w.chain(about))
		synctest.Wait()
	}
}

// One validly signed list of another scope, served once, must not block the right one until it
// expires.
func TestAttack_ListOfAnotherScopeBlocksNone(t *testing.T) {
	const here, there = "http://crl.partner.example/a.crl", "http://crl.partner.example/b.crl"
	before, after := now.Add(-time.Hour), now.Add(7*day)
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		inBubble(t, "another shard, "+name, func(t *testing.T) {
			w := wire(t)
			client := w.issue(t, "on a", noPoints, point(uri(here)))
			w.net.serve(here, body(w.scoped(t, 9, before, after, [][]byte{uri(there)})))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Mode = mode })
			_, _ = checker.CheckChain(t.Context(), w.chain(client))
			synctest.Wait()
			w.net.serve(here, body(w.scoped(t, 9, before, after, [][]byte{uri(here)}, entryFor(client))))
			w.goesOn(t, checker, client, 1)
			w.says(t, checker, client, isRevoked, nil)
		})
	}
	inBubble(t, "the list of CA certificates", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(w.scoped(t, 9, before, after, [][]byte{ocsptest.Flag(2)})))
		checker := w.checker(t, crlOnly)
		_, _ = w.check(t, checker)
		synctest.Wait()
		w.net.serve(crlURL, body(w.scoped(t, 9, before, after, nil)))
		w.goesOn(t, checker, w.client, 1)
		w.says(t, checker, w.client, isGood, nil)
	})
	inBubble(t, "case 72 in the store", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "on a", noPoints, point(uri(here)))
		w.net.serve(here, body(w.scoped(t, 9, before, after, [][]byte{uri(here)})))
		store := newShelf()
		w.says(t, w.checker(t, crlOnly, stored(store)), client, isGood, nil)
		store.all(w.scoped(t, 9, before, after, [][]byte{uri(there)}))
		w.says(t, w.checker(t, crlOnly, stored(store)), client, isGood, nil)
	})
	inBubble(t, "case 77 a name of the second point is no other scope", func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "two points", noPoints, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(here)), ocsptest.Point(uri(there)))))
		w.net.serve(here, body(w.scoped(t, 9, before, after, [][]byte{uri(there)})))
		w.says(t, w.checker(t, crlOnly), client, isGood, nil)
		assert.Equal(t, 1, w.net.total())
	})
	inBubble(t, "a list of tomorrow", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(3*day), now.Add(10*day)))))
		checker := w.checker(t, crlOnly)
		_, _ = w.check(t, checker)
		synctest.Wait()
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(3*day)))))
		w.goesOn(t, checker, w.client, 1)
		w.says(t, checker, w.client, isGood, nil)
	})
}

// If a CA begins to name its issuing distribution point, or an operator puts a list of another
// scope into the file, this takes effect at once.
func TestAttack_ScopeOfTheListChanges(t *testing.T) {
	before, after := now.Add(-time.Hour), now.Add(7*day)
	inBubble(t, "at its URL", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(w.scoped(t, 9, before, after, nil)))
		checker := w.checker(t, crlOnly)
		first := w.issue(t, "first")
		w.says(t, checker, first, isGood, nil)
		w.net.serve(crlURL, body(w.scoped(t, 10, now, after, [][]byte{uri(crlURL)}, entryFor(w.client))))
		w.goesOn(t, checker, first, 4)
		w.says(t, checker, w.client, isRevoked, nil)
	})
	inBubble(t, "in a file", func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, w.scoped(t, 9, before, after, nil))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		write(t, path, w.scoped(t, 10, now, after, [][]byte{ocsptest.Flag(1)}, entryFor(w.client)))
		w.clock.advance(time.Hour)
		require.NoError(t, checker.Preload(t.Context()))
		w.says(t, checker, w.client, isRevoked, nil)
		w.says(t, checker, w.issue(t, "honest"), isGood, nil)
	})
	inBubble(t, "in a file, and what the list before it revokes stays revoked until that runs out", func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, w.scoped(t, 9, before, after, nil, entryFor(w.client)))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		for i := range 5 { // back and forth
			write(t, path, w.scoped(t, int64(10+i), now.Add(time.Duration(i)*time.Minute), after, [][]byte{uri(shardA), uri(shardB)}[i%2:i%2+1]))
			w.clock.advance(time.Hour)
			require.NoError(t, checker.Preload(t.Context()))
		}
		w.says(t, checker, w.client, isRevoked, nil)
		w.says(t, checker, w.issue(t, "honest"), isGood, nil)
		assert.LessOrEqual(t, checker.Stats().Lists, 3, "one of each scope")
		w.clock.advance(8 * day)
		require.NoError(t, checker.Preload(t.Context()))
		_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "late")))
		require.Error(t, err)
	})
}

// A list with tomorrow's date does not displace that of today.
func TestAttack_ListOfTomorrowInTheDirectory(t *testing.T) {
	for name, mode := range map[string]revocation.Mode{"HardFail": revocation.HardFail, "SoftFail": revocation.SoftFail} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			dir, honest := t.TempDir(), w.issue(t, "honest")
			write(t, filepath.Join(dir, "today.crl"), encode(t, w.listAt(now.Add(-time.Hour), now.Add(2*day), entryFor(w.client))))
			write(t, filepath.Join(dir, "tomorrow.crl"), encode(t, w.listAt(now.Add(day), now.Add(4*day), entryFor(w.client), entryFor(honest))))
			checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Mode = mode })
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, honest, isGood, nil)
			w.clock.advance(25 * time.Hour)
			w.says(t, checker, honest, isRevoked, nil)
		})
	}
}

// Of two sources with the same list, the one that also has its delta counts.
func TestAttack_SourceWithoutTheDeltaHidesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		base int64
	}{{"the same list", 10}, {"a newer list, older than the delta", 11}} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "a.crl")
			write(t, path, encode(t, w.numberedBase(10, now.Add(7*day))))
			delta := body(encode(t, w.numberedDelta(10, 12, now, now.Add(day), entryFor(w.client))))
			w.net.serve(deltaURL, inTurn(delta, failing(revocation.ErrTransport)))
			w.net.serve(crlURL, body(encode(t, w.numberedBase(c.base, now.Add(7*day)))))
			checker := w.checker(t, leafOnly, sources(revocation.CRLOnly), func(config *revocation.Config) {
				config.Lists, config.Issuers = []revocation.List{{File: path}, {URL: crlURL}}, certs(w.ca)
			})
			require.NoError(t, checker.Preload(t.Context()))
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, w.issue(t, "honest"), isGood, nil)
		})
	}
}

// An old delta that is served again does not hide that today's delta is missing.
func TestAttack_ReplayedDeltaIsMissing(t *testing.T) {
	for name, over := range map[string]bool{"run out": true, "of today": false} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			end := now.Add(day)
			if over {
				end = now.Add(-2 * day)
			}
			w.net.serve(crlURL, body(encode(t, w.numberedBase(10, now.Add(7*day)))))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(8, 9, now.Add(-3*day), end))))
			assert.Equal(t, over, w.findingOf(t, w.checker(t, crlOnly), w.client).DeltaMissing)
		})
	}
}

// One list of a CA that has changed its key covers the certificates of both keys.
func TestChecker_OneListForBothKeysOfACA(t *testing.T) {
	inBubble(t, "in a file", func(t *testing.T) {
		w := wire(t)
		renewed := makeCert(t, "Clients CA", newKey(t), w.root, asCA)
		other := makeCert(t, "Clients CA", newKey(t), w.root, asCA)
		l := w.listAt(now, now.Add(day))
		l.Key = renewed.key
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(renewed.cert.SubjectKeyId), ocsptest.CRLNumber(9)}
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, l))
		checker := w.operated(t, revocation.List{File: path}, func(c *revocation.Config) {
			c.Issuers, c.Verify.CRLIssuers = certs(w.ca, renewed), certs(renewed)
		})
		for _, c := range []struct {
			by   *identity
			want string
		}{{w.ca, isGood.String()}, {renewed, isGood.String()}, {other, isUnavailable.String()}} {
			client := makeCert(t, "client", newKey(t), c.by, asClient)
			found, _ := checker.CheckChain(t.Context(), certs(client, c.by, w.root))
			assert.Equal(t, c.want, found.Status.String())
		}
	})
}
