package revocation_test

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Everything concurrently, for the race detector: checks, a jumping clock, changing files and URLs,
// outages, a store, the sweep, Stats, Preload, and Close in the middle. A revoked certificate is
// never accepted, whatever else happens.
func TestChecker_Everything(t *testing.T) {
	w := wire(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca.crl"), encode(t, w.listAt(now.Add(-time.Hour), now.Add(20*day))))
	checker := w.checker(t, func(c *revocation.Config) {
		c.Lists, c.Issuers = []revocation.List{{Dir: dir}, {URL: crlURL}}, certs(w.ca, w.root)
		c.Store, c.MaxRecords, c.PollInterval = newShelf(), 64, time.Second
		c.MaxWait, c.StaleGrace = 50*time.Millisecond, time.Hour
		c.Observe = func(context.Context, revocation.Event) {}
	})
	var clients []*identity
	for range 100 {
		clients = append(clients, w.issue(t, "one of many"))
	}
	require.NoError(t, checker.Preload(t.Context()))
	older, newer := encode(t, w.listAt(now.Add(-time.Hour), now.Add(20*day))), encode(t, w.listAt(now, now.Add(20*day)))

	stop := make(chan struct{})
	var all sync.WaitGroup
	again := func(f func(i int)) {
		all.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					f(i)
				}
			}
		})
	}
	var checks atomic.Int64
	othersRun := func() {
		for until := checks.Load() + 30; checks.Load() < until; {
			runtime.Gosched()
		}
	}
	for n := range 8 {
		again(func(i int) {
			defer checks.Add(1)
			found, err := checker.CheckChain(t.Context(), w.chain(clients[(i*7+n)%len(clients)]))
			assert.Equal(t, err == nil, found.Status != isUnavailable)
		})
	}
	again(func(int) { // on every list
		found, _ := checker.CheckChain(t.Context(), w.chain(w.other))
		assert.NotEqual(t, isGood, found.Status)
		assert.NotEqual(t, isWaived, found.Status)
	})
	again(func(int) {
		_ = checker.Stats()
		_ = checker.Ready()
		_ = checker.Preload(t.Context())
	})
	steps := []time.Duration{time.Minute, 20 * time.Minute, 2 * time.Hour, -90 * time.Minute}
	for i := range 40 {
		w.clock.advance(steps[i%len(steps)])
		switch i % 5 {
		case 0:
			w.outage()
		case 1:
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusUnknown))
		case 2:
			w.net.serve(crlURL, body(newer))
			write(t, filepath.Join(dir, "ca.crl"), newer)
		case 3:
			write(t, filepath.Join(dir, "ca.crl"), []byte("rubbish"))
			w.net.serve(ocspURL, body([]byte("rubbish")))
		default:
			write(t, filepath.Join(dir, "ca.crl"), older)
			w.net.serve(crlURL, body(older))
		}
		othersRun()
	}
	require.NoError(t, checker.Close())
	othersRun()
	close(stop)
	all.Wait()
	assert.LessOrEqual(t, checker.Stats().Records, 64)
}
