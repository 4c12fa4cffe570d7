package certauthtest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestCA_IssuesWhatVerifies(t *testing.T) {
	root := certauthtest.NewCA(t, "root")
	issuing := root.NewIntermediate(t, "issuing")
	for name, leaf := range map[string]*certauthtest.Certificate{"of the root": root.Issue(t, "client"), "of the intermediate": issuing.Issue(t, "client")} {
		t.Run(name, func(t *testing.T) {
			options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
			options.Roots.AddCert(root.Certificate)
			options.Intermediates.AddCert(issuing.Certificate)
			_, err := leaf.Verify(options)
			assert.NoError(t, err)
			assert.False(t, leaf.IsCA)
			assert.Equal(t, 3, leaf.Version)
			assert.Equal(t, "client", leaf.Subject.CommonName)
			assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, leaf.ExtKeyUsage)
			assert.WithinDuration(t, time.Now().Add(-time.Hour), leaf.NotBefore, time.Minute)
			assert.WithinDuration(t, time.Now().AddDate(1, 0, 0), leaf.NotAfter, time.Minute)
		})
	}
	for _, ca := range []*certauthtest.CA{root, issuing} {
		assert.True(t, ca.Certificate.IsCA)
		assert.WithinDuration(t, time.Now().AddDate(-1, 0, 0), ca.Certificate.NotBefore, time.Minute)
		assert.WithinDuration(t, time.Now().AddDate(10, 0, 0), ca.Certificate.NotAfter, time.Minute)
	}
	require.NoError(t, root.Certificate.CheckSignatureFrom(root.Certificate))
	assert.Error(t, issuing.Certificate.CheckSignatureFrom(issuing.Certificate))
}

func TestCA_SelfSignedVouchesForItself(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	assert.NoError(t, leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature))
	assert.Equal(t, leaf.RawSubject, leaf.RawIssuer)
	assert.False(t, leaf.IsCA)
}

// Two calls have nothing in common but what they were told.
func TestCA_KeysAndSerialsAreFresh(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	a, b := ca.Issue(t, "client"), ca.Issue(t, "client")
	assert.NotEqual(t, a.SerialNumber, b.SerialNumber)
	assert.Equal(t, 1, a.SerialNumber.Sign())
	assert.NotEqual(t, a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
	renewed := ca.IssueFor(t, a.Key, "client")
	assert.Equal(t, a.RawSubjectPublicKeyInfo, renewed.RawSubjectPublicKeyInfo)
	assert.NotEqual(t, a.Raw, renewed.Raw)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	assert.Equal(t, x509.RSA, ca.IssueFor(t, key, "client").PublicKeyAlgorithm)
}

// A CA that is made again under its name has another key; a cross-signed certificate leads
// from the old root to what the new key signs.
func TestCA_ChangesItsKey(t *testing.T) {
	old := certauthtest.NewCA(t, "root")
	renewed := certauthtest.NewCA(t, "root")
	assert.Equal(t, old.Certificate.RawSubject, renewed.Certificate.RawSubject)
	assert.NotEqual(t, old.Certificate.RawSubjectPublicKeyInfo, renewed.Certificate.RawSubjectPublicKeyInfo)
	leaf := renewed.Issue(t, "client")
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	options.Roots.AddCert(old.Certificate)
	_, err := leaf.Verify(options)
	require.Error(t, err)
	cross := old.CrossSign(t, renewed)
	assert.Equal(t, renewed.Certificate.RawSubjectPublicKeyInfo, cross.RawSubjectPublicKeyInfo)
	options.Intermediates.AddCert(cross)
	_, err = leaf.Verify(options)
	assert.NoError(t, err)
}

// A template of one's own reaches every field.
func TestTemplate_OfOnesOwnConstrainsACA(t *testing.T) {
	root := certauthtest.NewCA(t, "root")
	issuing := root.NewIntermediate(t, "issuing", func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"partner.example"}, true
		c.MaxPathLenZero = true
	})
	assert.Equal(t, []string{"partner.example"}, issuing.Certificate.PermittedDNSDomains)
	assert.True(t, issuing.Certificate.MaxPathLenZero)
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	options.Roots.AddCert(root.Certificate)
	options.Intermediates.AddCert(issuing.Certificate)
	for name, permitted := range map[string]bool{"orders.partner.example": true, "orders.other.example": false} {
		_, err := issuing.Issue(t, "client", certauthtest.DNS(name)).Verify(options)
		assert.Equal(t, permitted, err == nil, "%s: %v", name, err)
	}
}

