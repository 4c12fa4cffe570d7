package revocation_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// both clocks: the Checker's, and the bubble's, which its timers follow.
func (w *wired) sleep(d time.Duration) {
	w.clock.advance(d)
	time.Sleep(d) //nolint:forbidigo // inside a bubble
	synctest.Wait()
}

// Config.Sweep refreshes without traffic what was used within the hour, and nothing else.
func TestChecker_Sweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly, func(c *revocation.Config) { c.Sweep = 5 * time.Minute })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now, 1), now, now.Add(day)))
		for range 10 {
			w.sleep(5 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
		}
		require.Equal(t, 1, w.net.total(), "not due")
		for range 4 { // no traffic
			w.sleep(5 * time.Minute)
		}
		require.Equal(t, 2, w.net.total())
		w.says(t, checker, w.client, isRevoked, nil)
		assert.Equal(t, 2, w.net.total(), "nobody had to ask")
	})
	synctest.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly, func(c *revocation.Config) { c.Sweep = 5 * time.Minute })
		w.says(t, checker, w.client, isGood, nil)
		for range 200 {
			w.sleep(5 * time.Minute)
		}
		assert.LessOrEqual(t, w.net.total(), 2, "who does not come any more is not refreshed")
	})
	synctest.Test(t, func(t *testing.T) { // and the operator's files
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
		checker := w.operated(t, revocation.List{File: path}, func(c *revocation.Config) { c.Sweep = time.Minute })
		w.says(t, checker, w.client, isGood, nil)
		write(t, path, encode(t, w.listAt(now, now.Add(day), entryFor(w.client))))
		w.sleep(2 * time.Minute)
		w.says(t, checker, w.client, isRevoked, nil)
	})
}

// Section 11: four refreshes of one partner at once, 256 wait, more are dropped; the requests are
// answered all the same, and what was dropped is refreshed when it is asked for again.
func TestChecker_DropsRefreshesThatAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		const all = 300
		var clients []*identity
		for i := range all {
			client := w.issue(t, "one of many", at1(fmt.Sprintf("http://h%d.example", i)))
			w.net.serve(client.cert.OCSPServer[0], w.responder(t, ocsptest.StatusGood))
			w.says(t, checker, client, isGood, nil)
			clients = append(clients, client)
		}
		gate := make(chan struct{})
		for i := range all {
			w.net.serve(fmt.Sprintf("http://h%d.example", i), gated(gate, w.responder(t, ocsptest.StatusGood)))
		}
		asked := w.net.total()
		w.clock.advance(62 * time.Minute)
		began := time.Now()
		for _, client := range clients {
			w.says(t, checker, client, isGood, nil)
		}
		assert.Zero(t, time.Since(began))
		assert.Equal(t, asked+4, w.net.total(), "at once")
		close(gate)
		synctest.Wait()
		assert.Equal(t, asked+256, w.net.total(), "the queue")
		assert.Equal(t, uint64(256), checker.Stats().Refreshes)
		for _, client := range clients {
			w.says(t, checker, client, isGood, nil)
		}
		assert.Equal(t, asked+all, w.net.total(), "and then the rest")
	})
}

// Hundreds of refreshes that hang must not keep a new client waiting.
func TestChecker_NewClientsDoNotQueueBehindRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		var clients []*identity
		for i := range 50 {
			client := w.issue(t, "one of many", at1(fmt.Sprintf("http://h%d.example", i)))
			w.net.serve(client.cert.OCSPServer[0], w.responder(t, ocsptest.StatusGood))
			w.says(t, checker, client, isGood, nil)
			w.net.serve(client.cert.OCSPServer[0], hanging)
			clients = append(clients, client)
		}
		w.clock.advance(62 * time.Minute)
		for _, client := range clients {
			w.says(t, checker, client, isGood, nil)
		}
		began := time.Now()
		w.says(t, checker, w.client, isGood, nil)
		assert.Zero(t, time.Since(began))

		// One of those in the queue runs out and comes again: it is not stuck behind the others.
		last := clients[len(clients)-1]
		w.net.serve(last.cert.OCSPServer[0], w.responder(t, ocsptest.StatusGood))
		w.clock.advance(22 * time.Hour)
		w.says(t, checker, last, isGood, nil)
		assert.Zero(t, time.Since(began))
	})
}
