package revocation_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// The documentation of List: a list of a third scope is refused while the first one, which the second has replaced,
// takes more than a quarter of MaxListBytes.
func TestLists_OfAThirdScopeIsRefusedWhileTheFirstCounts(t *testing.T) {
	for name, c := range map[string]struct {
		most int
		want error
	}{"more than a quarter": {4 * 2000, revocation.ErrBudget}, "less than a quarter": {4 * 5000, nil}} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			checker := w.operated(t, revocation.List{File: path}, func(config *revocation.Config) { config.MaxListBytes = c.most })
			scopes := [][][]byte{nil, {ocsptest.Flag(1)}, {ocsptest.Flag(2)}}
			read := func(n int64) error {
				write(t, path, w.scoped(t, 7+n, now.Add(time.Duration(n-9)*time.Minute), now.Add(time.Duration(n+1)*time.Hour), scopes[n]))
				w.clock.advance(time.Minute)
				return checker.Preload(t.Context())
			}
			require.NoError(t, read(0))
			require.NoError(t, read(1))
			require.ErrorIs(t, read(2), c.want)
			w.says(t, checker, w.client, isGood, nil) // by the second list in either case
			w.clock.advance(time.Hour + skew)         // the first has expired
			_ = checker.Preload(t.Context())          // forgets it
			require.NoError(t, checker.Preload(t.Context()))
		})
	}
}

// Rule C9 applies to a delta in a file as well.
func TestLists_AnOlderDeltaReplacesNoNewerOne(t *testing.T) {
	inBubble(t, "in its file", func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		write(t, filepath.Join(dir, "0.crl"), encode(t, w.numberedBase(10, now.Add(day))))
		write(t, filepath.Join(dir, "delta.crl"), encode(t, w.numberedDelta(10, 12, now.Add(-time.Hour), now.Add(day), entryFor(w.client))))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.NoError(t, checker.Preload(t.Context()))
		write(t, filepath.Join(dir, "delta.crl"), encode(t, w.numberedDelta(10, 11, now.Add(-90*time.Minute), now.Add(day))))
		w.clock.advance(time.Minute)
		require.ErrorIs(t, checker.Preload(t.Context()), evidence.ErrRollback)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// The delta of the list before counts with the next list that it continues, until that list's own is there.
func TestLists_TheNextListKeepsTheDelta(t *testing.T) {
	for name, list := range map[string]func(*testing.T, []byte) (revocation.List, func(*wired, []byte)){
		"at a URL": func(*testing.T, []byte) (revocation.List, func(*wired, []byte)) {
			return revocation.List{URL: configuredURL}, func(w *wired, der []byte) { w.net.serve(configuredURL, soon(der)) }
		},
		"in a file": func(t *testing.T, first []byte) (revocation.List, func(*wired, []byte)) {
			path := fileOf(t, first)
			return revocation.List{File: path}, func(_ *wired, der []byte) { write(t, path, der) }
		},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			base := func(number int64) []byte { return encode(t, w.numberedBase(number, now.Add(day))) }
			from, publish := list(t, base(10))
			publish(w, base(10))
			w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 13, now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
			checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.Lists, c.Issuers = []revocation.List{from}, certs(w.ca) })
			require.NoError(t, checker.Preload(t.Context()))
			w.net.serve(deltaURL, failing(revocation.ErrTransport))
			publish(w, base(11))
			w.clock.advance(2 * time.Minute)
			_ = checker.Preload(t.Context())
			found := w.findingOf(t, checker, w.client)
			assert.Equal(t, revocation.Revoked, found.Status)
		})
	}
}
