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
