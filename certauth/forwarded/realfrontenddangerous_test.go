//go:build unix

package forwarded_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// misconfigured is a visit to a misconfigured front end.
type misconfigured struct {
	name   string
	source certauth.Source
	visit
	want string
}

func (p program) misconfigured(t *testing.T, config, verify string, c *cast, table []misconfigured) {
	t.Helper()
	a := newApp(t, "tcp", "127.0.0.1:0")
	front := p.start(t, config, settings{App: a.address, Verify: verify}, c)
	for _, tc := range table {
		t.Run(tc.name, func(t *testing.T) {
			a.use(t, tc.source, c.policy())
			got, told, saw := a.visit(t, c, front, tc.visit)
			assert.Equal(t, tc.want, got, "%v, %v", told.refused, saw.event.Err)
		})
	}
}

// If an outcome is forged, nothing in the request shows it: the gate admits it because the front
// end is the sender. The probes of the package documentation detect these.
func TestRealFrontEnds_NginxMisconfigured(t *testing.T) {
	c := newCast(t)
	as := convention{"X-Client-Cert", []string{"X-Client-Verify: SUCCESS"}, escapedPEM}
	ingress := convention{"ssl-client-cert", []string{"ssl-client-verify: SUCCESS"}, escapedPEM}
	plain, stamped := forwarded.Nginx{From: here}, forwarded.Nginx{From: here, FingerprintHeader: "X-Client-Fingerprint"}
	nginx.misconfigured(t, "dangerous.conf", "optional", c, []misconfigured{
		{"an inner block discards the headers: a client", plain, visit{path: "/inner", shows: c.p256}, missing},
		{"an inner block discards the headers: no certificate, with the header", plain, visit{path: "/inner", lines: as.forge(c.victim)}, forged},
		{"an inner block discards the headers: a client with the header", plain, visit{path: "/inner", shows: c.p256, lines: as.forge(c.victim)}, forged},

		// Row 58.
		{"ingress-nginx does not pass the certificate: a client", forwarded.IngressNginx{From: here}, visit{path: "/status-alone", shows: c.p256}, missing},
		{"ingress-nginx does not pass the certificate: a client with the header", forwarded.IngressNginx{From: here}, visit{path: "/status-alone", shows: c.p256, lines: ingress.forge(c.victim)}, forged},
		{"ingress-nginx does not pass the certificate: no certificate, with the header", forwarded.IngressNginx{From: here}, visit{path: "/status-alone", lines: ingress.forge(c.victim)}, unverified},

		{"a fingerprint beside it: a client with the header", stamped, visit{path: "/status-and-fingerprint", shows: c.p256, lines: as.forge(c.victim)}, malformed},
		{"a fingerprint beside it: a client with its own", stamped, visit{path: "/status-and-fingerprint", shows: c.p256, lines: as.forge(c.p256)}, accepted},

		{"the deprecated variable", plain, visit{path: "/deprecated", shows: c.p256}, malformed},
		{"the raw variable", plain, visit{path: "/raw", shows: c.p256}, "net/http answers 400"},
	})
}

// finding T46: the documentation of forwarded.Nginx named only proxy_set_header, which has no effect
// on grpc_pass, so that the client's own headers passed.
func TestRealFrontEnds_NginxAndGRPC(t *testing.T) {
	c := newCast(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	forgery := recommendations[0].convention.forge(c.victim)
	for config, want := range map[string][4]string{
		"recommended.conf": {accepted, missing, missing, accepted},
		"dangerous.conf":   {missing, missing, forged, forged},
	} {
		a := newAppWith(t, protocols, "tcp", "127.0.0.1:0")
		a.use(t, forwarded.Nginx{From: here}, c.policy())
		front := nginx.start(t, config, settings{App: a.address, Verify: "optional"}, c)
		for i, v := range []visit{{shows: c.p256}, {}, {lines: forgery}, {shows: c.p256, lines: forgery}} {
			v.path, v.http2 = "/grpc", true
			got, told, saw := a.visit(t, c, front, v)
			assert.Equal(t, want[i], got, "%s, visit %d: %v, %v", config, i, told.refused, saw.event.Err)
			assert.Equal(t, 2, saw.proto)
		}
	}
}

// finding T47: no document said that a front end that caches gives the answer for one client to
// everybody. RFC 9440, section 2.4: a response that depends on the certificate must be uncacheable.
func TestRealFrontEnds_NginxCaches(t *testing.T) {
	c := newCast(t)
	for control, want := range map[string]string{"": "the front end answers 200", "no-store": missing} {
		a := newApp(t, "tcp", "127.0.0.1:0")
		a.use(t, forwarded.Nginx{From: here}, c.policy())
		inner := *a.handler.Load()
		outer := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if control != "" {
				w.Header().Set("Cache-Control", control)
			}
			inner.ServeHTTP(w, r)
		}))
		a.handler.Store(&outer)
		front := nginx.start(t, "dangerous.conf", settings{App: a.address, Verify: "optional"}, c)
		got, told, _ := a.visit(t, c, front, visit{path: "/cached", shows: c.p256})
		require.Equal(t, accepted, got, "%v", told.refused)
		got, told, _ = a.visit(t, c, front, visit{path: "/cached"})
		assert.Equal(t, want, got, "Cache-Control: %s: %v", control, told.refused)
	}
}

