package revocation_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K115: the contents of a deleted file count until they expire, but those of a list without
// nextUpdate ended with the bound for CA certificates, also for clients, whose own bound is longer.
func TestChecker_ADeletedListWithoutNextUpdateEndsByTheAgeForClients(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		clients, cas := filepath.Join(dir, "clients.crl"), filepath.Join(dir, "cas.crl")
		list := w.list()
		list.NextUpdate = nil
		write(t, clients, encode(t, list))
		ask := func(checker *revocation.Checker, want error) {
			t.Helper()
			next := w.rootList()
			next.ThisUpdate, next.NextUpdate = ocsptest.UTCAt(w.clock.now()), ocsptest.UTCAt(w.clock.now().Add(day))
			write(t, cas, encode(t, next))
			w.nudge(t, checker)
			_, err := w.check(t, checker)
			require.ErrorIs(t, err, want)
		}
		checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) {
			c.Scope, c.Issuers, c.Verify.AllowNoNextUpdate = revocation.ChainExceptAnchor, certs(w.ca, w.root), true
			c.Verify.MaxAge, c.Verify.MaxAgeCA = 10*day, day
		})
		ask(checker, nil)
		require.NoError(t, os.Remove(clients))
		for range 9 {
			w.clock.advance(day)
			ask(checker, nil)
		}
		w.clock.advance(2 * day)
		ask(checker, revocation.ErrNoSource)
	})
}

// A list that is too old for clients still counts for CAs.
func TestChecker_ADeletedListCountsForCAsUntilItIsTooOldForThem(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, dir := wire(t), t.TempDir()
		list := w.rootList()
		list.NextUpdate = ocsptest.UTCAt(now.Add(50 * day))
		write(t, filepath.Join(dir, "cas.crl"), encode(t, list))
		checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) {
			c.Scope, c.Issuers = revocation.ChainExceptAnchor, certs(w.ca, w.root)
		})
		w.nudge(t, checker)
		require.NoError(t, os.Remove(filepath.Join(dir, "cas.crl")))
		for n := range 6 {
			w.clock.advance(10 * day)
			w.nudge(t, checker)
			all, _ := checker.Check(t.Context(), w.chain(w.client))
			assert.Equal(t, n < 5, all.Certificates[1].Result.Status == revocation.Good, n)
		}
	})
}
