package revocation_test

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Anybody can certify another CA's name and public key without proof of the private key. A hostile
// partner does so, with a key usage or a key identifier with which that CA's evidence does not
// verify. One request with this certificate in the chain must not invalidate the evidence for all
// clients of the honest CA.
func TestAttack_CopyOfACACertificateSpoilsNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		copied change
		serve  func(*testing.T, *wired)
	}{
		{"a key usage without cRLSign", keyUsage(x509.KeyUsageCertSign), func(_ *testing.T, w *wired) {
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
		}},
		{"another key identifier, CRL", func(c *x509.Certificate) { c.SubjectKeyId = []byte("another") }, func(_ *testing.T, w *wired) {
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
		}},
		{"another key identifier, OCSP by a delegate", func(c *x509.Certificate) { c.SubjectKeyId = []byte("another") }, func(t *testing.T, w *wired) {
			w.net.serve(crlURL, failing(revocation.ErrTransport))
			delegate := w.delegate(t)
			w.net.serve(ocspURL, w.delegated(t, delegate))
		}},
	} {
		for _, when := range []string{"first", "later"} {
			t.Run(c.name+", "+when, func(t *testing.T) {
				w := wire(t)
				c.serve(t, w)
				hostile := makeCert(t, "Hostile Root", newKey(t), nil, asCA)
				copied := makeCert(t, "Clients CA", w.ca.key, hostile, asCA, c.copied)
				accomplice := w.issue(t, "accomplice")
				checker := w.checker(t, leafOnly)
				if when == "later" {
					found, err := w.check(t, checker)
					require.NoError(t, err)
					require.Equal(t, isGood, found.Status)
				}
				_, _ = checker.CheckChain(t.Context(), []*x509.Certificate{accomplice.cert, copied.cert, hostile.cert})
				for _, one := range []*identity{w.client, w.issue(t, "another client")} {
					w.clock.advance(40 * 1e9)
					found, err := checker.CheckChain(t.Context(), w.chain(one))
					require.NoError(t, err)
					assert.Equal(t, certauth.RevocationGood.String(), found.Status.String())
				}
			})
		}
	}
	t.Run("and a CA that may not sign CRLs by any of its certificates does not", func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.ca = makeCert(t, "Clients CA", w.ca.key, w.root, asCA, keyUsage(x509.KeyUsageCertSign))
		_, err := w.check(t, w.checker(t, leafOnly))
		require.ErrorIs(t, err, revocation.ErrCRLIssuer)
	})
}

// delegated returns the scene's responder with a delegate as the signer.
func (w *wired) delegated(t testing.TB, delegate *identity) handler {
	t.Helper()
	return w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) {
		r.Responder, r.Key, r.Certificates = ocsptest.ByName(delegate.cert.RawSubject), delegate.key, [][]byte{delegate.cert.Raw}
	})
}
