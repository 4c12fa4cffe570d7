package revocation_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// Unloading a list to make room forgets its entries, but not its age: an older edition that has not
// expired must not replace it.
func TestAttack_OlderListAfterUnloadingIsARollback(t *testing.T) {
	const otherURL = "http://crl.partner.example/other.crl"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		old := encode(t, w.listAt(now.Add(-3*time.Hour), now.Add(5*day)))
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day), entryFor(w.client)))))
		w.net.serve(otherURL, body(w.fat(t, 80<<10, 7)))
		first, second := w.issue(t, "first"), w.issue(t, "second")
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory = 84 << 10 })
		w.says(t, checker, first, isGood, nil)
		w.clock.advance(2 * time.Hour) // unused, so it is unloaded
		w.says(t, checker, w.issue(t, "elsewhere", noPoints, point(uri(otherURL))), isGood, nil)
		require.Equal(t, uint64(1), checker.Stats().ListsUnloaded)
		w.net.serve(crlURL, body(old))
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, second, isUnavailable, evidence.ErrRollback)
		found, _ := w.check(t, checker)
		assert.NotEqual(t, isGood.String(), found.Status.String())
	})
}

// A list that is not yet valid displaces no valid one.
func TestAttack_ListOfTheFutureDisplacesNone(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day), entryFor(w.other)))))
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(3*day), now.Add(9*day)))))
		w.clock.advance(7 * time.Hour)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.other, isRevoked, nil)
	})
	inBubble(t, "and is taken when its time has come", func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(5*day))))
		checker := w.operated(t, revocation.List{File: path})
		w.says(t, checker, w.client, isGood, nil)
		write(t, path, encode(t, w.listAt(now.Add(day), now.Add(9*day), entryFor(w.client))))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(day)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// Ready reports every list that was requested, even before it was first read.
func TestAttack_ReadyWaitsForWhatPreloadAdds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.list()))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, checker.Ready())
		gate := make(chan struct{})
		w.net.serve(crlURL, gated(gate, body(encode(t, w.list()))))
		done := make(chan error)
		go func() { done <- checker.Preload(t.Context(), crlURL) }()
		synctest.Wait()
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		close(gate)
		require.NoError(t, <-done)
		require.NoError(t, checker.Ready())
	})
}
