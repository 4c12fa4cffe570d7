package certauthtest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"
)

// TB is the subset of testing.TB that this package needs. A program that is not a test can
// implement it.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// CA is a certificate authority with a P-256 key. It is safe for concurrent use.
type CA struct {
	// Certificate is the CA's own certificate.
	Certificate *x509.Certificate
	key         crypto.Signer

	issued sync.Map // issued serial numbers in decimal
}

// Certificate is an issued certificate with its key.
type Certificate struct {
	*x509.Certificate
	// Key is the private key.
	Key crypto.Signer
}

// Template changes a certificate before it is signed. Without templates a leaf is valid from one
// hour ago for one year, for client authentication, with the given common name.
type Template func(*x509.Certificate)

// NewCA makes a root CA, valid from one year ago for eleven years.
func NewCA(tb TB, commonName string, change ...Template) *CA {
	tb.Helper()
	key := newKey(tb)
	template := caTemplate(tb, commonName, change)
	return &CA{Certificate: sign(tb, template, template, key.Public(), key), key: key}
}

// NewIntermediate makes a CA whose certificate this CA signs.
func (ca *CA) NewIntermediate(tb TB, commonName string, change ...Template) *CA {
	tb.Helper()
	key := newKey(tb)
	return &CA{Certificate: ca.sign(tb, caTemplate(tb, commonName, change), key.Public()), key: key}
}

// CrossSign certifies the other CA: the result has the other CA's name and key and is signed by
// this one.
func (ca *CA) CrossSign(tb TB, other *CA) *x509.Certificate {
	tb.Helper()
	template := caTemplate(tb, "", nil)
	template.Subject, template.RawSubject, template.SubjectKeyId = other.Certificate.Subject, other.Certificate.RawSubject, other.Certificate.SubjectKeyId
	return ca.sign(tb, template, other.Certificate.PublicKey)
}

// Issue makes a client certificate with a new P-256 key.
func (ca *CA) Issue(tb TB, commonName string, change ...Template) *Certificate {
	tb.Helper()
	return ca.IssueFor(tb, newKey(tb), commonName, change...)
}

// IssueFor makes a client certificate for an existing key, for example for a renewal or an RSA
// client.
func (ca *CA) IssueFor(tb TB, key crypto.Signer, commonName string, change ...Template) *Certificate {
	tb.Helper()
	template := leafTemplate(tb, commonName, change)
	return &Certificate{Certificate: ca.sign(tb, template, key.Public()), Key: key}
}

// sign issues a certificate and records its serial number for responders.
func (ca *CA) sign(tb TB, template *x509.Certificate, public crypto.PublicKey) *x509.Certificate {
	tb.Helper()
	cert := sign(tb, template, ca.Certificate, public, ca.key)
	ca.issued.Store(cert.SerialNumber.String(), true)
	return cert
}

func (ca *CA) hasIssued(serial *big.Int) bool {
	_, yes := ca.issued.Load(serial.String())
	return yes
}

// SelfSigned makes a self-signed client certificate.
func SelfSigned(tb TB, commonName string, change ...Template) *Certificate {
	tb.Helper()
	key := newKey(tb)
	template := leafTemplate(tb, commonName, change)
	return &Certificate{Certificate: sign(tb, template, template, key.Public(), key), Key: key}
}

// PEM returns the CA's certificate in PEM.
func (ca *CA) PEM() []byte { return encodePEM(ca.Certificate) }

// PEM returns the certificate in PEM, without the key.
func (c *Certificate) PEM() []byte { return encodePEM(c.Certificate) }

// KeyPEM returns the private key in PKCS#8 PEM.
func (c *Certificate) KeyPEM(tb TB) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// Base64 returns the DER in padded standard base64, as X-ARR-ClientCert carries it.
func (c *Certificate) Base64() string { return base64.StdEncoding.EncodeToString(c.Raw) }

// Thumbprint returns the SHA-256 of the DER in hex, as certauth.Thumbprints takes it.
func (c *Certificate) Thumbprint() string {
	sum := sha256.Sum256(c.Raw)
	return hex.EncodeToString(sum[:])
}

