package forwarded_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// maker signs certificates that certauthtest does not make; they need not be parsable.
type maker struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newMaker(t *testing.T) maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Maker"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return maker{cert, key}
}

func (m maker) der(t *testing.T, public crypto.PublicKey, change ...certauthtest.Template) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "orders"}, NotBefore: m.cert.NotBefore, NotAfter: m.cert.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, m.cert, public, m.key)
	require.NoError(t, err)
	return der
}

// serial replaces the serial number 2, which precedes the signature algorithm, and signs again.
func (m maker) serial(t *testing.T, der []byte, serial byte) []byte {
	t.Helper()
	var parts struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &parts)
	require.NoError(t, err)
	tbs := strings.Replace(string(parts.TBS.FullBytes), "\x02\x01\x02\x30", "\x02\x01"+string(rune(serial&0x7f))+"\x30", 1)
	if serial == 0xff {
		tbs = strings.Replace(string(parts.TBS.FullBytes), "\x02\x01\x02\x30", "\x02\x01\xff\x30", 1)
	}
	require.NotEqual(t, string(parts.TBS.FullBytes), tbs)
	sum := sha256.Sum256([]byte(tbs))
	signature, err := ecdsa.SignASN1(rand.Reader, m.key, sum[:])
	require.NoError(t, err)
	parts.TBS = asn1.RawValue{FullBytes: []byte(tbs)}
	parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	again, err := asn1.Marshal(parts)
	require.NoError(t, err)
	return again
}

// rsaKey returns a public key whose modulus has exactly that many bits. Its factors are unknown.
func rsaKey(t *testing.T, bits, exponent int) *rsa.PublicKey {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(bits-1)))
	require.NoError(t, err)
	n.SetBit(n, bits-1, 1).SetBit(n, 0, 1)
	return &rsa.PublicKey{N: n, E: exponent}
}

func encoded(der []byte) []string { return values(base64.StdEncoding.EncodeToString(der)) }

