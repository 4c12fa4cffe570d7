package revocation_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

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

// finding K128: two lists with one number and one time must have the same entries (RFC 5280, section
// 5.2.3). If they have not, it was a matter of chance, anew at each reading, which of them counted.
func TestChecker_OfTwoListsOfOneEditionTheOneWithMoreEntriesCounts(t *testing.T) {
	inBubble(t, "in a directory", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "before.crl"), w.scoped(t, 1, now.Add(-time.Hour), now.Add(day), nil))
		write(t, filepath.Join(dir, "within.crl"), w.scoped(t, 1, now.Add(-time.Hour), now.Add(day), nil, entryFor(w.client)))
		write(t, filepath.Join(dir, "zz.crl"), w.scoped(t, 1, now.Add(-time.Hour), now.Add(day), nil))
		for range 12 {
			w.says(t, w.operated(t, revocation.List{Dir: dir}), w.client, isRevoked, nil)
		}
	})
}
