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

// certificates holds the certificates of all callers in this example, valid and invalid. They are
// generated for each run.
type certificates struct {
	partner authority
	orders  *certauthtest.Certificate
	billing *certauthtest.Certificate

	second *certauthtest.Certificate // the second partner has no CA

	// Each of these is wrong in exactly one way.
	unknownCA   *certauthtest.Certificate
	copied      *certauthtest.Certificate
	expired     *certauthtest.Certificate
	notYetValid *certauthtest.Certificate
	otherName   *certauthtest.Certificate
	serverOnly  *certauthtest.Certificate
	isCA        *certauthtest.Certificate

	// These differ in what their CA publishes about them, and where.
	listed      *certauthtest.Certificate // checked in the CRL, which does not list it
	revokedOCSP *certauthtest.Certificate
	revokedCRL  *certauthtest.Certificate
	unanswered  *certauthtest.Certificate // its responder is down
	forged      *certauthtest.Certificate // its responder's answers are not signed by the CA
	board       *certauthtest.Certificate // its responder is down, and SoftFail accepts that
	leaver      *certauthtest.Certificate // revoked later

	// The partner's next CA, which replaces the first while the service runs.
	next       authority
	nextOrders *certauthtest.Certificate
}

func newCertificates(tb certauthtest.TB, publish publisher) certificates {
	tb.Helper()
	var c certificates
	name := certauthtest.DNS("orders.partner.example")
	now := time.Now()

	c.partner = publish.newAuthority(tb, "/partner", "Partner Root CA", "Partner Issuing CA")
	issuing, byOCSP := c.partner.issuing, c.partner.byOCSP
	c.orders = issuing.Issue(tb, "orders", name, byOCSP)
	c.billing = issuing.Issue(tb, "billing", certauthtest.DNS("billing.partner.example"), byOCSP)

	c.second = certauthtest.SelfSigned(tb, "second", certauthtest.DNS("second.example"))

	c.unknownCA = certauthtest.NewCA(tb, "Unknown CA").Issue(tb, "orders", name)
	c.copied = copyWithOwnKey(tb, c.orders.Certificate)
	c.expired = issuing.Issue(tb, "orders", name, byOCSP, certauthtest.Valid(now.Add(-2*time.Hour), now.Add(-time.Hour)))
	c.notYetValid = issuing.Issue(tb, "orders", name, byOCSP, certauthtest.Valid(now.Add(time.Hour), now.Add(2*time.Hour)))
	c.otherName = issuing.Issue(tb, "reports", certauthtest.DNS("reports.partner.example"), byOCSP)
	c.serverOnly = issuing.Issue(tb, "orders", name, byOCSP, certauthtest.Usage(x509.ExtKeyUsageServerAuth))
	c.isCA = issuing.Issue(tb, "orders", name, byOCSP, certauthtest.AsCA())

	c.listed = issuing.Issue(tb, "orders", name, c.partner.byCRL)
	c.revokedOCSP = issuing.Issue(tb, "orders", name, byOCSP)
	c.partner.responder.Revoke(c.revokedOCSP.SerialNumber, keyCompromise)
	c.revokedCRL = issuing.Issue(tb, "orders", name, c.partner.byCRL)
	c.partner.list.Revoke(c.revokedCRL.SerialNumber, keyCompromise)
	c.unanswered = issuing.Issue(tb, "orders", name, c.partner.byDown)
	c.forged = issuing.Issue(tb, "orders", name, c.partner.byForged)
	c.board = issuing.Issue(tb, "board", certauthtest.DNS("board.partner.example"), c.partner.byDown)
	c.leaver = issuing.Issue(tb, "orders", name, byOCSP)

	c.next = publish.newAuthority(tb, "/next", "Partner Root CA 2", "Partner Issuing CA 2")
	c.nextOrders = c.next.issuing.Issue(tb, "orders", name, c.next.byOCSP)
	return c
}

// keyCompromise is a reason of RFC 5280, section 5.3.1. A certificate is refused for every
// reason.
const keyCompromise = 1

// copyWithOwnKey copies everything that a genuine certificate shows: subject, issuer, serial
// number, names, key identifiers. The copy has to be signed with another key, which a check of
// subject and issuer alone would not notice.
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

// thumbprint returns the value for certauth.Thumbprints. For a file: openssl x509 -in partner.pem
// -noout -fingerprint -sha256.
func thumbprint(certificate *certauthtest.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}
