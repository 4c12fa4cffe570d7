package forwarded_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// verifying returns the presets for which FrontEndVerifies can be set, with the field set.
func verifying() map[string]func(forwarded.Gate) certauth.Source {
	type g = forwarded.Gate
	return map[string]func(g) certauth.Source{
		"ApplicationGateway": func(from g) certauth.Source { return forwarded.ApplicationGateway{From: from, FrontEndVerifies: true} },
		"Nginx": func(from g) certauth.Source {
			return forwarded.Nginx{From: from, FingerprintHeader: "X-Client-Fingerprint", FrontEndVerifies: true}
		},
		"IngressNginx": func(from g) certauth.Source { return forwarded.IngressNginx{From: from, FrontEndVerifies: true} },
		"HAProxy":      func(from g) certauth.Source { return forwarded.HAProxy{From: from, FrontEndVerifies: true} },
		"Apache":       func(from g) certauth.Source { return forwarded.Apache{From: from, FrontEndVerifies: true} },
		"GoogleLB":     func(from g) certauth.Source { return forwarded.GoogleLB{From: from, FrontEndVerifies: true} },
		"Cloudflare":   func(from g) certauth.Source { return forwarded.Cloudflare{From: from, FrontEndVerifies: true} },
		"Header": func(from g) certauth.Source {
			return forwarded.Header{From: from, Name: "X-Mine", Format: forwarded.FormatSpacedPEM, Require: []forwarded.Flag{{Header: "X-Mine-Ok", Value: "yes"}}, FrontEndVerifies: true}
		},
	}
}

// With FrontEndVerifies, the names of a certificate count without a chain or a pin, and all checks
// that are always on still apply.
func TestFrontEndVerifies_StandsInForAnAnchorAndForNothingElse(t *testing.T) {
	p := newPartner(t)
	now := time.Now().Truncate(time.Second)
	issue := func(name string, change ...certauthtest.Template) *x509.Certificate {
		return certauthtest.SelfSigned(t, name, change...).Certificate
	}
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	}
	for name, source := range verifying() {
		t.Run(name, func(t *testing.T) {
			d := named(name)
			s := newStand(t, certauth.Config{Source: source(fromTens()), Policy: certauth.CommonNames{"orders"}, Now: func() time.Time { return now }})
			assert.Contains(t, s.plain.String(), "the front end's verification replaces an anchor")
			for _, tc := range []struct {
				name   string
				cert   *x509.Certificate
				change func(*http.Request)
				want   certauth.Reason
			}{
				{"the name of the rule", issue("orders"), nil, certauth.ReasonNone},
				{"another name", issue("billing"), nil, certauth.ReasonNameNotAllowed},
				{"ends now", issue("orders", certauthtest.Valid(now.Add(-time.Hour), now)), nil, certauth.ReasonNone},
				{"ended a second ago", issue("orders", certauthtest.Valid(now.Add(-time.Hour), now.Add(-time.Second))), nil, certauth.ReasonCertificateExpired},
				{"begins now", issue("orders", certauthtest.Valid(now, now.Add(time.Hour))), nil, certauth.ReasonNone},
				{"begins in a second", issue("orders", certauthtest.Valid(now.Add(time.Second), now.Add(time.Hour))), nil, certauth.ReasonCertificateNotYetValid},
				{"for servers only", issue("orders", certauthtest.Usage(x509.ExtKeyUsageServerAuth)), nil, certauth.ReasonUsageNotAllowed},
				{"without a usage", issue("orders", certauthtest.Usage()), nil, certauth.ReasonNone},
				{"a CA certificate", issue("orders", certauthtest.AsCA()), nil, certauth.ReasonCertificateIsCA},
				{"a critical extension that nobody knows", issue("orders", critical), nil, certauth.ReasonExtensionNotAllowed},
				{"not verified after all", issue("orders"), put(d.status()[0][0], "NONE"), certauth.ReasonFrontEndUnverified},
				{"from somebody else", issue("orders"), func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }, certauth.ReasonSourceUntrusted},
			} {
				t.Run(tc.name, func(t *testing.T) {
					s.judge(t, func() *http.Request {
						r := d.request(tc.cert)
						if tc.change != nil {
							tc.change(r)
						}
						return r
					}, tc.want)
				})
			}
			t.Run("a chain beside it is judged as ever", func(t *testing.T) {
				both := newStand(t, certauth.Config{Source: source(fromTens()), Policy: certauth.All{p.chain(), certauth.CommonNames{"orders"}}})
				both.judge(t, func() *http.Request { return d.request(p.client.Certificate) }, certauth.ReasonNone)
				both.judge(t, func() *http.Request { return d.request(issue("orders")) }, certauth.ReasonChainUntrusted)
			})
		})
	}
}

// The clock skew of the policy also applies to the front end's certificates.
func TestFrontEndVerifies_ClockSkew(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	policy := certauth.All{certauth.Validity{ClockSkew: time.Minute}, certauth.CommonNames{"orders"}}
	s := newStand(t, certauth.Config{Source: verifying()["Nginx"](fromTens()), Policy: policy, Now: func() time.Time { return now }})
	for end, want := range map[time.Duration]certauth.Reason{-time.Minute: certauth.ReasonNone, -time.Minute - time.Second: certauth.ReasonCertificateExpired} {
		cert := certauthtest.SelfSigned(t, "orders", certauthtest.Valid(now.Add(-time.Hour), now.Add(end))).Certificate
		s.judge(t, func() *http.Request { return named("Nginx").request(cert) }, want)
	}
}

// Without FrontEndVerifies, a policy of names alone is an error of New, for every preset.
func TestFrontEndVerifies_IsNeverImplied(t *testing.T) {
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			for _, policy := range []certauth.Policy{certauth.CommonNames{"orders"}, certauth.DNSNames{"orders.partner.example"}, certauth.Any{certauth.CommonNames{"orders"}}} {
				auth, err := certauth.New(certauth.Config{Source: d.source(fromTens()), Policy: policy})
				require.Error(t, err)
				assert.Nil(t, auth)
				assert.Contains(t, err.Error(), "Policy.")
			}
		})
	}
}
