package revocation_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// ask judges a certificate by a policy at the time of the scene, as a request does.
func (w *wired) ask(t *testing.T, policy certauth.Policy, presented ...*identity) (*certauth.Identity, certauth.Reason) {
	t.Helper()
	source := certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return certs(presented...), nil }}
	auth, err := certauth.New(certauth.Config{Source: source, Policy: policy, Now: w.clock.now})
	require.NoError(t, err)
	id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil).WithContext(t.Context()))
	var refused *certauth.Error
	if errors.As(err, &refused) {
		require.Nil(t, id)
		return nil, refused.Reason
	}
	require.NoError(t, err)
	return id, certauth.ReasonNone
}

func (w *wired) behindChain(c *revocation.Checker, before ...certauth.Policy) certauth.Policy {
	chain := certauth.Chain{Roots: certauth.Certificates(w.root.cert), Intermediates: certauth.Certificates(w.ca.cert)}
	return append(append(certauth.All{chain}, before...), certauth.NotRevoked{Checker: c})
}

// Case 97; Netflix/lemur #5485 and cfssl: URLs in certificates were fetched without verification.
func TestRevocation_UnverifiedCertificateOpensNoSocket(t *testing.T) {
	pointing := func(c *x509.Certificate) {
		c.OCSPServer, c.CRLDistributionPoints = []string{"http://169.254.169.254/ocsp"}, []string{"http://localhost/ca.crl"}
		c.IssuingCertificateURL = []string{"http://localhost:22/ca.cer"}
	}
	sum := sha256.Sum256([]byte("nobody"))
	for _, c := range []struct {
		name   string
		client func(*testing.T, *wired) []*identity
		before certauth.Policy
		want   certauth.Reason
	}{
		{"case 97 of an unknown CA", func(t *testing.T, _ *wired) []*identity {
			root := makeCert(t, "Stranger", newKey(t), nil, asCA)
			return []*identity{makeCert(t, "client", newKey(t), root, asClient, pointing)}
		}, nil, certauth.ReasonChainUntrusted},
		{"case 97 of an unknown CA that comes along", func(t *testing.T, _ *wired) []*identity {
			root := makeCert(t, "Stranger", newKey(t), nil, asCA, pointing)
			below := makeCert(t, "below", newKey(t), root, asCA, pointing)
			return []*identity{makeCert(t, "client", newKey(t), below, asClient, pointing), below, root}
		}, nil, certauth.ReasonChainUntrusted},
		{"case 97 of our CA's name and another key", func(t *testing.T, w *wired) []*identity {
			fake := makeCert(t, "Clients CA", newKey(t), nil, asCA, func(c *x509.Certificate) { c.SubjectKeyId = w.ca.cert.SubjectKeyId })
			return []*identity{makeCert(t, "client", newKey(t), fake, asClient, pointing), fake}
		}, nil, certauth.ReasonChainUntrusted},
		{"case 97 signed by itself", func(t *testing.T, _ *wired) []*identity {
			return []*identity{makeCert(t, "client", newKey(t), nil, asClient, pointing)}
		}, nil, certauth.ReasonChainUntrusted},
		{"case 97 issued by a client", func(t *testing.T, w *wired) []*identity {
			return []*identity{makeCert(t, "client", newKey(t), w.client, asClient, pointing), w.client}
		}, nil, certauth.ReasonChainUntrusted},
		{"case 97 run out", func(t *testing.T, w *wired) []*identity {
			return []*identity{w.issue(t, "client", pointing, valid(now.Add(-20*day), now.Add(-10*day)))}
		}, nil, certauth.ReasonCertificateExpired},
		{"case 97 for servers", func(t *testing.T, w *wired) []*identity {
			return []*identity{w.issue(t, "client", pointing, usages(x509.ExtKeyUsageServerAuth))}
		}, nil, ""},
		{"case 97 a pin before that is another's", func(t *testing.T, w *wired) []*identity {
			return []*identity{w.issue(t, "client", pointing)}
		}, certauth.Thumbprints{hex.EncodeToString(sum[:])}, certauth.ReasonPinMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			for _, mode := range []revocation.Mode{revocation.HardFail, revocation.SoftFail} {
				checker := w.checker(t, func(config *revocation.Config) { config.Mode = mode })
				policy := w.behindChain(checker)
				if c.before != nil {
					policy = w.behindChain(checker, c.before)
				}
				_, why := w.ask(t, policy, c.client(t, w)...)
				require.NotEqual(t, certauth.ReasonNone, why)
				if c.want != "" {
					assert.Equal(t, c.want, why)
				}
				assert.Zero(t, w.net.total())
				assert.Zero(t, checker.Stats().Records)
			}
		})
	}
	t.Run("and one that verifies does", func(t *testing.T) {
		w := wire(t)
		id, why := w.ask(t, w.behindChain(w.checker(t)), w.client)
		require.Equal(t, certauth.ReasonNone, why)
		assert.Equal(t, certauth.RevocationGood, id.Revocation.Status)
		for _, r := range w.net.requests() {
			assert.NotContains(t, r.URL, ".cer", "issuers are never fetched")
		}
		assert.Equal(t, 2, w.net.total())
	})
}

