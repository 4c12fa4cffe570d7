package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Promise 6: the number of goroutines is bounded whatever arrives. A CA whose CRL host hangs issues
// any number of certificates; each leaves a flight that outlives its request by up to two minutes.
func TestAttack_FlightsWithoutWaitersAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, hanging)
		checker := w.checker(t, crlOnly)
		before := runtime.NumGoroutine()
		for range 6000 {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = checker.CheckChain(ctx, w.chain(w.issue(t, "one more")))
		}
		synctest.Wait()
		left := runtime.NumGoroutine() - before
		require.NoError(t, checker.Close())
		assert.Less(t, left, 5000)
	})
}

// There are sixteen places for all hosts: four slow names of one hostile CA would take them all,
// and no other CA would be asked for as long as it likes.
func TestAttack_SlowHostsOfOneCALeaveRoomForOthers(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood))
		slow := func(ctx context.Context, _ revocation.Request) (revocation.Response, error) {
			select {
			case <-time.After(29 * time.Second): // just within the deadline of a CRL
			case <-ctx.Done():
			}
			return revocation.Response{Body: []byte("not a list")}, nil // answers, so that no breaker opens
		}
		w.net.serve("http://crl.hostile.example", slow)
		for i := range 8 {
			w.net.serve(fmt.Sprintf("http://crl%d.hostile.example", i), slow)
		}
		checker := w.checker(t, leafOnly)
		var all sync.WaitGroup
		for i := range 64 {
			client := hostile.client(t, func(c *x509.Certificate) {
				c.OCSPServer, c.CRLDistributionPoints = nil, []string{fmt.Sprintf("http://crl%d.hostile.example/%d", i%8, i)}
			})
			all.Go(func() { _, _ = hostile.check(t, checker, client) })
		}
		synctest.Wait()
		found, err := honest.check(t, checker, honest.client(t))
		assert.NoError(t, err)
		assert.Equal(t, isGood.String(), found.Status.String())
		require.NoError(t, checker.Close())
		all.Wait()
	})
}

// Each partner gets eight places, and none of those of another partner.
func TestAttack_EightFetchesForEachPartner(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		gate := make(chan struct{})
		var inside, most atomic.Int64
		checker := w.checker(t, leafOnly)
		var all sync.WaitGroup
		for n := range 4 {
			p := w.partner(t, fmt.Sprintf("partner%d", n))
			answers := gated(gate, p.answers(t, ocsptest.StatusGood))
			w.net.serve(p.url(), func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
				most.Store(max(most.Load(), inside.Add(1)))
				defer inside.Add(-1)
				return answers(ctx, r)
			})
			for i := range 10 {
				client := p.client(t, at1(fmt.Sprintf("%s:%d/x", p.url(), 80+363*(i%2))))
				all.Go(func() {
					_, err := p.check(t, checker, client)
					assert.NoError(t, err)
				})
			}
		}
		synctest.Wait()
		assert.Equal(t, int64(4*8), inside.Load())
		close(gate)
		all.Wait()
		assert.Equal(t, int64(4*8), most.Load())
	})
}
