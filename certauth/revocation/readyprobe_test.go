package revocation_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K109: only a request started a reading of Config.Lists, and a readiness probe lets no request
// through while Ready returns an error. So a service whose list had expired in a quiet night was never
// ready again, although a newer list had been published, and neither was one that did not call Preload.
func TestChecker_ReadyRecoversWithoutARequest(t *testing.T) {
	probe := func(t *testing.T, c *revocation.Checker) error {
		t.Helper()
		err := c.Ready()
		synctest.Wait()
		return err
	}
	path := filepath.Join(t.TempDir(), "ca.crl")
	for name, list := range map[string]revocation.List{"at a URL": {URL: crlURL}, "in a file": {File: path}} {
		publish := func(t *testing.T, w *wired) {
			t.Helper()
			der := encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day)))
			write(t, path, der)
			w.net.serve(crlURL, body(der))
		}
		inBubble(t, name+", after a night without requests", func(t *testing.T) {
			w := wire(t)
			publish(t, w)
			checker := w.operated(t, list)
			require.NoError(t, checker.Preload(t.Context()))
			require.NoError(t, probe(t, checker))
			w.clock.advance(25 * time.Hour)
			publish(t, w)
			require.ErrorIs(t, probe(t, checker), revocation.ErrNotFresh, "it does not wait")
			require.NoError(t, probe(t, checker))
		})
		inBubble(t, name+", without Preload", func(t *testing.T) {
			w := wire(t)
			publish(t, w)
			checker := w.operated(t, list)
			require.ErrorIs(t, probe(t, checker), revocation.ErrNotReady)
			require.NoError(t, probe(t, checker))
		})
	}
	inBubble(t, "probes alone keep a list current", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(day)))))
		checker := w.operated(t, revocation.List{URL: crlURL})
		require.NoError(t, checker.Preload(t.Context()))
		for range 3 * 24 * 6 {
			w.clock.advance(10 * time.Minute)
			w.net.serve(crlURL, body(encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day)))))
			require.NoError(t, probe(t, checker))
		}
		require.Less(t, w.net.count(crlURL), 20, "no more often than requests would")
	})
}
