package revocation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// certmonitor #127: a cached answer skipped the binding to the issuer. What is stored about one
// certificate says nothing about another one with the same serial number.
func TestCache_RevocationEntryIsBoundToItsIssuer(t *testing.T) {
	for _, c := range []struct {
		name   string
		issuer func(*testing.T, *wired) *identity
	}{
		{"the same name, another key", func(t *testing.T, w *wired) *identity { return makeCert(t, "Clients CA", newKey(t), w.root, asCA) }},
		{"the same key, another name", func(t *testing.T, w *wired) *identity { return makeCert(t, "Clients CA 2", w.ca.key, w.root, asCA) }},
		{"another name and key", func(t *testing.T, w *wired) *identity { return makeCert(t, "Another CA", newKey(t), w.root, asCA) }},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			for _, source := range []func(*revocation.Config){ocspOnly, crlOnly} {
				for _, status := range []string{"good", "revoked"} {
					w := wire(t)
					if status == "revoked" {
						w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
						w.net.serve(crlURL, body(encode(t, w.list(entryFor(w.client)))))
					}
					checker := w.checker(t, source)
					first, err := w.check(t, checker)
					require.NoError(t, err)
					require.Equal(t, status, first.Status.String())

					sibling := &wired{scene: &scene{root: w.root, ca: c.issuer(t, w)}, net: w.net, clock: w.clock}
					sibling.client = sibling.issue(t, "client", func(cert *x509.Certificate) { cert.SerialNumber = w.client.cert.SerialNumber })
					asked := w.net.total()
					found, err := sibling.check(t, checker)
					require.Error(t, err, "the answer and the list are about a certificate of the first CA")
					assert.Equal(t, isUnavailable, found.Status)
					assert.Greater(t, w.net.total(), asked, "it was asked for again")
					again, err := w.check(t, checker)
					require.NoError(t, err)
					assert.Equal(t, first.Status, again.Status, "the first must be unaffected")
				}
			}
		})
	}
	t.Run("a renewed certificate of the same CA is the same CA", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		renewed := makeCert(t, "Clients CA", w.ca.key, w.root, asCA, func(c *x509.Certificate) { c.SubjectKeyId = w.ca.cert.SubjectKeyId })
		_, err = checker.CheckChain(t.Context(), []*x509.Certificate{w.client.cert, renewed.cert, w.root.cert})
		require.NoError(t, err)
		assert.Equal(t, 1, w.net.total())
	})
	t.Run("another certificate of the same CA and serial number", func(t *testing.T) { // which no CA should issue
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		twin := w.issue(t, "twin", func(c *x509.Certificate) { c.SerialNumber = w.client.cert.SerialNumber })
		_, err = checker.CheckChain(t.Context(), w.chain(twin))
		require.NoError(t, err)
		assert.Equal(t, 2, w.net.total())
	})
}

// rewritten returns the certificate with its ECDSA signature (r, s) as (r, n-s), which anybody can
// compute and which also verifies.
func rewritten(t testing.TB, of *identity) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	_, err := asn1.Unmarshal(of.cert.Raw, &outer)
	require.NoError(t, err)
	var signature struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(outer.Signature.Bytes, &signature)
	require.NoError(t, err)
	signature.S.Sub(elliptic.P256().Params().N, signature.S)
	der, err := asn1.Marshal(signature)
	require.NoError(t, err)
	outer.Signature = asn1.BitString{Bytes: der, BitLength: 8 * len(der)}
	der, err = asn1.Marshal(outer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NoError(t, cert.CheckSignatureFrom(of.issuer.cert), "a genuine signature")
	require.NotEqual(t, of.cert.Raw, cert.Raw)
	require.IsType(t, &ecdsa.PublicKey{}, of.issuer.cert.PublicKey)
	return cert
}

// A revoked certificate is still revoked with its signature in another form.
func TestCache_RewrittenSignatureIsTheSameCertificate(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.client, isRevoked, nil)
		w.outage()
		asked := w.net.total()
		copied := rewritten(t, w.client)
		found, err := checker.CheckChain(t.Context(), []*x509.Certificate{copied, w.ca.cert, w.root.cert})
		require.NoError(t, err)
		assert.Equal(t, isRevoked, found.Status)
		assert.Equal(t, asked, w.net.total(), "from memory")
		assert.Equal(t, 1, checker.Stats().Records)
	})
}

// Case 69: memory is bounded, a forgotten result is fetched again and answered correctly, and
// revocations are forgotten last.
func TestChecker_BoundsWhatIsRemembered(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const most, revoked, all = 160, 8, 600
		gone := map[string]bool{}
		w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(r revocation.Request, response *ocsptest.Response) {
			if gone[parseRequest(t, r).SerialNumber.String()] {
				response.Answers[0].Status = revokedAt(now, 1)
			}
		}))
		checker := w.checker(t, ocspOnly, func(c *revocation.Config) { c.MaxRecords = most })
		var bad []*identity
		for range revoked {
			client := w.issue(t, "revoked")
			gone[client.cert.SerialNumber.String()] = true
			w.says(t, checker, client, isRevoked, nil)
			bad = append(bad, client)
		}
		var good []*identity
		for range all {
			client := w.issue(t, "good")
			w.says(t, checker, client, isGood, nil)
			good = append(good, client)
			require.LessOrEqual(t, checker.Stats().Records, most)
			w.clock.advance(time.Second)
		}
		asked := w.net.total()
		for _, client := range bad {
			w.says(t, checker, client, isRevoked, nil)
		}
		assert.LessOrEqual(t, w.net.total()-asked, revoked/2, "revocations are kept")
		for _, client := range good {
			w.says(t, checker, client, isGood, nil)
		}
	})
	bubble.Test(t, func(t *testing.T) { // nothing but revocations
		w := wire(t)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
		checker := w.checker(t, ocspOnly, func(c *revocation.Config) { c.MaxRecords = 32 })
		for range 200 {
			w.says(t, checker, w.issue(t, "revoked"), isRevoked, nil)
			require.LessOrEqual(t, checker.Stats().Records, 32)
		}
	})
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly, func(c *revocation.Config) { c.MaxRecords = 4 })
		for range 60 {
			w.says(t, checker, w.issue(t, "one of few"), isGood, nil)
		}
		assert.LessOrEqual(t, checker.Stats().Records, 4)
	})
}
