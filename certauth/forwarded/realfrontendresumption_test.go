//go:build unix

package forwarded_test

import (
	"crypto/fips140"
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A resumed session has the certificate of the handshake that began it. If the front end forwards
// the chain, the chain is missing then, so the issuing CA must be configured. The current Caddy
// resumes no session of a client with a certificate.
func TestRealFrontEnds_ResumedSessionIsTheSameClient(t *testing.T) {
	c := newCast(t)
	withoutIssuing := certauth.Chain{Roots: certauth.Certificates(c.root.Certificate)}
	for _, tc := range []struct {
		recommended
		source  certauth.Source // as recommended, with the chain if there is one
		full    string          // under a policy that does not know the issuing CA
		resumed string          // likewise
		resumes bool
	}{
		{recommendations[0], recommendations[0].source, untrusted, untrusted, true},
		{recommendations[1], forwarded.HAProxy{From: here, ChainHeader: "X-SSL-Chain-Der"}, accepted, untrusted, true},
		{recommendations[2], forwarded.Apache{From: here, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}, accepted, untrusted, true},
		{recommendations[3], recommendations[3].source, untrusted, untrusted, true},
		{recommendations[4], recommendations[4].source, untrusted, untrusted, false},
		{recommendations[5], recommendations[5].source, accepted, accepted, true},
		{recommendations[6], recommendations[6].source, accepted, accepted, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			front := tc.start(t, tc.config, settings{App: a.address, Verify: tc.verify}, c)
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				t.Run(tls.VersionName(version), func(t *testing.T) {
					if fips140.Enabled() && version == tls.VersionTLS12 && tc.name == "caddy" {
						t.Skip("this one was built before Go had the extended master secret, which FIPS 140-3 asks for")
					}
					session := c.tlsConfig(c.p256)
					session.MinVersion, session.MaxVersion = version, version
					session.ClientSessionCache = tls.NewLRUClientSessionCache(8)
					visit := visit{shows: c.p256, tls: session}

					for _, step := range []struct {
						name    string
						policy  certauth.Policy
						resumed bool
						want    string
					}{
						{"a handshake, the issuing CA not configured", withoutIssuing, false, tc.full},
						{"resumed, the issuing CA not configured", withoutIssuing, true, tc.resumed},
						{"resumed, the issuing CA configured", c.policy(), true, accepted},
						{"resumed again", c.policy(), true, accepted},
					} {
						a.use(t, tc.source, step.policy)
						got, told, saw := a.visit(t, c, front, visit)
						assert.Equal(t, step.want, got, "%s: %v, %v", step.name, told.refused, saw.event.Err)
						assert.Equal(t, step.resumed && tc.resumes, told.tls.DidResume, step.name)
						assert.Equal(t, version, told.tls.Version)
					}
				})
			}
		})
	}
}
