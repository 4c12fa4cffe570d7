//go:build unix

package forwarded_test

import (
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
