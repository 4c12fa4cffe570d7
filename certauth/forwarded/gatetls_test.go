package forwarded_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A sender that connects with its own TLS client certificate is not the front end, or two
// certificates compete, unless ProxyCertificate declares the certificate. No other gate does, even
// if it admits the sender.
func TestGates_OnlyProxyCertificateDeclaresATLSCertificate(t *testing.T) {
	p := newPartner(t)
	proxy := certauthtest.NewCA(t, "Infrastructure").Issue(t, "proxy")
	const profile = "11111111-2222-3333-4444-555555555555"
	shared := forwarded.SharedSecret("X-Gate", secret)
	declared := forwarded.ProxyCertificate(certauth.Thumbprints{proxy.Thumbprint()})
	for name, tc := range map[string]struct {
		source  certauth.Source
		with    certauth.Reason // with a TLS certificate
		without certauth.Reason
	}{
		"a shared secret":              {forwarded.RFC9440{From: shared}, certauth.ReasonSourceUntrusted, certauth.ReasonNone},
		"anybody":                      {forwarded.RFC9440{From: forwarded.InsecureAnyPeer()}, certauth.ReasonSourceUntrusted, certauth.ReasonNone},
		"Front Door":                   {forwarded.FrontDoor{From: shared, ProfileID: profile, Format: forwarded.FormatByteSequence}, certauth.ReasonSourceUntrusted, certauth.ReasonNone},
		"its certificate":              {forwarded.RFC9440{From: declared}, certauth.ReasonNone, certauth.ReasonSourceUntrusted},
		"its certificate and a secret": {forwarded.RFC9440{From: forwarded.EveryGate(shared, declared)}, certauth.ReasonNone, certauth.ReasonSourceUntrusted},
		"its certificate or a secret":  {forwarded.RFC9440{From: forwarded.AnyGate(shared, declared)}, certauth.ReasonNone, certauth.ReasonNone},
		"two secrets":                  {forwarded.RFC9440{From: forwarded.EveryGate(shared, forwarded.SharedSecret("X-Second", secret))}, certauth.ReasonSourceUntrusted, certauth.ReasonNone},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: tc.source, Policy: p.chain()})
			request := func(change func(*http.Request)) func() *http.Request {
				return func() *http.Request {
					r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
					value := ":" + base64.StdEncoding.EncodeToString(p.client.Certificate.Raw) + ":"
					r.Header["Client-Cert"], r.Header["X-Azure-Clientcertificate"] = []string{value}, []string{value}
					r.Header["X-Second"] = []string{secret}
					r.Header["X-Gate"], r.Header["X-Azure-Fdid"] = []string{secret}, []string{profile}
					change(r)
					return r
				}
			}
			s.judge(t, request(func(*http.Request) {}), tc.without)
			s.judge(t, request(func(r *http.Request) { r.TLS = &tls.ConnectionState{HandshakeComplete: true} }), tc.without)
			s.judge(t, request(func(r *http.Request) {
				r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{proxy.Certificate}}
			}), tc.with)
		})
	}
}
