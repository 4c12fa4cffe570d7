package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// busy is a store whose leases another instance holds.
type busy struct {
	mu   sync.Mutex
	der  map[string][]byte
	free bool
}

func (s *busy) Get(_ context.Context, key string) ([]byte, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	der, ok := s.der[key]
	return der, ok, nil
}

func (s *busy) Set(_ context.Context, key string, der []byte, _ time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.der[key] = der
	return nil
}

func (s *busy) Lease(context.Context, string, time.Duration) (func(context.Context), bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return func(context.Context) {}, s.free, nil
}

// Who waits for another instance to fetch keeps nobody of the same CA from the store.
func TestAttack_WhoWaitsForAnotherInstanceKeepsNobodyFromTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t)
		at := func(i int) *identity {
			return w.issue(t, "on a shard", noPoints, noResponder, func(c *x509.Certificate) {
				c.CRLDistributionPoints = []string{fmt.Sprintf("http://crl.partner.example/%d.crl", i)}
			})
		}
		s := &busy{der: map[string][]byte{}, free: true}
		stored := func(c *revocation.Config) { c.Store = s }
		ninth := at(9)
		w.net.serve("http://crl.partner.example/9.crl", body(encode(t, w.list())))
		w.says(t, w.checker(t, crlOnly, stored), ninth, isGood, nil)
		s.free = false // from now on others fetch
		checker := w.checker(t, crlOnly, stored)
		for i := range 8 {
			client := at(i)
			go func() { _, _ = checker.CheckChain(t.Context(), w.chain(client)) }()
		}
		synctest.Wait()
		began := time.Now()
		_, err := checker.CheckChain(t.Context(), w.chain(ninth))
		assert.NoError(t, err, "its list is in the store")
		assert.Less(t, time.Since(began), time.Second)
		require.NoError(t, checker.Close())
	})
}
