package forwarded_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// CVE-2026-35616 FortiClient EMS, CVE-2024-10039 Keycloak: an untrusted sender's header is not even
// parsed, so the reason is the same whatever it contains.
func TestTrust_HeaderFromUntrustedPeerIsNeverRead(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	stranger := func(r *http.Request) { r.RemoteAddr = "203.0.113.9:40000" }
	from := forwarded.AppService{From: forwarded.Peers("10.0.0.0/8")}
	for name, lines := range map[string][]string{
		"a genuine certificate": {p.good}, "the same twice": {p.good, p.good}, "nonsense": {"?"}, "1 MiB": {strings.Repeat("A", 1<<20)}, "an empty line before it": {"", p.good},
	} {
		t.Run(name, func(t *testing.T) {
			attempt{source: from, values: lines, change: stranger, want: certauth.ReasonSourceUntrusted}.run(t, p)
			attempt{values: lines, change: set("X-Arr-Ssl"), want: certauth.ReasonSourceUntrusted}.run(t, p)
		})
	}
	t.Run("and a Connection header that names it", func(t *testing.T) {
		attempt{source: from, values: values(p.good), change: func(r *http.Request) {
			stranger(r)
			r.Header.Set("Connection", "X-ARR-ClientCert")
		}, want: certauth.ReasonSourceUntrusted}.run(t, p)
	})
}

// The environment is read once, by New; outside App Service no sender is trusted.
func TestAppService_OutsideThePlatform(t *testing.T) {
	p := newPartner(t)
	for _, tc := range []struct {
		name, site, instance string
		outside              bool
		want                 certauth.Reason
		text, missing        string
	}{
		{"row 13 both variables", "orders", "0123", false, certauth.ReasonNone, "forwarded.AppService", "clientCertEnabled=true"},
		{"row 13 neither", "", "", false, certauth.ReasonSourceUntrusted, "not on App Service", "InsecureOutsideAppService"},
		{"row 13 no instance", "orders", "", false, certauth.ReasonSourceUntrusted, "not on App Service", "InsecureOutsideAppService"},
		{"row 13 no site", "", "0123", false, certauth.ReasonSourceUntrusted, "not on App Service", "InsecureOutsideAppService"},
		{"by explicit choice", "", "", true, certauth.ReasonNone, "insecure: outside App Service", "clientCertEnabled=true"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("WEBSITE_SITE_NAME", tc.site)
			t.Setenv("WEBSITE_INSTANCE_ID", tc.instance)
			source := forwarded.AppService{InsecureOutsideAppService: tc.outside}
			attempt{source: source, values: values(p.good), want: tc.want}.run(t, p)
			attempt{source: source, want: certauth.ReasonCertificateMissing}.run(t, p)
			assert.Regexp(t, `^forwarded\.AppService( \([^()]*App Service[^()]*\))?$`, prepared(t, source).Name)
			auth, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
			require.NoError(t, err)
			assert.Contains(t, auth.String(), tc.text)
			onAppService(t) // after New
			_, err = auth.Check(arriving(p.good))
			assert.Equal(t, tc.want, reasonOf(err))
			if refused, ok := errors.AsType[*certauth.Error](err); ok { // finding N119
				assert.Contains(t, refused.Hint, "InsecureOutsideAppService", "the check of access restrictions helps nobody here")
			}
			_, err = auth.Check(arriving())
			assert.Equal(t, certauth.ReasonCertificateMissing, reasonOf(err))
			refused, ok := errors.AsType[*certauth.Error](err) // finding N161: the hint was about the health check, or Always On
			assert.True(t, ok)
			assert.Contains(t, refused.Hint, tc.missing)
		})
	}
	t.Run("evidence is asked for outside as well", func(t *testing.T) {
		t.Setenv("WEBSITE_SITE_NAME", "")
		source := forwarded.AppService{InsecureOutsideAppService: true}
		attempt{source: source, values: values(p.good), change: set("X-Arr-Log-Id"), want: certauth.ReasonSourceUntrusted}.run(t, p)
		header := http.Header{"X-Arr-Clientcert": {p.good}} // finding N138: the hint was to check access restrictions
		hint := refusedBy(t, source, p, header).Hint
		assert.Contains(t, hint, "has to write the platform's X-ARR-LOG-ID and X-ARR-SSL too")
		assert.Contains(t, hint, "did not come through App Service's front end") // finding N173: certauth explain prints the hint too
	})
}

