package revocation_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K74: a hold by OCSP that a newer list had lifted stood again when an older list was added to
// the operator's, because the two together counted as old as the older one.
func TestChecker_AnOlderListMakesNoNewerOneOlder(t *testing.T) {
	for name, older := range map[string]bool{"one list": false, "an older one as well": true} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			dir := t.TempDir()
			if older {
				write(t, filepath.Join(dir, "older.crl"), w.scoped(t, 1, now.Add(-6*day), now.Add(day), nil))
			}
			write(t, filepath.Join(dir, "newer.crl"), w.scoped(t, 2, now.Add(-time.Hour), now.Add(5*day), [][]byte{ocsptest.Flag(1)}))
			w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-3*day), onHold), now.Add(-2*day), now.Add(5*day)))
			checker := w.checker(t, leafOnly, func(c *revocation.Config) {
				c.Lists, c.Issuers = []revocation.List{{Dir: dir}}, certs(w.ca)
			})
			found := w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, now.Add(-time.Hour), found.ThisUpdate)
		})
	}
}

// The older list is renewed all the same.
func TestChecker_AListBesideANewerOneIsRenewed(t *testing.T) {
	inBubble(t, "at a distribution point", func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.rootList()))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(5*day)))))
		checker := w.checker(t, crlOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{File: path}}, certs(w.ca, w.root)
		})
		w.says(t, checker, w.client, isGood, nil)
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day))))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(time.Hour), now.Add(5*day), entryFor(w.client)))))
		w.clock.advance(7 * time.Hour)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// findings K128 and K133: two lists with one number and one time must have the same entries (RFC 5280,
// section 5.2.3). If they have not, it was a matter of chance, anew at each reading, which of them counted.
func TestChecker_TwoDifferentListsOfOneEditionBothCount(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w := wire(t)
		dir, first := t.TempDir(), w.issue(t, "first")
		for name, entries := range map[string][]ocsptest.Entry{
			"a.crl": nil, "b.crl": {entryFor(first)}, "c.crl": {entryFor(w.client)}, "copy.crl": {entryFor(w.client)}, "z.crl": nil,
		} {
			write(t, filepath.Join(dir, name), w.scoped(t, 1, now.Add(-time.Hour), now.Add(day), nil, entries...))
		}
		for range 12 {
			checker := w.operated(t, revocation.List{Dir: dir})
			require.NoError(t, checker.Preload(t.Context()))
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, first, isRevoked, nil)
		}
	})
}

// A copy is not another list, so a file that was renamed does not stay in memory under its earlier name.
// finding K155: which of the two replaced the other was a matter of chance, so that at times it stayed.
func TestChecker_TheListOfARenamedFileIsThereOnce(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		write(t, filepath.Join(dir, "a.crl"), w.scoped(t, 1, now.Add(-time.Hour), now.Add(day), nil))
		checker := w.operated(t, revocation.List{Dir: dir})
		w.says(t, checker, w.client, isGood, nil)
		require.NoError(t, os.Rename(filepath.Join(dir, "a.crl"), filepath.Join(dir, "b.crl")))
		w.clock.advance(2 * time.Minute)
		w.nudge(t, checker)
		w.says(t, checker, w.client, isGood, nil)
		assert.Equal(t, 1, checker.Stats().Lists)
	})
}

// finding K138: so it was for two deltas of one edition.
func TestChecker_TwoDifferentDeltasOfOneEditionBothCount(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w := wire(t)
		dir, first := t.TempDir(), w.issue(t, "first")
		write(t, filepath.Join(dir, "base.crl"), encode(t, w.numberedBase(10, now.Add(day))))
		for name, entries := range map[string][]ocsptest.Entry{"a.crl": nil, "b.crl": {entryFor(first)}, "c.crl": {entryFor(w.client)}, "z.crl": nil} {
			write(t, filepath.Join(dir, name), encode(t, w.numberedDelta(10, 11, now.Add(-time.Hour), now.Add(day), entries...)))
		}
		for range 12 {
			checker := w.operated(t, revocation.List{Dir: dir})
			require.NoError(t, checker.Preload(t.Context()))
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, first, isRevoked, nil)
		}
	})
}
