package redisstore_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// What instances of one service do together: each has a client and a store of its own, and
// they share the server.

// instances returns the stores of n instances.
func instances(t testing.TB, s *server, n int) []*redisstore.Store {
	t.Helper()
	stores := make([]*redisstore.Store, n)
	for i := range stores {
		stores[i] = s.store(t)
	}
	return stores
}

// together runs f for each instance at the same moment and waits for all of them.
func together(stores []*redisstore.Store, f func(i int, s *redisstore.Store)) {
	start := make(chan struct{})
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			<-start
			f(i, s)
		})
	}
	close(start)
	group.Wait()
}

// Ten instances need evidence that none has, for a hundred keys. Who is granted the lease
// fetches and sets; when all are done, each finds what that one has set, and each key was
// fetched once.
func TestInstances_TenFetchOnce(t *testing.T) {
	server := startServer(t)
	stores := instances(t, server, 10)
	const keys = 100
	var fetches [keys]atomic.Int64
	together(stores, func(i int, s *redisstore.Store) {
		for k := range keys {
			key := fmt.Sprintf("key-%d", (k+i*keys/10)%keys)
			release, granted, err := s.Lease(t.Context(), key, time.Minute)
			if !assert.NoError(t, err) || !granted {
				continue
			}
			if _, ok, err := s.Get(t.Context(), key); assert.NoError(t, err) && !ok {
				fetches[(k+i*keys/10)%keys].Add(1)
				assert.NoError(t, s.Set(t.Context(), key, []byte("evidence of "+key), time.Hour))
			}
			release(t.Context())
		}
	})
	for k := range keys {
		assert.EqualValues(t, 1, fetches[k].Load(), "key-%d", k)
		for _, s := range stores {
			found(t, s, fmt.Sprintf("key-%d", k), fmt.Sprintf("evidence of key-%d", k))
		}
	}
}

// A lease that changes hands does so one at a time.
func TestInstances_OneHoldsTheLease(t *testing.T) {
	server := startServer(t)
	stores := instances(t, server, 10)
	control := server.client(t)
	for round := range 50 {
		var releases [10]func(context.Context)
		together(stores, func(i int, s *redisstore.Store) {
			release, granted, err := s.Lease(t.Context(), "key", time.Minute)
			assert.NoError(t, err)
			assert.Equal(t, granted, release != nil)
			releases[i] = release
		})
		winners := 0
		for _, release := range releases {
			if release == nil {
				continue
			}
			winners++
			if round%2 == 0 {
				release(t.Context())
			}
		}
		require.Equal(t, 1, winners, "round %d", round)
		advance(t, control, time.Minute)
	}
}

// Ten Checkers of ten instances start cold and are all asked about the same client at the
// same moment: the responder is asked once, the list is fetched once, and every instance
// has verified for itself what the others got.
func TestInstances_TenCheckersAskTheResponderOnce(t *testing.T) {
	server := startServer(t)
	root := certauthtest.NewCA(t, "Partner Root")
	for _, c := range []struct {
		name    string
		sources revocation.Sources
		serves  http.Handler
		at      func(urls ...string) certauthtest.Template
	}{
		{"OCSP", revocation.OCSPOnly, certauthtest.NewResponder(t, root), certauthtest.OCSPAt},
		{"CRL", revocation.CRLOnly, certauthtest.NewCRLServer(t, root), certauthtest.CRLAt},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int64
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				c.serves.ServeHTTP(w, r)
			}))
			defer site.Close()
			address := netip.MustParseAddrPort(site.Listener.Addr().String())
			leaf := root.Issue(t, "client", c.at(site.URL))
			together(instances(t, server, 10), func(_ int, s *redisstore.Store) {
				checker, err := revocation.New(revocation.Config{
					Sources: c.sources, Store: s, MaxWait: time.Minute,
					HTTP: revocation.HTTPOptions{
						AllowNets: []netip.Prefix{netip.PrefixFrom(address.Addr(), 32)}, AllowPorts: []int{int(address.Port())},
					},
				})
				if !assert.NoError(t, err) {
					return
				}
				defer func() { assert.NoError(t, checker.Close()) }()
				found, err := checker.CheckChain(t.Context(), []*x509.Certificate{leaf.Certificate, root.Certificate})
				assert.NoError(t, err)
				assert.Equal(t, certauth.RevocationGood, found.Status)
			})
			assert.Equal(t, int64(1), asked.Load(), "fetches by ten instances")
		})
	}
}
