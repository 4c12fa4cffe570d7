package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// certificates holds everybody who calls in this example, good and bad. All of it is
// made fresh in memory at each run.
type certificates struct {
	root, issuing *certauthtest.CA // the partner's CA: the root signs the issuing CA
	orders        *certauthtest.Certificate
	billing       *certauthtest.Certificate

	second *certauthtest.Certificate // the second partner has no CA

	// Each of these is wrong in exactly one way.
	unknownCA   *certauthtest.Certificate
	copied      *certauthtest.Certificate
	expired     *certauthtest.Certificate
	notYetValid *certauthtest.Certificate
	otherName   *certauthtest.Certificate
	serverOnly  *certauthtest.Certificate
	isCA        *certauthtest.Certificate

	// The partner's next CA, for the change while the service runs.
	nextRoot, nextIssuing *certauthtest.CA
	nextOrders            *certauthtest.Certificate
}

func newCertificates(tb certauthtest.TB) certificates {
	tb.Helper()
	var c certificates
	name := certauthtest.DNS("orders.partner.example")
	now := time.Now()

	c.root = certauthtest.NewCA(tb, "Partner Root CA")
	c.issuing = c.root.NewIntermediate(tb, "Partner Issuing CA")
	c.orders = c.issuing.Issue(tb, "orders", name)
	c.billing = c.issuing.Issue(tb, "billing", certauthtest.DNS("billing.partner.example"))

	c.second = certauthtest.SelfSigned(tb, "second", certauthtest.DNS("second.example"))

	c.unknownCA = certauthtest.NewCA(tb, "Unknown CA").Issue(tb, "orders", name)
	c.copied = copyWithOwnKey(tb, c.orders.Certificate)
	c.expired = c.issuing.Issue(tb, "orders", name, certauthtest.Valid(now.Add(-2*time.Hour), now.Add(-time.Hour)))
	c.notYetValid = c.issuing.Issue(tb, "orders", name, certauthtest.Valid(now.Add(time.Hour), now.Add(2*time.Hour)))
	c.otherName = c.issuing.Issue(tb, "reports", certauthtest.DNS("reports.partner.example"))
	c.serverOnly = c.issuing.Issue(tb, "orders", name, certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	c.isCA = c.issuing.Issue(tb, "orders", name, certauthtest.AsCA())

	c.nextRoot = certauthtest.NewCA(tb, "Partner Root CA 2")
	c.nextIssuing = c.nextRoot.NewIntermediate(tb, "Partner Issuing CA 2")
	c.nextOrders = c.nextIssuing.Issue(tb, "orders", name)
	return c
}

// copyWithOwnKey copies everything that can be read off a genuine certificate: subject,
// issuer, serial number, names, key identifiers. It has to sign with a key of its own,
// and the signature is the one thing that a check of subject and issuer never looks at.
func copyWithOwnKey(tb certauthtest.TB, genuine *x509.Certificate) *certauthtest.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatalf("copy: %v", err)
	}
	issuer := &x509.Certificate{RawSubject: genuine.RawIssuer, SubjectKeyId: genuine.AuthorityKeyId}
	der, err := x509.CreateCertificate(rand.Reader, genuine, issuer, key.Public(), key)
	if err != nil {
		tb.Fatalf("copy: %v", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatalf("copy: %v", err)
	}
	return &certauthtest.Certificate{Certificate: parsed, Key: key}
}

// thumbprint is what certauth.Thumbprints takes. From a file:
// openssl x509 -in partner.pem -noout -fingerprint -sha256.
func thumbprint(certificate *certauthtest.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}
