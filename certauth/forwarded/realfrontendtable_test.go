//go:build unix

package forwarded_test

import (
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// The whole table of forged requests, sent to each front end by a client without a certificate:
// none is accepted, however well it imitates the front end.
func TestRealFrontEnds_LetNoRowIn(t *testing.T) {
	names := map[string]string{"nginx": "Nginx", "haproxy": "HAProxy", "apache": "Apache", "caddy": "Caddy", "caddy-current": "Caddy", "traefik": "Traefik", envoyName: "Envoy"}
	c := newCast(t)
	for _, r := range recommendations {
		t.Run(r.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			front := r.start(t, r.config, settings{App: a.address, Verify: r.verify}, c)
			certauthtest.TestHandler(t, nil, certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: names[r.name]}, Client: c.p256, With: []*certauthtest.CA{c.issuing}, Issuer: c.issuing,
				URL: "https://localhost:" + port(front.address), Outside: true,
			})
		})
	}
}
