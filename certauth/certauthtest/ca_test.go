package certauthtest_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
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

// Two calls share nothing except their arguments.
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

// A CA that is made again under the same name has another key; a cross-signed certificate connects
// the old root with certificates signed by the new key.
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

// A function literal as a template can change every field.
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

// Tests can create a certificate for every rule of a policy on leaves: for each rule, one that it
// accepts and one that it refuses.
func TestTemplate_EveryRuleHasItsLeaf(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing", certauthtest.Policies(t, "2.5.29.32.0"))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	known := issuing.Issue(t, "known")
	name := pkix.Name{CommonName: "orders", Organization: []string{"Partner"}, OrganizationalUnit: []string{"Fulfilment"}}
	text, err := asn1.MarshalWithParams("orders", "utf8")
	require.NoError(t, err)
	in := certauth.Certificates(issuing.Certificate)
	chain := certauth.Chain{Roots: certauth.Certificates(root.Certificate), Intermediates: in}
	strict, policies := chain, chain
	strict.StrictEKU, policies.Policies = true, []string{"1.3.6.1.4.1.99999.1"}
	hour := time.Now().Add(time.Hour)
	issue := func(change ...certauthtest.Template) *certauthtest.Certificate {
		return issuing.Issue(t, "client", change...)
	}
	for _, tc := range []struct {
		name      string
		rule      certauth.Policy
		has, lack *certauthtest.Certificate
		want      certauth.Reason
	}{
		{"common name", certauth.CommonNames{"orders"}, issue(certauthtest.Subject(name)), issue(), certauth.ReasonNameNotAllowed},
		{"organization", certauth.Organizations{"Partner"}, issue(certauthtest.Subject(name)), issue(), certauth.ReasonNameNotAllowed},
		{"organizational unit", certauth.OrganizationalUnits{"Fulfilment"}, issue(certauthtest.Subject(name)), issue(), certauth.ReasonNameNotAllowed},
		{"subject", certauth.Subject{"CN=orders,OU=Fulfilment,O=Partner"}, issue(certauthtest.Subject(name)), issue(), certauth.ReasonNameNotAllowed},
		{"DNS name", certauth.DNSNames{"a.example"}, issue(certauthtest.DNS("a.example")), issue(certauthtest.DNS("b.example")), certauth.ReasonNameNotAllowed},
		{"e-mail", certauth.Emails{"a@a.example"}, issue(certauthtest.Email("a@a.example")), issue(), certauth.ReasonNameNotAllowed},
		{"IP", certauth.IPs{"10.1.2.3"}, issue(certauthtest.IP("10.1.2.3")), issue(), certauth.ReasonNameNotAllowed},
		{"URI", certauth.URIs{"https://a.example/x"}, issue(certauthtest.URI(t, "https://a.example/x")), issue(), certauth.ReasonNameNotAllowed},
		{"SPIFFE ID", certauth.SPIFFEIDs{"spiffe://a.example/x"}, issue(certauthtest.URI(t, "spiffe://a.example/x")), issue(), certauth.ReasonNameNotAllowed},
		{"UPN", certauth.UPNs{"a@corp.example"}, issue(certauthtest.UPN(t, "a@corp.example")), issue(certauthtest.Email("a@corp.example")), certauth.ReasonNameNotAllowed},
		{"extension", certauth.Extension{OID: "1.3.6.1.4.1.57264.1.1", Text: []string{"orders"}}, issue(certauthtest.Extension(t, "1.3.6.1.4.1.57264.1.1", text)), issue(), certauth.ReasonExtensionNotAllowed},
		{"lifetime", certauth.Validity{MaxLifetime: 24 * time.Hour}, issue(certauthtest.Valid(hour.Add(-2*time.Hour), hour)), issue(), certauth.ReasonLifetimeNotAllowed},
		{"key", certauth.Keys{Algorithms: []x509.PublicKeyAlgorithm{x509.RSA}}, issuing.IssueFor(t, rsaKey, "client"), issue(), certauth.ReasonKeyNotAllowed},
		{"serial number", certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=Issuing,O=certauthtest", Serial: known.SerialNumber.Text(16)}}}, issue(), known, certauth.ReasonCertificateDenied},
		{"usage", strict, issue(), issue(certauthtest.Usage()), certauth.ReasonUsageNotAllowed},
		{"key usage", chain, issue(certauthtest.KeyUsage(0)), issue(certauthtest.KeyUsage(x509.KeyUsageKeyEncipherment)), certauth.ReasonUsageNotAllowed},
		{"certificate policies", policies, issue(certauthtest.Policies(t, "1.3.6.1.4.1.99999.1")), issue(certauthtest.Policies(t, "1.3.6.1.4.1.99999.2")), certauth.ReasonChainUntrusted},
		{"not a CA", chain, issue(), issue(certauthtest.AsCA()), certauth.ReasonCertificateIsCA},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.All{chain, tc.rule}})
			require.NoError(t, err)
			judge := func(cert *certauthtest.Certificate) error {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert.Certificate}}
				_, err := auth.Check(r)
				return err
			}
			require.NoError(t, judge(tc.has))
			var refused *certauth.Error
			require.ErrorAs(t, judge(tc.lack), &refused)
			assert.Equal(t, tc.want, refused.Reason, "%v", refused)
		})
	}
}

func TestUPN_KeepsTheOtherNames(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client", certauthtest.DNS("a.example"), certauthtest.Email("a@b.example"), certauthtest.URI(t, "spiffe://a/b"),
		certauthtest.IP("10.1.2.3", "fd00::1"), certauthtest.UPN(t, "u@corp.example"))
	assert.Equal(t, []string{"a.example"}, leaf.DNSNames)
	assert.Equal(t, []string{"a@b.example"}, leaf.EmailAddresses)
	assert.Equal(t, "[spiffe://a/b]", fmt.Sprint(leaf.URIs))
	assert.Equal(t, "[10.1.2.3 fd00::1]", fmt.Sprint(leaf.IPAddresses))
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

// If something cannot be made, the test that asked for it ends.
func TestTB_IsToldOfMistakes(t *testing.T) {
	for name, mistake := range map[string]func(tb certauthtest.TB){
		"a URI that is none":       func(tb certauthtest.TB) { certauthtest.URI(tb, "://") },
		"an address that is none":  func(tb certauthtest.TB) { certauthtest.SelfSigned(tb, "a", certauthtest.IP("nonsense")) },
		"an OID that is none":      func(tb certauthtest.TB) { certauthtest.Policies(tb, "a.b") },
		"an extension without OID": func(tb certauthtest.TB) { certauthtest.Extension(tb, "", nil) },
		"an OID with a huge arc": func(tb certauthtest.TB) {
			certauthtest.Extension(tb, "2.25.340282366920938463463374607431768211455", nil)
		},
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