// derRows covers rows 25 to 27 of the list.
func derRows(t *testing.T, p partner) []attempt {
	t.Helper()
	m := newMaker(t)
	chain := certauth.Chain{Roots: certauth.Certificates(m.cert)}
	good := m.der(t, p.client.PublicKey)
	extra := func(extensions ...pkix.Extension) certauthtest.Template {
		return func(c *x509.Certificate) { c.ExtraExtensions = extensions }
	}
	unknown := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}
	emptyName := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: []byte{0x30, 2, 0x82, 0}}
	var many []string
	for i := range 50_000 {
		many = append(many, fmt.Sprintf("n%d.example", i))
	}
	rows := []attempt{
		{name: "row 25 a positive serial number", policy: chain, values: encoded(good), want: certauth.ReasonNone},
		{name: "row 25 the serial number 1, patched", policy: chain, values: encoded(m.serial(t, good, 1)), want: certauth.ReasonNone},
		{name: "row 25 the serial number 0", policy: chain, values: encoded(m.serial(t, good, 0)), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 the serial number -1", policy: chain, values: encoded(m.serial(t, good, 0xff)), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 one extension twice", policy: chain, values: encoded(m.der(t, p.client.PublicKey, extra(unknown, unknown))), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 that extension once", policy: chain, values: encoded(m.der(t, p.client.PublicKey, extra(unknown))), want: certauth.ReasonNone},
		{name: "row 25 version 1", values: values(vectorValue(t, "openssl", "v1-leaf")), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 an empty DNS name", policy: chain, values: encoded(m.der(t, p.client.PublicKey, extra(emptyName))), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 50 000 names", policy: chain, values: encoded(m.der(t, p.client.PublicKey, certauthtest.DNS(many...))), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 1 001 names", policy: chain, values: encoded(m.der(t, p.client.PublicKey, certauthtest.DNS(strings.Split(strings.Repeat("a,", 1000)+"a", ",")...))), want: certauth.ReasonCertificateMalformed},
		{name: "row 25 1 000 names", policy: chain, values: encoded(m.der(t, p.client.PublicKey, certauthtest.DNS(strings.Split(strings.Repeat("a,", 999)+"a", ",")...))), want: certauth.ReasonNone},
		{name: "row 26 RSA exponent 1", policy: chain, values: encoded(m.der(t, rsaKey(t, 2048, 1))), want: certauth.ReasonCertificateMalformed},
		{name: "row 26 RSA exponent 2", policy: chain, values: encoded(m.der(t, rsaKey(t, 2048, 2))), want: certauth.ReasonCertificateMalformed},
		{name: "row 26 RSA exponent 3", policy: chain, values: encoded(m.der(t, rsaKey(t, 2048, 3))), want: certauth.ReasonNone},
		{name: "row 27 a CA certificate under its chain", policy: chain, values: encoded(m.der(t, p.client.PublicKey, certauthtest.AsCA())), want: certauth.ReasonCertificateIsCA},
		{name: "row 27 the root itself", policy: chain, values: encoded(m.cert.Raw), want: certauth.ReasonCertificateIsCA},
		{name: "row 27 a CA certificate under an exact pin", policy: certauth.Thumbprints{thumbprint(m.cert.Raw)}, values: encoded(m.cert.Raw), want: certauth.ReasonNone},
		{name: "row 27 a CA certificate given as it is", policy: certauth.Certificates(m.cert), values: encoded(m.cert.Raw), want: certauth.ReasonNone},
	}
	for bits, want := range map[int]certauth.Reason{
		512: certauth.ReasonCertificateMalformed, 1024: certauth.ReasonCertificateMalformed, 2047: certauth.ReasonCertificateMalformed, 2048: certauth.ReasonNone,
		8192: certauth.ReasonNone, 8193: certauth.ReasonCertificateMalformed, 65536: certauth.ReasonCertificateMalformed,
	} {
		rows = append(rows, attempt{name: fmt.Sprintf("row 26 RSA of %d bits", bits), policy: chain, values: encoded(m.der(t, rsaKey(t, bits, 65537))), want: want})
	}
	for _, name := range []string{"dsa", "p224", "secp256k1", "ed448"} {
		rows = append(rows, attempt{name: "row 26 " + name, policy: chain, values: values(vectorValue(t, "openssl", name)), want: certauth.ReasonCertificateMalformed})
	}
	return rows
}

func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func keyHash(c *x509.Certificate) string {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// otherSignature returns the certificate with the second signature (r, n-s) that exists for every
// ECDSA signature: a valid certificate with another thumbprint.
func otherSignature(t *testing.T, der []byte) []byte {
	t.Helper()
	var parts struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	_, err := asn1.Unmarshal(der, &parts)
	require.NoError(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(parts.Signature.Bytes, &rs)
	require.NoError(t, err)
	rs.S.Sub(elliptic.P256().Params().N, rs.S)
	signature, err := asn1.Marshal(rs)
	require.NoError(t, err)
	parts.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	again, err := asn1.Marshal(parts)
	require.NoError(t, err)
	return again
}

// policyRows covers those of rows 59 to 64 that a request can show.
func policyRows(t *testing.T, p partner) []attempt {
	t.Helper()
	pin := certauth.Thumbprints{thumbprint(p.client.Raw)}
	key := certauth.PublicKeys{keyHash(p.client.Certificate)}
	copied := certauthtest.SelfSigned(t, "orders", func(c *x509.Certificate) {
		c.RawSubject, c.SerialNumber, c.DNSNames = p.client.RawSubject, p.client.SerialNumber, p.client.DNSNames
		c.AuthorityKeyId = p.client.AuthorityKeyId
	})
	impostor := certauthtest.NewCA(t, "Partner Root", func(c *x509.Certificate) { c.SubjectKeyId = p.ca.Certificate.SubjectKeyId })
	forged := impostor.Issue(t, "orders", func(c *x509.Certificate) { c.SerialNumber = p.client.SerialNumber })
	renamed, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(9), Subject: pkix.Name{CommonName: "admin"}, DNSNames: []string{"admin.partner.example"}, NotBefore: p.client.NotBefore, NotAfter: p.client.NotAfter,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "anybody"}}, p.client.PublicKey, p.client.Key)
	require.NoError(t, err)
	altered := append([]byte(nil), p.client.Raw...)
	altered[len(altered)-1] ^= 1
	malleable := otherSignature(t, p.client.Raw)
	denySerial := certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=Partner Root,O=certauthtest", Serial: p.client.SerialNumber.Text(16)}}}
	denyKey := certauth.Denied{PublicKeys: []string{keyHash(p.client.Certificate)}}
	usage := func(usages ...x509.ExtKeyUsage) []string {
		return values(p.ca.Issue(t, "orders", certauthtest.Usage(usages...)).Base64())
	}
	strict := p.chain()
	strict.StrictEKU = true
	rows := []attempt{
		{name: "row 59 a copy of the names, under a pin", policy: pin, values: values(copied.Base64()), want: certauth.ReasonPinMismatch},
		{name: "row 59 a copy of the names, under a chain", values: values(copied.Base64()), want: certauth.ReasonChainUntrusted},
		{name: "row 59 a CA of the same name and key id, under a pin", policy: pin, values: values(forged.Base64()), want: certauth.ReasonPinMismatch},
		{name: "row 59 a CA of the same name and key id, under a chain", values: values(forged.Base64()), want: certauth.ReasonChainUntrusted},
		{name: "row 60 the key with other names, under its pin", policy: key, values: encoded(renamed), want: certauth.ReasonNone},
		{name: "row 60 and with a rule on names", policy: certauth.All{key, p.chain(), certauth.DNSNames{"admin.partner.example"}}, values: encoded(renamed), want: certauth.ReasonChainUntrusted},
		{name: "row 60 the genuine one", policy: certauth.All{key, p.chain(), certauth.DNSNames{"orders.partner.example"}}, values: values(p.good), want: certauth.ReasonNone},
		{name: "row 61 altered signature, under a pin", policy: pin, values: encoded(altered), want: certauth.ReasonPinMismatch},
		{name: "row 61 altered signature, under a chain", values: encoded(altered), want: certauth.ReasonChainUntrusted},
		{name: "row 61 the other signature, under a pin", policy: pin, values: encoded(malleable), want: certauth.ReasonPinMismatch},
		{name: "row 61 the other signature is valid", values: encoded(malleable), want: certauth.ReasonNone},
		{name: "row 61 and denied by serial number", policy: certauth.All{p.chain(), denySerial}, values: encoded(malleable), want: certauth.ReasonCertificateDenied},
		{name: "row 61 and denied by key", policy: certauth.All{p.chain(), denyKey}, values: encoded(malleable), want: certauth.ReasonCertificateDenied},
		{name: "row 61 altered signature, key pinned and denied", policy: certauth.All{key, denyKey}, values: encoded(altered), want: certauth.ReasonCertificateDenied},
		{name: "row 63 for servers only", values: usage(x509.ExtKeyUsageServerAuth), want: certauth.ReasonUsageNotAllowed},
		{name: "row 63 no usage", values: usage(), want: certauth.ReasonNone},
		{name: "row 63 no usage, strict", policy: strict, values: usage(), want: certauth.ReasonUsageNotAllowed},
		{name: "row 63 any usage, strict", policy: strict, values: usage(x509.ExtKeyUsageAny), want: certauth.ReasonUsageNotAllowed},
		{name: "row 63 client authentication, strict", policy: strict, values: usage(x509.ExtKeyUsageClientAuth), want: certauth.ReasonNone},
	}
	server := p.ca.Issue(t, "orders", certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	return append(rows, attempt{name: "row 63 for servers only, pinned", policy: certauth.Certificates(server.Certificate), values: values(server.Base64()), want: certauth.ReasonUsageNotAllowed})
}