func TestTemplate_SaysWhatItSays(t *testing.T) {
	from := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	leaf := certauthtest.NewCA(t, "root").Issue(t, "ignored", certauthtest.DNS("a.example", "b.example"), certauthtest.URI(t, "spiffe://a/b"), certauthtest.Email("a@b.example"), certauthtest.IP("10.1.2.3", "fd00::1"),
		certauthtest.Subject(pkix.Name{CommonName: "c", Organization: []string{"o"}}), certauthtest.Valid(from, from.Add(time.Hour)), certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauthtest.AsCA(),
		certauthtest.OCSPAt("http://ocsp.example/a", "http://ocsp.example/b"), certauthtest.CRLAt("http://crl.example/a", "http://crl.example/b"))
	assert.Equal(t, []string{"a.example", "b.example"}, leaf.DNSNames)
	require.Len(t, leaf.URIs, 1)
	assert.Equal(t, "spiffe://a/b", leaf.URIs[0].String())
	assert.Equal(t, []string{"a@b.example"}, leaf.EmailAddresses)
	assert.Equal(t, "[10.1.2.3 fd00::1]", fmt.Sprint(leaf.IPAddresses))
	assert.Equal(t, "CN=c,O=o", leaf.Subject.String())
	assert.Equal(t, from, leaf.NotBefore)
	assert.Equal(t, from.Add(time.Hour), leaf.NotAfter)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, leaf.ExtKeyUsage)
	assert.True(t, leaf.IsCA)
	assert.Equal(t, []string{"http://ocsp.example/a", "http://ocsp.example/b"}, leaf.OCSPServer)
	assert.Equal(t, []string{"http://crl.example/a", "http://crl.example/b"}, leaf.CRLDistributionPoints)
	assert.Empty(t, certauthtest.SelfSigned(t, "client", certauthtest.Usage()).ExtKeyUsage)
}

func TestCertificate_Encodings(t *testing.T) {
	ca := certauthtest.NewCA(t, "root")
	leaf := ca.Issue(t, "client")
	der, err := base64.StdEncoding.Strict().DecodeString(leaf.Base64())
	require.NoError(t, err)
	assert.Equal(t, leaf.Raw, der)
	for want, text := range map[string][]byte{string(leaf.Raw): leaf.PEM(), string(ca.Certificate.Raw): ca.PEM()} {
		block, rest := pem.Decode(text)
		require.NotNil(t, block)
		assert.Equal(t, "CERTIFICATE", block.Type)
		assert.Equal(t, want, string(block.Bytes))
		assert.Empty(t, rest)
	}
	block, _ := pem.Decode(leaf.KeyPEM(t))
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	assert.Equal(t, leaf.Key, key)
	pair := leaf.TLS(ca)
	assert.Equal(t, [][]byte{leaf.Raw, ca.Certificate.Raw}, pair.Certificate)
}

// What cannot be made ends the test that asked for it.
func TestTB_IsToldOfMistakes(t *testing.T) {
	for name, mistake := range map[string]func(tb certauthtest.TB){
		"a URI that is none":        func(tb certauthtest.TB) { certauthtest.URI(tb, "://") },
		"an address that is none":   func(tb certauthtest.TB) { certauthtest.SelfSigned(tb, "a", certauthtest.IP("nonsense")) },
		"a backend that is no URL":  func(tb certauthtest.TB) { certauthtest.NewAppService(tb, "://") },
		"a DNS name that is a text": func(tb certauthtest.TB) { certauthtest.SelfSigned(tb, "a", certauthtest.DNS("ä")) },
	} {
		t.Run(name, func(t *testing.T) {
			assert.PanicsWithValue(t, failed{}, func() { mistake(fakeTB{}) })
		})
	}
}

type failed struct{}

// fakeTB is a testing.TB that panics instead of ending a test.
type fakeTB struct{}

func (fakeTB) Helper()               {}
func (fakeTB) Fatalf(string, ...any) { panic(failed{}) }
func (fakeTB) Cleanup(func())        {}
