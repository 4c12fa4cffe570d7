//go:build unix

package forwarded_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding N9: with ssl_verify_client optional, nginx itself answers 400 to a partner whose
// self-signed certificate is pinned, until the certificate is in ssl_client_certificate. This was
// not documented. The documentation of forwarded.Nginx now says both.
func TestRealFrontEnds_NginxAndAPinnedSelfSignedPartner(t *testing.T) {
	c := newCast(t)
	nginx := recommendations[0]
	pin := certauth.Certificates(c.selfSigned.Certificate)
	for _, tc := range []struct {
		name  string
		known *certauthtest.CA // in ssl_client_certificate
		want  string
	}{
		{"nginx knows the CAs alone", c.root, answers400},
		{"nginx knows the certificate", &certauthtest.CA{Certificate: c.selfSigned.Certificate}, accepted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, nginx.source, pin)
			knows := *c
			knows.root = tc.known
			front := nginx.start(t, nginx.config, settings{App: a.address, Verify: "optional"}, &knows)
			got, told, saw := a.visit(t, c, front, visit{shows: c.selfSigned})
			assert.Equal(t, tc.want, got, "%v, %v", told.refused, saw.event.Err)
		})
	}
}

// finding N58: a partner who sends only its own certificate, as most do, gets 400 from nginx itself while
// ssl_client_certificate has only the root, and with two issuing CAs until ssl_verify_depth permits them. The
// documentation of forwarded.Nginx did not say what belongs into that file.
func TestRealFrontEnds_NginxAndAPartnerWhoSendsNoIssuingCA(t *testing.T) {
	c := newCast(t)
	nginx := recommendations[0]
	second := c.issuing.NewIntermediate(t, "Partner Second Issuing CA")
	below := second.Issue(t, "orders")
	policy := certauth.Chain{Roots: certauth.Certificates(c.root.Certificate), Intermediates: certauth.Certificates(c.issuing.Certificate, second.Certificate)}
	for _, tc := range []struct {
		name    string
		client  *certauthtest.Certificate
		further []byte
		want    string
	}{
		{"nginx knows the root alone", c.p256, nil, answers400},
		{"nginx knows the issuing CA as well", c.p256, c.issuing.PEM(), accepted},
		{"two issuing CAs, and the default of ssl_verify_depth", below, append(c.issuing.PEM(), second.PEM()...), answers400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, nginx.source, policy)
			knows := *c
			knows.further = tc.further
			front := nginx.start(t, nginx.config, settings{App: a.address, Verify: "optional"}, &knows)
			alone := c.tlsConfig(tc.client)
			own := tc.client.TLS()
			alone.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
			got, told, saw := a.visit(t, c, front, visit{shows: tc.client, tls: alone})
			assert.Equal(t, tc.want, got, "%v, %v", told.refused, saw.event.Err)
		})
	}
}
