package redisstore_test

import (
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// What instances of one service do concurrently: each has its own client and store, and they share
// the server.

// instances returns the stores of n instances.
func instances(t testing.TB, s *server, n int) []*redisstore.Store {
	t.Helper()
	stores := make([]*redisstore.Store, n)
	for i := range stores {
		stores[i] = s.store(t)
	}
	return stores
}

// together runs f for each instance concurrently and waits for all of them.
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

// Ten Checkers of ten instances start cold and are all asked about the same client at the same
// time: each asks once, none waits for another one, and an eleventh finds what they stored.
func TestInstances_TenCheckersAskOnceEach(t *testing.T) {
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
			ask := func(_ int, s *redisstore.Store) {
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
			}
			together(instances(t, server, 10), ask)
			before := asked.Load()
			t.Logf("%s: ten instances that started together fetched %d times", c.name, before)
			assert.LessOrEqual(t, before, int64(10), "fetches by ten instances")
			ask(0, server.store(t))
			assert.Equal(t, before, asked.Load(), "a fetch by the eleventh")
		})
	}
}
