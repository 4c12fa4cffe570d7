//go:build unix

package forwarded_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// sidecar is the name in the front end's own certificate, in the URI that Envoy writes as By.
const sidecar = "spiffe://cluster.local/ns/default/sa/app"

// cast holds the participants of the tests against real front ends.
type cast struct {
	root, issuing *certauthtest.CA // of the clients; the front end knows only the root
	foreign       *certauthtest.CA // has the same name as root
	servers       *certauthtest.CA // of the hosts
	further       []byte           // CAs that the front end knows as well, in PEM

	rsa, p256  *certauthtest.Certificate // good clients
	victim     *certauthtest.Certificate // another good client, whose certificate is public
	expired    *certauthtest.Certificate
	unknown    *certauthtest.Certificate // of the foreign CA, under the good client's name
	selfSigned *certauthtest.Certificate // under the good client's name

	server *certauthtest.Certificate // of the front end
	proxy  *certauthtest.Certificate // with which the front end authenticates itself to the app
}

func newCast(t *testing.T) *cast {
	t.Helper()
	c := &cast{root: certauthtest.NewCA(t, "Partner Root"), foreign: certauthtest.NewCA(t, "Partner Root"), servers: certauthtest.NewCA(t, "Servers")}
	c.issuing = c.root.NewIntermediate(t, "Partner Issuing CA")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	c.rsa = c.issuing.IssueFor(t, key, "orders")
	c.p256 = c.issuing.Issue(t, "orders")
	c.victim = c.issuing.Issue(t, "admin")
	c.expired = c.issuing.Issue(t, "orders", certauthtest.Valid(time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)))
	c.unknown = c.foreign.Issue(t, "orders")
	c.selfSigned = certauthtest.SelfSigned(t, "orders")
	server := certauthtest.Usage(x509.ExtKeyUsageServerAuth)
	c.server = c.servers.Issue(t, "front end", server, certauthtest.DNS("localhost"), certauthtest.URI(t, sidecar))
	c.proxy = c.servers.Issue(t, "front end as client")
	return c
}

// policy trusts the root and knows the issuing CA, which most front ends do not forward.
func (c *cast) policy() certauth.Policy {
	return certauth.Chain{Roots: certauth.Certificates(c.root.Certificate), Intermediates: certauth.Certificates(c.issuing.Certificate)}
}

// tlsConfig presents the certificate regardless of the CAs that the server names; by default,
// crypto/tls sends no certificate that was not issued by one of them.
func (c *cast) tlsConfig(shows *certauthtest.Certificate) *tls.Config {
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	config.RootCAs.AddCert(c.servers.Certificate)
	if shows == nil {
		return config
	}
	pair := shows.TLS()
	if shows.CheckSignatureFrom(c.issuing.Certificate) == nil {
		pair = shows.TLS(c.issuing)
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return config
}