// The source alone, without a policy.
func TestAppService_ByItself(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	certs, err := read(t, forwarded.AppService{}, arriving(p.good))
	require.NoError(t, err)
	require.Len(t, certs, 1)
	assert.True(t, certs[0].Equal(p.client.Certificate))
	_, err = read(t, forwarded.AppService{}, arriving("?"))
	assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
	_, err = forwarded.AppService{From: forwarded.Peers()}.Prepare(source.Environment{})
	assert.ErrorContains(t, err, "AppService.From: Peers: empty")
}

// CVE-2026-33433, -39858, -54763, -88011 Traefik; CVE-2025-64484 oauth2-proxy; CVE-2026-52845
// Caddy: a spelling that is not removed later becomes the real name.
func TestTrust_AliasSpellingsAreNeverReadAndAlwaysStripped(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	gate := forwarded.AppService{From: forwarded.SharedSecret("X-Gate", secret)}
	for _, name := range spellings {
		t.Run(name, func(t *testing.T) {
			attempt{change: set(name, p.good), want: certauth.ReasonCertificateMissing}.run(t, p)
			attempt{values: values("?"), change: set(name, p.good), want: certauth.ReasonCertificateMalformed}.run(t, p)
			attempt{values: values(p.good), change: set(name, "?", "?"), want: certauth.ReasonNone}.run(t, p)
		})
	}
	for _, name := range []string{"X_Gate", "X.Gate", "x_gate"} {
		t.Run(name, func(t *testing.T) {
			attempt{source: gate, values: values(p.good), change: set(name, secret), want: certauth.ReasonSourceUntrusted}.run(t, p)
		})
	}
	for _, evidence := range []string{"X_ARR_LOG_ID", "X-ARR_LOG-ID"} {
		t.Run(evidence, func(t *testing.T) {
			attempt{values: values(p.good), change: func(r *http.Request) {
				delete(r.Header, "X-Arr-Log-Id")
				r.Header[evidence] = values("a")
			}, want: certauth.ReasonSourceUntrusted}.run(t, p)
		})
	}
}

// CVE-2026-33223, CVE-2026-33246 NATS; CVE-2026-4525 Vault.
func TestTrust_StrippingRemovesEveryValue(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	var seen *http.Request
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{From: forwarded.AnyGate(forwarded.SharedSecret("X-Gate", secret), forwarded.SharedSecret("X-Second-Gate", secret))},
		Policy: p.chain(), Optional: true,
		Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
			seen = r
			w.WriteHeader(http.StatusUnauthorized)
		},
	})
	require.NoError(t, err)
	r := arriving(p.good, p.good, "", "x")
	r.Header["X-Gate"] = values(secret, "x", "")
	r.Header["X_second.gate"] = values(secret, secret)
	r.Header["X-Other"] = values("stays", "stays")
	r.Header["X-Arr-Clientcert-2"] = values("stays")
	r.Trailer = http.Header{"X-Arr-Clientcert": {"x"}, "X_gate": {"x", "y"}, "X-Sum": {"stays"}}
	handler := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("next was called") }))
	handler.ServeHTTP(httptest.NewRecorder(), r)
	assert.Equal(t, http.Header{
		"X-Arr-Log-Id": {"0dd50cc5-af94-4852-abb4-8ade0c022c5d"}, "X-Arr-Ssl": {"2048|256|CN=CA, O=Example|CN=*.azurewebsites.net"}, "X-Appservice-Proto": {"https"},
		"X-Other": {"stays", "stays"}, "X-Arr-Clientcert-2": {"stays"},
	}, seen.Header)
	assert.Equal(t, http.Header{"X-Sum": {"stays"}}, seen.Trailer)
}

