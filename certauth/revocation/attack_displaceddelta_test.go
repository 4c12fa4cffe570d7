package revocation_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K40: a delta among the operator's lists was forgotten when another one of the CA replaced it, although the other one
// does not continue the list: certificates that only the first had revoked were good again.
func TestAttack_ADeltaOfAnotherListDisplacesNone(t *testing.T) {
	for name, other := range map[string]func(w *wired) ocsptest.List{
		"of another shard": func(w *wired) ocsptest.List {
			l := w.numberedDelta(7, 9, now, now.Add(day))
			l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(shardB)))
			return l
		},
		"of a later list": func(w *wired) ocsptest.List { return w.numberedDelta(20, 21, now, now.Add(day)) },
	} {
		for _, inFile := range []bool{false, true} {
			t.Run(name+map[bool]string{true: ", in a file", false: ", at a URL"}[inFile], func(t *testing.T) {
				bubble.Test(t, func(t *testing.T) {
					w := wire(t)
					base, delta := filepath.Join(t.TempDir(), "base.crl"), filepath.Join(t.TempDir(), "delta.crl")
					list := w.numberedBase(7, now.Add(7*day))
					list.Extensions = list.Extensions[:2] // it names no delta
					write(t, base, encode(t, list))
					serve := func(l ocsptest.List) {
						w.net.serve(deltaURL, body(encode(t, l)))
						write(t, delta, encode(t, l))
					}
					serve(w.numberedDelta(7, 8, now, now.Add(day), entryFor(w.client)))
					at := revocation.List{URL: deltaURL}
					if inFile {
						at = revocation.List{File: delta}
					}
					checker := w.operated(t, at, func(c *revocation.Config) { c.Lists = append(c.Lists, revocation.List{File: base}) })
					require.NoError(t, checker.Preload(t.Context()))
					for range 3 {
						serve(other(w))
						require.NoError(t, checker.Refresh(t.Context()))
					}
					w.says(t, checker, w.client, isRevoked, nil)
					// A delta that continues the list replaces it, as before.
					serve(w.numberedDelta(7, 30, now, now.Add(day)))
					require.NoError(t, checker.Refresh(t.Context()))
					w.says(t, checker, w.issue(t, "another client"), isGood, nil)
				})
			})
		}
	}
}

// finding K162: a delta that had expired was replaced by an older one, which is valid for longer, and certificates
// that only the newer one revokes were good, unless they had been asked about before. For complete lists see K51.
func TestAttack_AnOlderDeltaClearsNothingThatAnExpiredOneRevokes(t *testing.T) {
	for name, elsewhere := range map[string]bool{"in its file": false, "in another file": true} {
		inBubble(t, name, func(t *testing.T) {
			w, dir := wire(t), t.TempDir()
			restored := w.issue(t, "restored")
			path := filepath.Join(dir, "delta.crl")
			write(t, filepath.Join(dir, "base.crl"), encode(t, w.numberedBase(10, now.Add(7*day))))
			write(t, path, encode(t, w.numberedDelta(10, 12, now.Add(-time.Minute), now.Add(time.Hour), entryFor(w.client))))
			checker := w.operated(t, revocation.List{Dir: dir})
			w.says(t, checker, w.issue(t, "another"), isGood, nil)
			older := w.numberedDelta(10, 11, now.Add(-2*time.Minute), now.Add(day), entryFor(restored))
			if elsewhere {
				path = filepath.Join(dir, "older.crl")
			}
			write(t, path, encode(t, older))
			for range 3 {
				w.clock.advance(time.Hour)
				_, _ = checker.CheckChain(t.Context(), w.chain(restored))
				synctest.Wait()
			}
			w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
			w.says(t, checker, restored, isRevoked, nil) // what only the older one revokes, as after a restored backup
			w.says(t, checker, w.issue(t, "a third"), isGood, nil)
			if !elsewhere {
				require.NoError(t, checker.Ready())
			}
			write(t, path, encode(t, w.numberedDelta(10, 13, now, now.Add(day), entryFor(w.client), entryFor(restored))))
			w.clock.advance(2 * time.Minute)
			_, _ = checker.CheckChain(t.Context(), w.chain(restored))
			synctest.Wait()
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}
