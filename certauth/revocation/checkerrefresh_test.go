package revocation_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Section 11: four concurrent refreshes per partner, 256 waiting, and more are dropped. The
// requests are still answered, and a dropped refresh is made with the next request.
func TestChecker_DropsRefreshesThatAreTooMany(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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

// Hundreds of hanging refreshes must not delay a new client.
func TestChecker_NewClientsDoNotQueueBehindRefreshes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
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

		// One of those in the queue expires and is requested again: it does not wait behind the
		// others.
		last := clients[len(clients)-1]
		w.net.serve(last.cert.OCSPServer[0], w.responder(t, ocsptest.StatusGood))
		w.clock.advance(22 * time.Hour)
		w.says(t, checker, last, isGood, nil)
		assert.Zero(t, time.Since(began))
	})
}