// CVE-2026-33495 oathkeeper, CVE-2026-35051 Traefik, CVE-2025-64101 ZITADEL, CVE-2023-27487 Envoy:
// no decision depends on text that any client can write.
func TestTrust_ForwardedSchemeHostAndPathAreIgnored(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	from := forwarded.AppService{From: forwarded.Peers("10.0.0.0/8")}
	stranger := func(r *http.Request) { r.RemoteAddr = "203.0.113.9:40000" }
	for _, line := range []string{
		"X-Forwarded-Proto: http", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-Port: 80", "X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 10.1.2.3",
		"X-Forwarded-Uri: /health", "X-Original-Url: /health", "X-Original-Host: a", "X-Rewrite-Url: /health", "X-Forwarded-Method: OPTIONS", "X-Http-Method-Override: GET",
		"Forwarded: for=10.1.2.3;proto=http;host=a", "X-Forwarded-Tlsversion: 1.0", "Disguised-Host: a", "X-Real-Ip: 10.1.2.3", "X-Azure-Fdid: a", "X-Ms-Client-Principal: e30=",
	} {
		name, value, _ := strings.Cut(line, ": ")
		with := func(before func(*http.Request)) func(*http.Request) {
			return func(r *http.Request) {
				before(r)
				r.Header.Set(name, value)
			}
		}
		t.Run(line, func(t *testing.T) {
			nothing := func(*http.Request) {}
			attempt{source: from, values: values(p.good), change: with(nothing), want: certauth.ReasonNone}.run(t, p)
			attempt{source: from, values: values(p.good), change: with(stranger), want: certauth.ReasonSourceUntrusted}.run(t, p)
			attempt{values: values(p.good), change: with(set("X-Arr-Ssl")), want: certauth.ReasonSourceUntrusted}.run(t, p)
			attempt{source: from, change: with(nothing), want: certauth.ReasonCertificateMissing}.run(t, p)
			excluded, err := certauth.New(certauth.Config{Source: from, Policy: p.chain(), Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "test", Control: "test"}}})
			require.NoError(t, err)
			recorder, r := httptest.NewRecorder(), arriving()
			with(nothing)(r)
			excluded.Handler(http.NotFoundHandler()).ServeHTTP(recorder, r)
			assert.Equal(t, http.StatusUnauthorized, recorder.Code)
		})
	}
}

// flags are headers with which front ends report "verified".
var flags = map[string]string{
	"X-Client-Verify": "SUCCESS", "X-Ssl-Client-Verify": "SUCCESS", "Ssl-Client-Verify": "SUCCESS", "Ssl_client_verify": "SUCCESS", "X-Ssl-Client-Used": "1",
	"X-Client-Cert-Verification": "SUCCESS", "X-Azure-Clientcertverify": "SUCCESS", "Cf-Cert-Verified": "true", "Client-Cert-Present": "true", "Client-Cert-Chain-Verified": "true",
	"Cloudfront-Viewer-Cert-Present": "1", "X-Forwarded-Tls-Client-Cert-Info": `Subject="CN=orders"`,
}

// CVE-2025-23419 nginx; CVE-2025-23048, CVE-2019-0215 Apache; CVE-2025-66614 Tomcat;
// CVE-2022-21654, -21657 Envoy; CVE-2026-32305, -48491, -53622, GHSA-gv8r-9rw9-9697
// Traefik; container-apps #880; azure-docs #111230.
func TestTrust_FrontEndFlagAloneGrantsNothing(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	raise := func(r *http.Request) {
		for name, value := range flags {
			r.Header[name] = values(value)
		}
	}
	attempt{change: raise, want: certauth.ReasonCertificateMissing}.run(t, p)
	attempt{values: values(certauthtest.SelfSigned(t, "orders").Base64()), change: raise, want: certauth.ReasonChainUntrusted}.run(t, p)
	attempt{values: values(""), change: raise, want: certauth.ReasonCertificateMissing}.run(t, p)
	attempt{values: values(p.good), change: func(r *http.Request) {
		raise(r)
		delete(r.Header, "X-Arr-Log-Id")
	}, want: certauth.ReasonSourceUntrusted}.run(t, p)
}

