package revocation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// Making room and storing a list were separate steps: several concurrent lists each found the room
// that the others were about to take.
func TestChecker_RoomIsMadeAndTakenInOneStep(t *testing.T) {
	der, issuer := aList(t)
	terms := VerifyOptions{Now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
	crl, err := evidence.ParseCRL(der, issuer, terms)
	require.NoError(t, err)
	c, err := New(Config{MaxListMemory: 3*crl.Size() + crl.Size()/2})
	require.NoError(t, err)
	held, refused := 0, 0
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 50 {
		all.Go(func() {
			p := &place{operated: true}
			err := c.lists.put(p, &loadedList{crl: crl, base: crl}, nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				held++
			} else {
				refused++
				assert.ErrorIs(t, err, ErrBudget)
			}
		})
	}
	all.Wait()
	assert.Equal(t, []int{3, 47}, []int{held, refused})
	lists, size, _ := c.lists.count()
	assert.Equal(t, []int{3, 3 * crl.Size()}, []int{lists, size})
}

func aList(t *testing.T) (der []byte, issuer *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: now, NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	issuer, err = x509.ParseCertificate(raw)
	require.NoError(t, err)
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now, NextUpdate: now.Add(time.Hour)}
	der, err = x509.CreateRevocationList(rand.Reader, list, issuer, key)
	require.NoError(t, err)
	return der, issuer
}

// finding K22: a wrong local clock was not reported as such. Two signers are not wrong in the same
// way.
func TestSignersAhead_SeveralMeanOurClock(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var ahead signersAhead
	assert.False(t, ahead.several("a:80", now))
	assert.False(t, ahead.several("a:80", now.Add(time.Minute)), "the same one")
	assert.True(t, ahead.several("b:80", now.Add(2*time.Minute)))
	assert.False(t, ahead.several("b:80", now.Add(time.Hour)), "long ago")
	assert.True(t, isFromTheFuture(evidence.ErrFuture))
	assert.True(t, isFromTheFuture(evidence.ErrProducedAt))
	assert.False(t, isFromTheFuture(ErrNotFresh))
}
