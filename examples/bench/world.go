package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"time"
)

const (
	certificateHeader = "X-ARR-ClientCert"
	certificateKey    = "X-Arr-Clientcert" // its canonical form in net/http
	partnerName       = "orders.partner.example"

	leafListURL    = "http://crl.partner.example/issuing1.crl"
	issuingListURL = "http://crl.partner.example/root.crl"
)

// kinds lists the types of the keys of the client and of both CAs.
var kinds = []string{"p256", "rsa2048"}

// world is a partner: a root, its issuing CA, and its clients. The clients share a key, which saves
// time; they are recognised by their certificates.
type world struct {
	name                string
	root, issuing       *x509.Certificate
	rootKey, issuingKey crypto.Signer
	leafKey             crypto.Signer
	serial              int64
}

func newWorld(kind, name string) (*world, error) {
	w := &world{name: name}
	for _, key := range []*crypto.Signer{&w.rootKey, &w.issuingKey, &w.leafKey} {
		made, err := newKey(kind)
		if err != nil {
			return nil, err
		}
		*key = made
	}
	root := w.template(name + " Root CA")
	root.IsCA, root.KeyUsage = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	var err error
	if w.root, err = sign(root, root, w.rootKey.Public(), w.rootKey); err != nil {
		return nil, err
	}
	issuing := w.template(name + " Issuing CA 1")
	issuing.IsCA, issuing.KeyUsage = true, root.KeyUsage
	issuing.CRLDistributionPoints = []string{issuingListURL}
	w.issuing, err = sign(issuing, w.root, w.issuingKey.Public(), w.rootKey)
	return w, err
}

func newKey(kind string) (crypto.Signer, error) {
	switch kind {
	case "p256":
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa2048":
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return nil, fmt.Errorf("kind %q, want one of %q", kind, kinds)
}

func (w *world) template(name string) *x509.Certificate {
	w.serial++
	return &x509.Certificate{
		SerialNumber: new(big.Int).Add(big.NewInt(w.serial), new(big.Int).Lsh(big.NewInt(1), 120)),
		Subject:      pkix.Name{CommonName: name, Organization: []string{w.name + " Ltd"}, OrganizationalUnit: []string{"Orders"}, Country: []string{"DE"}},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		BasicConstraintsValid: true,
	}
}

// leaf returns the template of the next client's certificate.
func (w *world) leaf() *x509.Certificate {
	t := w.template(fmt.Sprintf("%s Orders %d", w.name, w.serial))
	t.KeyUsage, t.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{partnerName, "billing.partner.example"}
	t.CRLDistributionPoints = []string{leafListURL}
	t.OCSPServer = []string{"http://ocsp.partner.example/issuing1"}
	t.IssuingCertificateURL = []string{"http://ca.partner.example/issuing1.crt"}
	t.Policies = []x509.OID{domainValidated}
	return t
}

// domainValidated is a policy as public CAs write one (CA/Browser Forum, 2.23.140.1.2.1).
var domainValidated = mustOID(2, 23, 140, 1, 2, 1)

// rich returns a template that also has the names of workloads and people.
func (w *world) rich() *x509.Certificate {
	t := w.leaf()
	t.DNSNames = append(t.DNSNames, "returns.partner.example", "orders.eu.partner.example")
	t.URIs = []*url.URL{{Scheme: "spiffe", Host: "production.partner.example", Path: "/ns/orders/sa/orders-export"}}
	t.EmailAddresses = []string{"orders-operations@partner.example"}
	t.Subject.Locality, t.Subject.Province = []string{"Frankfurt am Main"}, []string{"Hessen"}
	return t
}

// issue returns n header values with certificates, each from a new template.
func (w *world) issue(n int, template func() *x509.Certificate) ([]string, error) {
	headers := make([]string, n)
	for i := range headers {
		leaf, err := sign(template(), w.issuing, w.leafKey.Public(), w.issuingKey)
		if err != nil {
			return nil, err
		}
		headers[i] = headerOf(leaf)
	}
	return headers, nil
}

// forge returns n certificates in the name of w's issuing CA that another key has signed, with the key
// identifier of that key or of the CA.
func (w *world) forge(n int, kind string, copyKeyID bool) ([]string, error) {
	key, err := newKey(kind)
	if err != nil {
		return nil, err
	}
	forger := w.template("")
	forger.RawSubject, forger.IsCA, forger.KeyUsage = w.issuing.RawSubject, true, x509.KeyUsageCertSign
	issuer, err := sign(forger, forger, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if copyKeyID {
		issuer.SubjectKeyId = slices.Clone(w.issuing.SubjectKeyId)
	}
	headers := make([]string, n)
	for i := range headers {
		leaf, err := sign(w.leaf(), issuer, w.leafKey.Public(), key)
		if err != nil {
			return nil, err
		}
		headers[i] = headerOf(leaf)
	}
	return headers, nil
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func headerOf(leaf *x509.Certificate) string { return base64.StdEncoding.EncodeToString(leaf.Raw) }

// garbage returns n random bytes as base64.
func garbage(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw) // never fails and always fills the buffer
	return base64.StdEncoding.EncodeToString(raw)
}

// dressed returns garbage that begins like a certificate of its length.
func dressed(n int) string {
	raw := make([]byte, n)
	_, _ = rand.Read(raw)
	copy(raw, []byte{0x30, 0x82, byte((n - 4) >> 8), byte(n - 4), 0x30, 0x82, byte((n - 300) >> 8), byte(n - 300)})
	return base64.StdEncoding.EncodeToString(raw)
}

func mustOID(ids ...uint64) x509.OID {
	oid, err := x509.OIDFromInts(ids)
	if err != nil {
		panic(err)
	}
	return oid
}