// Every proxy overwrites only the header that it sets, so the certificate under another name, or in
// another form, is not accepted. The certificate is from a committed capture.
func TestTrust_OtherConventionsAreIgnored(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	captured := vectorValue(t, "appservice", "capture-client-ec")
	der, err := base64.StdEncoding.DecodeString(captured)
	require.NoError(t, err)
	percent := url.QueryEscape("-----BEGIN CERTIFICATE-----\n" + captured + "\n-----END CERTIFICATE-----\n")
	others := map[string]string{
		"Client-Cert": ":" + captured + ":", "Client-Cert-Chain": ":" + captured + ":", "X-Forwarded-Client-Cert": "Hash=" + thumbprint(der) + `;Cert="` + percent + `"`,
		"X-Client-Cert": percent, "X-Client-Certificate": percent, "Ssl-Client-Cert": percent, "X-Ssl-Client-Cert": captured, "X-Forwarded-Tls-Client-Cert": captured,
		"X-Amzn-Mtls-Clientcert": percent, "X-Amzn-Mtls-Clientcert-Leaf": percent, "Cf-Client-Cert-Der-Base64": captured, "Cloudfront-Viewer-Cert-Pem": percent,
		"X-Azure-Clientcertificate": captured, "Ssl_client_cert": captured, "X-Ssl-Client-Escaped-Cert": percent, "X-Arr-Client-Cert": captured, "X-Ms-Clientcert": captured,
		"X-Arrclientcert": captured, "Xarrclientcert": captured, "Arr-Clientcert": captured,
	}
	pinned := certauth.Thumbprints{thumbprint(der)}
	all := func(r *http.Request) {
		for name, value := range others {
			r.Header[name] = values(value)
		}
	}
	attempt{policy: pinned, change: all, want: certauth.ReasonCertificateMissing}.run(t, p)
	attempt{policy: pinned, values: values(p.good), change: all, want: certauth.ReasonPinMismatch}.run(t, p)
	attempt{values: values(p.good), change: all, want: certauth.ReasonNone}.run(t, p)
	attempt{values: values("(null)"), change: all, want: certauth.ReasonCertificateMalformed}.run(t, p)
}

// CVE-2026-46579 OpenShift router. The probes that an operator is told to run before going live,
// against each preset's stand-in and directly against the service.
func TestTrust_ForgedRequestTableForEveryPreset(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	var last certauth.Event
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{}, Policy: certauth.Any{p.chain(), certauth.PublicKeys{keyHash(p.client.Certificate)}},
		Observe: func(_ context.Context, e certauth.Event) { last = e },
	})
	require.NoError(t, err)
	backend := httptest.NewServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		_, _ = w.Write([]byte(id.Leaf.Subject.CommonName))
	})))
	t.Cleanup(backend.Close)
	front := certauthtest.NewAppService(t, backend.URL)
	other := p.ca.Issue(t, "billing")
	forge := func(names ...string) http.Header {
		h := http.Header{}
		for _, name := range names {
			h[name] = values(p.good)
		}
		for name, value := range flags {
			h[name] = values(value)
		}
		return h
	}
	for _, tc := range []struct {
		name   string
		client *http.Client
		url    string
		header http.Header
		want   certauth.Reason
	}{
		{"the exact name, no certificate", front.Client(nil), front.URL, forge("X-ARR-ClientCert"), certauth.ReasonCertificateMissing},
		{"underscores, no certificate", front.Client(nil), front.URL, forge("X_ARR_ClientCert"), certauth.ReasonCertificateMissing},
		{"dots, no certificate", front.Client(nil), front.URL, forge("X.ARR.ClientCert"), certauth.ReasonCertificateMissing},
		{"all names, with another certificate", front.Client(other), front.URL, forge("X-ARR-ClientCert", "X_ARR_ClientCert", "X.ARR.ClientCert"), certauth.ReasonNone},
		{"a self-signed certificate", front.Client(certauthtest.SelfSigned(t, "orders")), front.URL, forge(), certauth.ReasonChainUntrusted},
		{"past the front end", front.Client(nil), backend.URL, forge("X-ARR-ClientCert"), certauth.ReasonSourceUntrusted},
		{"past the front end, with TLS headers of its own", front.Client(nil), backend.URL, func() http.Header {
			h := forge("X-ARR-ClientCert")
			h.Set("X-Forwarded-Proto", "https")
			h.Set("X-Arr-Log-Id", "a")
			return h
		}(), certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, tc.url, nil)
			require.NoError(t, err)
			r.Header = tc.header
			response, err := tc.client.Do(r)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			assert.Equal(t, tc.want, last.Reason())
			if tc.want == certauth.ReasonNone {
				assert.Equal(t, "billing", last.Identity.Leaf.Subject.CommonName, "the identity is that of the handshake")
				return
			}
			assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
		})
	}
}
