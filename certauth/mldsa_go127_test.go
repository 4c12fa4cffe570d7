//go:build go1.27

package certauth_test

import (
	"crypto"
	"crypto/mldsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// newMLDSA makes a key that the parent certifies; without a parent it is self-signed.
func newMLDSA(t *testing.T, name string, ca bool, parent *x509.Certificate, by crypto.Signer) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := mldsa.GenerateKey(mldsa.MLDSA65())
	require.NoError(t, err)
	return certifyKey(t, name, ca, key.Public(), parent, key, by), key
}

func certifyKey(t *testing.T, name string, ca bool, public crypto.PublicKey, parent *x509.Certificate, own, by crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, IsCA: ca,
	}
	if ca {
		template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	} else {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}
	if parent == nil {
		parent, by = template, own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// Chains may mix kinds: a CA that changes to ML-DSA keeps its existing customers.
func TestMLDSA_ChainsOfSeveralKinds(t *testing.T) {
	old := certauthtest.NewCA(t, "Old Root")
	oldClient := certauthtest.SelfSigned(t, "client")
	root, rootKey := newMLDSA(t, "New Root", true, nil, nil)
	other, otherKey := newMLDSA(t, "New Root", true, nil, nil) // of the same name
	issuing, issuingKey := newMLDSA(t, "Issuing", true, root, rootKey)
	leaf, _ := newMLDSA(t, "client", false, issuing, issuingKey)
	forged, _ := newMLDSA(t, "client", false, other, otherKey)
	classic := certifyKey(t, "classic", false, oldClient.PublicKey, issuing, oldClient.Key, issuingKey)
	key, err := mldsa.GenerateKey(mldsa.MLDSA44())
	require.NoError(t, err)
	underOld := old.IssueFor(t, key, "client")

	for _, tc := range []struct {
		name   string
		leaf   *x509.Certificate
		policy certauth.Policy
		want   certauth.Reason
	}{
		{"a chain of three", leaf, certauth.Chain{Roots: certauth.Certificates(root), Intermediates: certauth.Certificates(issuing)}, certauth.ReasonNone},
		{"a P-256 leaf below it", classic, certauth.Chain{Roots: certauth.Certificates(root), Intermediates: certauth.Certificates(issuing)}, certauth.ReasonNone},
		{"a leaf below a P-256 root", underOld.Certificate, certauth.Chain{Roots: certsOf(old)}, certauth.ReasonNone},
		{"signed by another key of the CA's name", forged, certauth.Chain{Roots: certauth.Certificates(root)}, certauth.ReasonChainUntrusted},
		{"only ML-DSA is allowed", underOld.Certificate, certauth.All{certauth.Chain{Roots: certsOf(old)}, certauth.Keys{Algorithms: []x509.PublicKeyAlgorithm{x509.MLDSA}}}, certauth.ReasonNone},
		{"only ECDSA is allowed", underOld.Certificate, certauth.All{certauth.Chain{Roots: certsOf(old)}, certauth.Keys{Algorithms: []x509.PublicKeyAlgorithm{x509.ECDSA}}}, certauth.ReasonKeyNotAllowed},
		{"the key is denied", leaf, certauth.All{certauth.Chain{Roots: certauth.Certificates(root), Intermediates: certauth.Certificates(issuing)}, certauth.Denied{PublicKeys: []string{spkiPin(leaf)}}}, certauth.ReasonCertificateDenied},
		{"the CA's key is denied", leaf, certauth.All{certauth.Chain{Roots: certauth.Certificates(root), Intermediates: certauth.Certificates(issuing)}, certauth.Denied{PublicKeys: []string{spkiPin(issuing)}}}, certauth.ReasonCertificateDenied},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := must(t, certauth.Config{
				Source: certauth.SourceFunc{Name: "s", Func: func(*http.Request) ([]*x509.Certificate, error) {
					return []*x509.Certificate{tc.leaf}, nil
				}},
				Policy: tc.policy,
			})
			_, err := auth.Check(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
			if tc.want == certauth.ReasonNone {
				require.NoError(t, err)
				return
			}
			assert.Equal(t, tc.want, refusalOf(t, err).Reason)
		})
	}
}