// TLS returns the certificate for a TLS client or server. The certificates of the given CAs are
// sent along.
func (c *Certificate) TLS(with ...*CA) tls.Certificate {
	chain := [][]byte{c.Raw}
	for _, ca := range with {
		chain = append(chain, ca.Certificate.Raw)
	}
	return tls.Certificate{Certificate: chain, PrivateKey: c.Key, Leaf: c.Certificate}
}

// DNS sets the DNS names.
func DNS(names ...string) Template {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

// URI sets the URI names.
func URI(tb TB, names ...string) Template {
	tb.Helper()
	var parsed []*url.URL
	for _, name := range names {
		u, err := url.Parse(name)
		if err != nil {
			tb.Fatalf("certauthtest: %v", err)
		}
		parsed = append(parsed, u)
	}
	return func(c *x509.Certificate) { c.URIs = parsed }
}

// Email sets the e-mail names.
func Email(names ...string) Template {
	return func(c *x509.Certificate) { c.EmailAddresses = names }
}

// IP sets the IP names.
func IP(addresses ...string) Template {
	return func(c *x509.Certificate) {
		for _, address := range addresses {
			c.IPAddresses = append(c.IPAddresses, net.ParseIP(address))
		}
	}
}

// Subject replaces the subject.
func Subject(name pkix.Name) Template {
	return func(c *x509.Certificate) { c.Subject = name }
}

// Valid sets the validity.
func Valid(from, to time.Time) Template {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = from, to }
}

// Usage replaces the extended key usages; none leaves the extension out.
func Usage(usages ...x509.ExtKeyUsage) Template {
	return func(c *x509.Certificate) { c.ExtKeyUsage = usages }
}

// OCSPAt sets the addresses of OCSP responders (authority information access, RFC 5280,
// section 4.2.2.1); see [Responder].
func OCSPAt(urls ...string) Template {
	return func(c *x509.Certificate) { c.OCSPServer = urls }
}

// CRLAt sets the CRL distribution points, one for each address (RFC 5280, section
// 4.2.1.13); see [CRLServer].
func CRLAt(urls ...string) Template {
	return func(c *x509.Certificate) { c.CRLDistributionPoints = urls }
}

// KeyUsage replaces the key usage, which is digitalSignature for a leaf; 0 leaves the extension
// out.
func KeyUsage(usage x509.KeyUsage) Template {
	return func(c *x509.Certificate) { c.KeyUsage = usage }
}

// Policies sets the certificate policies (RFC 5280, section 4.2.1.4), as dotted OIDs.
func Policies(tb TB, oids ...string) Template {
	tb.Helper()
	var parsed []x509.OID
	for _, text := range oids {
		parsed = append(parsed, parseOID(tb, text))
	}
	return func(c *x509.Certificate) { c.Policies = parsed }
}

// Extension adds a non-critical extension with these contents in DER. It replaces an extension
// with the same OID that another template writes.
func Extension(tb TB, oid string, contents []byte) Template {
	tb.Helper()
	id := objectIdentifier(tb, oid)
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Value: contents})
	}
}

// AsCA makes the certificate a CA certificate.
func AsCA() Template {
	return func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	}
}

func caTemplate(tb TB, commonName string, change []Template) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber:          serial(tb),
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"certauthtest"}},
		NotBefore:             time.Now().AddDate(-1, 0, 0),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	for _, f := range change {
		f(template)
	}
	return template
}

func leafTemplate(tb TB, commonName string, change []Template) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber:          serial(tb),
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"certauthtest"}},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(1, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, f := range change {
		f(template)
	}
	return template
}

func sign(tb TB, template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	return cert
}

func newKey(tb TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	return key
}

func serial(tb TB) *big.Int {
	tb.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		tb.Fatalf("certauthtest: %v", err)
	}
	return n.Add(n, big.NewInt(1))
}

func encodePEM(certs ...*x509.Certificate) []byte {
	var b bytes.Buffer
	for _, cert := range certs {
		// Writing to a buffer does not fail, and a block without headers is valid.
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return b.Bytes()
}
