package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A request that waits for a place of its own CA waits in no other CA's queue.
func TestAttack_QueueOfOneCAIsNotThatOfOthers(t *testing.T) {
	for _, at := range []string{"hosts of its own", "the host of the other"} {
		inBubble(t, at, func(t *testing.T) {
			w := wire(t)
			hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
			w.net.serve("http://", hanging)
			gate := make(chan struct{})
			w.net.serve(honest.url(), gated(gate, honest.answers(t, ocsptest.StatusGood)))
			checker := w.checker(t, leafOnly)
			var all sync.WaitGroup
			ask := func(url string) {
				client := hostile.client(t, at1(url))
				all.Go(func() { _, _ = hostile.check(t, checker, client) })
			}
			for i := range 8 {
				ask(fmt.Sprintf("http://slow%d.hostile.example/", i%2))
			}
			synctest.Wait()
			if at == "the host of the other" {
				for i := range 64 {
					ask(fmt.Sprintf("%s/%d", honest.url(), i))
				}
			} else {
				for i := range 8 * 64 {
					ask(fmt.Sprintf("http://more%d.hostile.example/", i%8))
				}
			}
			synctest.Wait()
			refused := 0
			var mu sync.Mutex
			for range 12 { // four at once, eight in the queue
				client := honest.client(t)
				all.Go(func() {
					_, err := honest.check(t, checker, client)
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						refused++
					}
				})
			}
			synctest.Wait()
			close(gate)
			synctest.Wait()
			mu.Lock()
			assert.Zero(t, refused, "of 12 clients of the honest partner")
			mu.Unlock()
			require.NoError(t, checker.Close())
			all.Wait()
		})
	}
}

// A request without a place to fetch does not hold the only probe of a host that has recovered.
func TestAttack_ProbeIsNotHeldWhileWaitingForAPlace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		w.net.serve("http://", hanging)
		w.net.serve(honest.url(), failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly)
		for i := range 5 { // a short outage
			_, err := honest.check(t, checker, honest.client(t, at1(fmt.Sprintf("%s/%d", honest.url(), i))))
			require.Error(t, err)
		}
		require.NotEmpty(t, checker.Stats().OpenBreakers)
		w.net.serve(honest.url(), honest.answers(t, ocsptest.StatusGood)) // which is over
		var all sync.WaitGroup
		ask := func(url string) {
			client := hostile.client(t, at1(url))
			all.Go(func() { _, _ = hostile.check(t, checker, client) })
		}
		for i := range 8 {
			ask(fmt.Sprintf("http://slow%d.hostile.example/", i%2))
		}
		synctest.Wait()
		w.clock.advance(6 * time.Minute)
		ask(honest.url() + "/x")
		synctest.Wait()
		_, err := honest.check(t, checker, honest.client(t))
		require.NoError(t, err)
		require.NoError(t, checker.Close())
		all.Wait()
	})
}

// A fetch that our own deadline ends is not a failure of the host: a CA could let its flights wait
// until theirs is about to end, and then ask the host of another CA.
func TestAttack_OurOwnDeadlineOpensNoBreaker(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		answer := honest.answers(t, ocsptest.StatusGood)
		w.net.serve(honest.url(), func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
			select { // a healthy responder, 50 ms away
			case <-time.After(50 * time.Millisecond):
				return answer(ctx, r)
			case <-ctx.Done(): // as HTTPFetcher reports it
				return revocation.Response{}, fmt.Errorf("%w: %w", revocation.ErrTimeout, ctx.Err())
			}
		})
		w.net.serve("http://crl", func(context.Context, revocation.Request) (revocation.Response, error) {
			time.Sleep(29990 * time.Millisecond) //nolint:forbidigo // within the bubble and CRLTimeout
			return revocation.Response{Body: []byte("not a list")}, nil
		})
		checker := w.checker(t, leafOnly)
		ask := func(ocsp, crl []string) {
			one := hostile.client(t, func(c *x509.Certificate) { c.OCSPServer, c.CRLDistributionPoints = ocsp, crl })
			_, _ = hostile.check(t, checker, one)
		}
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() { ask(nil, []string{fmt.Sprintf("http://crl%d.hostile.example/%d", i%2, i)}) })
		}
		synctest.Wait()
		for i := range 8 {
			all.Go(func() { ask([]string{fmt.Sprintf("%s/%d", honest.url(), i)}, nil) })
		}
		all.Wait()
		time.Sleep(115 * time.Second) //nolint:forbidigo // within the bubble
		synctest.Wait()
		assert.Empty(t, checker.Stats().OpenBreakers)
		_, err := honest.check(t, checker, honest.client(t))
		assert.NoError(t, err)
		require.NoError(t, checker.Close())
	})
}

// Lists that wait for their delta are in memory, so their number at one time is bounded.
func TestAttack_ListsThatWaitForTheirDeltaAreBounded(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const size = 1 << 20
		l := w.listAt(now.Add(-time.Hour), now.Add(5*day))
		l.RawEntries = manyEntries(size/37, 20)
		l.Extensions = append(l.Extensions, freshest("http://delta.hostile.example/d.crl"))
		der := encode(t, l)
		w.net.serve("http://delta.hostile.example/", hanging)
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory, c.MaxListBytes = 4<<20, 4<<20 })
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		gate := make(chan struct{})
		for h := range 4 {
			w.net.serve(fmt.Sprintf("http://crl%d.hostile.example/", h), gated(gate, func(context.Context, revocation.Request) (revocation.Response, error) {
				return revocation.Response{Body: append([]byte(nil), der...)}, nil
			}))
		}
		before := heap()
		for i := range 4 * 60 {
			client := w.issue(t, "one", func(c *x509.Certificate) {
				c.OCSPServer, c.CRLDistributionPoints = nil, []string{fmt.Sprintf("http://crl%d.hostile.example/%d", i%4, i)}
			})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = checker.CheckChain(ctx, w.chain(client))
		}
		synctest.Wait()
		close(gate)
		synctest.Wait()
		assert.Less(t, heap()-before, int64(40<<20))
		require.NoError(t, checker.Close())
	})
}