// The Checker's verdicts as the policy reports them.
func TestChecker_InAPolicy(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(*testing.T, *wired)
		want  certauth.Reason
	}{
		{"good", func(*testing.T, *wired) {}, certauth.ReasonNone},
		{"revoked", func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1))) }, certauth.ReasonCertificateRevoked},
		{"unknown", func(t *testing.T, w *wired) {
			w.outage()
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusUnknown))
		}, certauth.ReasonRevocationUnknown},
		{"nobody answers", func(_ *testing.T, w *wired) { w.outage() }, certauth.ReasonRevocationUnavailable},
		{"case 95 the CA is revoked", func(t *testing.T, w *wired) { w.net.serve(rootsURL, body(encode(t, w.rootList(entryFor(w.ca))))) }, certauth.ReasonCertificateRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			c.serve(t, w)
			_, why := w.ask(t, w.behindChain(w.checker(t)), w.client)
			assert.Equal(t, c.want, why)
		})
	}
}

// Case 96: two verified chains. The one with a revoked intermediate does not count, and the other
// one decides; a revoked leaf is denied whatever its chain.
func TestChecker_SeveralChains(t *testing.T) {
	const otherRoots = "http://crl.partner.example/other-root.crl"
	for _, c := range []struct {
		name         string
		first, other bool // is the intermediate revoked by this root
		leaf         bool
		want         certauth.Reason
	}{
		{"case 96 none revoked", false, false, false, certauth.ReasonNone},
		{"case 96 revoked in one chain", true, false, false, certauth.ReasonNone},
		{"case 96 revoked in the other chain", false, true, false, certauth.ReasonNone},
		{"case 96 revoked in both", true, true, false, certauth.ReasonCertificateRevoked},
		{"case 96 the leaf is revoked", false, false, true, certauth.ReasonCertificateRevoked},
		{"case 96 the leaf and one intermediate", true, false, true, certauth.ReasonCertificateRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			second := makeCert(t, "Other Root", newKey(t), nil, asCA)
			crossed := makeCert(t, "Clients CA", w.ca.key, second, asCA, func(cert *x509.Certificate) {
				cert.CRLDistributionPoints, cert.SubjectKeyId = []string{otherRoots}, w.ca.cert.SubjectKeyId
			})
			listOf := func(root, ca *identity, revoked bool) []byte {
				l := w.rootList()
				l.Issuer, l.Key = root.cert.RawSubject, root.key
				l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(root.cert.SubjectKeyId), ocsptest.CRLNumber(1)}
				if revoked {
					l.Entries = []ocsptest.Entry{entryFor(ca)}
				}
				return encode(t, l)
			}
			w.net.serve(rootsURL, body(listOf(w.root, w.ca, c.first)))
			w.net.serve(otherRoots, body(listOf(second, crossed, c.other)))
			if c.leaf {
				w.net.serve(ocspURL, w.responder(t, revokedAt(now, 1)))
			}
			policy := certauth.All{
				certauth.Chain{Roots: certauth.Certificates(w.root.cert, second.cert), Intermediates: certauth.Certificates(w.ca.cert, crossed.cert)},
				certauth.NotRevoked{Checker: w.checker(t)},
			}
			for range 2 {
				id, why := w.ask(t, policy, w.client)
				require.Equal(t, c.want, why)
				if id != nil {
					assert.Equal(t, !c.first && !c.other, len(id.Chains) == 2, "the chain with the revoked CA is excluded")
				}
			}
		})
	}
}

// A request that ends stops waiting; the policy denies, and the next request gets the result.
func TestChecker_RequestThatEnds(t *testing.T) {
	w := wire(t)
	gate := make(chan struct{})
	w.net.serve(ocspURL, gated(gate, w.responder(t, ocsptest.StatusGood)))
	policy := w.behindChain(w.checker(t, ocspOnly, func(c *revocation.Config) { c.MaxWait = 10 * time.Millisecond }))
	_, why := w.ask(t, policy, w.client)
	require.Equal(t, certauth.ReasonRevocationUnavailable, why)
	close(gate)
	require.Eventually(t, func() bool {
		_, why := w.ask(t, policy, w.client)
		return why == certauth.ReasonNone
	}, 10*time.Second, time.Millisecond)
}