// Over this process's own TLS: crypto/tls supports ML-DSA in TLS 1.3.
func TestMLDSA_OverTLS(t *testing.T) {
	root, rootKey := newMLDSA(t, "Root", true, nil, nil)
	leaf, key := newMLDSA(t, "client", false, root, rootKey)
	auth := must(t, certauth.Config{Source: certauth.TLS{}, Policy: certauth.Chain{Roots: certauth.Certificates(root)}})
	server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		_, _ = io.WriteString(w, id.Leaf.Subject.CommonName)
	})))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS13}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	client := server.Client()
	transport, ok := client.Transport.(*http.Transport)
	require.True(t, ok)
	transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, "client", string(body))
}

// A delegate of an ML-DSA CA may have any accepted key, and vice versa.
func TestMLDSA_OCSPDelegates(t *testing.T) {
	root, rootKey := newMLDSA(t, "Root", true, nil, nil)
	client := certauthtest.SelfSigned(t, "client")
	leaf := certifyKey(t, "client", false, client.PublicKey, root, client.Key, rootKey)
	classic := certauthtest.SelfSigned(t, "delegate")
	pq, err := mldsa.GenerateKey(mldsa.MLDSA87())
	require.NoError(t, err)
	now := time.Now().Truncate(time.Second)
	for _, tc := range []struct {
		name      string
		key       crypto.Signer
		algorithm ocsptest.Algorithm
	}{
		{"a delegate with P-256", classic.Key, ocsptest.ECDSA(crypto.SHA256)},
		{"a delegate with ML-DSA-87", pq, ocsptest.Algorithm{Identifier: ocsptest.Identifier(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 3, 19}, nil)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			template := &x509.Certificate{
				SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "OCSP"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
				KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
			}
			der, err := x509.CreateCertificate(rand.Reader, template, root, tc.key.Public(), rootKey)
			require.NoError(t, err)
			delegate, err := x509.ParseCertificate(der)
			require.NoError(t, err)
			response, err := ocsptest.Response{
				Responder: ocsptest.ByName(delegate.RawSubject), ProducedAt: ocsptest.At(now), Key: tc.key, Algorithm: tc.algorithm,
				Certificates: [][]byte{delegate.Raw},
				Answers: []ocsptest.Answer{{
					ID: ocsptest.IDOf(crypto.SHA256, root, leaf.SerialNumber), Status: ocsptest.StatusGood,
					ThisUpdate: ocsptest.At(now), NextUpdate: ocsptest.At(now.Add(time.Hour)),
				}},
			}.Encode()
			require.NoError(t, err)
			result, err := revocation.VerifyOCSP(response, leaf, root, revocation.VerifyOptions{Now: now})
			require.NoError(t, err)
			assert.Equal(t, revocation.Good, result.Status)
		})
	}
}

// The application's own certificate may also use ML-DSA.
func TestMLDSA_Outbound(t *testing.T) {
	root, rootKey := newMLDSA(t, "Root", true, nil, nil)
	leaf, key := newMLDSA(t, "own", false, root, rootKey)
	own := certauthtest.Certificate{Certificate: leaf, Key: key}
	path := filepath.Join(t.TempDir(), "own.pem")
	require.NoError(t, os.WriteFile(path, append(own.PEM(), own.KeyPEM(t)...), 0o600))
	loaded, err := outbound.Open(t.Context(), outbound.Config{Source: outbound.File{Path: path}})
	require.NoError(t, err)
	assert.Equal(t, own.Thumbprint(), loaded.Status().Fingerprint)
	require.NoError(t, loaded.Close())
}