func TestRealFrontEnds_HAProxyMisconfigured(t *testing.T) {
	c := newCast(t)
	as := convention{"X-SSL-Client-Cert", []string{"X-SSL-Client-Used: 1", "X-SSL-Client-Verify: 0"}, (*certauthtest.Certificate).Base64}
	flagged, bare := forwarded.HAProxy{From: here}, forwarded.RFC9440{From: here}
	field := []string{"Client-Cert: :" + c.victim.Base64() + ":"}
	haproxy.misconfigured(t, "dangerous.cfg", "optional", c, []misconfigured{
		{"a condition without del-header: a client", flagged, visit{path: "/conditional", shows: c.p256}, accepted},
		{"a condition without del-header: a client with the header", flagged, visit{path: "/conditional", shows: c.p256, lines: as.forge(c.victim)}, accepted},
		{"a condition without del-header: no certificate, with the header", flagged, visit{path: "/conditional", lines: as.forge(c.victim)}, unverified},
		{"a condition without del-header and no flags: a client with the header", bare, visit{path: "/conditional", shows: c.p256, lines: field}, accepted},
		{"a condition without del-header and no flags: no certificate, with the header", bare, visit{path: "/conditional", lines: field}, forged},

		{"add-header without del-header: a client", flagged, visit{path: "/add", shows: c.p256}, accepted},
		{"add-header without del-header: a client with the header", flagged, visit{path: "/add", shows: c.p256, lines: as.forge(c.victim)}, malformed},
		{"add-header without del-header: no certificate, with the header", flagged, visit{path: "/add", lines: as.forge(c.victim)}, malformed},
		{"add-header without del-header: no certificate", flagged, visit{path: "/add"}, missing},
	})
}

// The entry point treats every sender as a trusted proxy, and the middleware leaves the header
// unchanged if there is no certificate.
func TestRealFrontEnds_TraefikMisconfigured(t *testing.T) {
	c := newCast(t)
	source, as := recommendations[5].source, recommendations[5].convention
	traefik.misconfigured(t, "dangerous.json", "", c, []misconfigured{
		{"forwardedHeaders.insecure: a client", source, visit{shows: c.p256}, accepted},
		{"forwardedHeaders.insecure: a client with the header", source, visit{shows: c.p256, lines: as.forge(c.victim)}, accepted},
		{"forwardedHeaders.insecure: no certificate", source, visit{}, missing},
		{"forwardedHeaders.insecure: no certificate, with the header", source, visit{lines: as.forge(c.victim)}, forged},
	})
}

// The front end requests a certificate and verifies nothing.
func TestRealFrontEnds_VerificationOff(t *testing.T) {
	c := newCast(t)
	for i, off := range []string{"optional_no_ca", "optional crt-ignore-err all ca-ignore-err all", "optional_no_ca", "request", "request"} {
		r := recommendations[i]
		t.Run(r.name, func(t *testing.T) {
			var table []misconfigured
			for _, tc := range []struct {
				name  string
				shows *certauthtest.Certificate
				want  [5]string
			}{
				{"a client", c.rsa, [5]string{accepted, accepted, accepted, accepted, accepted}},
				{"no certificate", nil, [5]string{missing, missing, missing, malformed, missing}},
				{"a self-signed certificate", c.selfSigned, [5]string{unverified, unverified, unverified, untrusted, untrusted}},
				{"an unknown CA of the known name", c.unknown, [5]string{unverified, unverified, unverified, untrusted, untrusted}},
				{"an expired certificate", c.expired, [5]string{answers400, unverified, noHandshake, expired, expired}},
			} {
				table = append(table, misconfigured{tc.name, r.source, visit{shows: tc.shows}, tc.want[i]})
			}
			r.misconfigured(t, r.config, off, c, table)
		})
	}
}
