package certauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// CVE-2024-24783, CVE-2025-58188, CVE-2026-27138 crypto/x509: panics in Verify. Keys that no parser
// makes represent the next such bug.
func TestLimits_VerifierPanicBecomesADenial(t *testing.T) {
	w := newWorld(t)
	broken := func(change func(*x509.Certificate)) *x509.Certificate {
		odd := *w.leaf.Certificate
		change(&odd)
		return &odd
	}
	withSource := func(f func(*http.Request) ([]*x509.Certificate, error)) error {
		auth, err := certauth.New(certauth.Config{Source: certauth.SourceFunc{Name: "test", Func: f}, Policy: w.chain()})
		require.NoError(t, err)
		id, err := auth.Check(request())
		require.Nil(t, id)
		return err
	}
	for name, cert := range map[string]*x509.Certificate{
		"an RSA key without a modulus":           broken(func(c *x509.Certificate) { c.PublicKey = &rsa.PublicKey{} }),
		"an ECDSA key without a curve":           broken(func(c *x509.Certificate) { c.PublicKey = &ecdsa.PublicKey{} }),
		"an ECDSA key that is nil":               broken(func(c *x509.Certificate) { c.PublicKey = (*ecdsa.PublicKey)(nil) }),
		"a negative modulus of the right length": broken(func(c *x509.Certificate) { c.PublicKey = &rsa.PublicKey{N: new(big.Int).Neg(oddNumber(2048)), E: -1} }),
	} {
		_, err := judge(t, w.chain(), cert)
		assert.Contains(t, []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonCertificateMalformed}, reasonOf(err), "%s: %v", name, err)
	}
	err := withSource(func(*http.Request) ([]*x509.Certificate, error) { panic("decoder") })
	assert.Equal(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)
	assert.ErrorIs(t, err, certauth.ReasonInternalError)
	_, err = judge(t, w.behind(panics()), w.leaf.Certificate)
	assert.Equal(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)

	t.Run("in the background too", func(t *testing.T) {
		calls := 0
		source := certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
			if calls++; calls > 1 {
				panic("vault")
			}
			return []*x509.Certificate{w.ca.Certificate}, nil
		})
		auth := authOf(t, certauth.Chain{Roots: source}, time.Time{}, w.leaf.Certificate)
		assert.ErrorContains(t, auth.Reload(t.Context()), "Policy.Chain.Roots: panic: vault")
		_, err := auth.Check(request())
		assert.NoError(t, err, "the last good roots stay")
	})
}
