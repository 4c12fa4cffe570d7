package certauthtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A handler that refuses every request makes the table meaningless, and the test says so.
func TestTestHandler_ARefusalOfEverybodyIsNoSuccess(t *testing.T) {
	p := newPartner(t)
	r := &recorder{t: t}
	refuses := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	certauthtest.TestHandler(r, refuses, p.test("Nginx"))
	assert.Contains(t, r.fatal, "is not accepted over http1 before the table, so the table proves nothing: the answer is 401")
	assert.Contains(t, r.fatal, "is not accepted over http2")
}

func TestTestHandler_ServesByEachWay(t *testing.T) {
	const secret = "correct horse battery staple"
	front := certauthtest.SelfSigned(t, "front-end")
	key := func(p partner) certauth.Policy {
		return certauth.PublicKeys{(&certauth.Identity{Leaf: p.client.Certificate}).PublicKeyHash()}
	}
	for _, tc := range []struct {
		name   string
		source certauth.Source
		policy func(partner) certauth.Policy
		set    func(*certauthtest.HandlerTest)
		want   string // of the summary
		lacks  string
	}{
		{
			name: "a unix socket", source: forwarded.Nginx{From: forwarded.UnixSocket()},
			set: func(test *certauthtest.HandlerTest) { test.UnixSocket, test.Fingerprint = true, false },
		},
		{
			name: "the front end's own certificate", source: forwarded.Nginx{From: forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))},
			set: func(test *certauthtest.HandlerTest) { test.FrontEndCertificate, test.Fingerprint = front, false },
		},
		{
			name: "a secret", source: forwarded.Nginx{From: forwarded.SharedSecret("X-Gate", secret)},
			set: func(test *certauthtest.HandlerTest) {
				test.Secret, test.Fingerprint = http.Header{"X-Gate": {secret}}, false
			},
			lacks: "has no secret",
		},
		{
			name: "everybody", source: forwarded.Nginx{From: forwarded.InsecureAnyPeer()},
			set:  func(test *certauthtest.HandlerTest) { test.InsecureAnyPeer, test.Fingerprint = true, false },
			want: "where the service trusts every sender",
		},
		{
			name: "other names", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1"), Header: "X-SSL-Cert", VerifyHeader: "X-SSL-OK"},
			set: func(test *certauthtest.HandlerTest) {
				test.FrontEnd.Headers, test.Fingerprint = map[string]string{"x-client-cert": "X-SSL-Cert", "X-Client-Verify": "X-SSL-OK"}, false
			},
		},
		{
			name: "HTTP/2 without TLS as well", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")},
			set: func(test *certauthtest.HandlerTest) {
				test.Fingerprint = false
				test.Configure = func(server *http.Server) error {
					server.ConnContext, server.Protocols = certauth.ConnContext, new(http.Protocols)
					server.Protocols.SetHTTP1(true)
					server.Protocols.SetHTTP2(true)
					server.Protocols.SetUnencryptedHTTP2(true)
					return nil
				}
			},
			want: "1 where HTTP/2 without TLS may be the server's own",
		},
		{
			name: "a key pin", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}, policy: key,
			set:  func(test *certauthtest.HandlerTest) { test.KeyPinned, test.Fingerprint = true, false },
			want: "where a key is pinned, so names do not matter",
		},
		{
			name: "the front end's word", source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1"), FrontEndVerifies: true},
			policy: func(partner) certauth.Policy { return certauth.DNSNames{"orders.partner.example"} },
			set:    func(test *certauthtest.HandlerTest) { test.FrontEndVerifies, test.Fingerprint = true, false },
		},
		{
			name: "no issuer, chain, fingerprint or exempt path", source: forwarded.GoogleLB{From: forwarded.Peers("127.0.0.1")},
			set: func(test *certauthtest.HandlerTest) {
				test.FrontEnd.Name, test.Issuer, test.Exempt, test.Chain, test.Fingerprint = "GoogleLB", nil, "", false, false
			},
			want: "where HandlerTest.Issuer is needed to make the expired certificate",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPartner(t)
			policy := p.policy()
			if tc.policy != nil {
				policy = tc.policy(p)
			}
			auth, err := certauth.New(certauth.Config{
				Source: tc.source, Policy: policy,
				Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
			})
			require.NoError(t, err)
			test := p.test("Nginx")
			tc.set(&test)
			r := &recorder{t: t}
			// Without Configure the server still stores its connections.
			certauthtest.TestHandler(r, auth.Handler(orders), test)
			assert.Empty(t, r.fatal)
			assert.Contains(t, r.log, tc.want)
			if tc.lacks != "" {
				assert.NotContains(t, r.log, tc.lacks)
			}
			assert.Regexp(t, `: [234][0-9][0-9] forged requests refused, 0 rows wrong`, r.log)
		})
	}
}

// If the status does not show who was accepted, the service decides.
func TestTestHandler_GotIn(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: sources["Traefik"](forwarded.Peers("127.0.0.1")), Policy: p.policy()})
	require.NoError(t, err)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || !r.ProtoAtLeast(1, 1) { // as Handler does
			w.Header().Set("Connection", "close")
		}
		if id, err := auth.Check(r); err == nil {
			fmt.Fprintln(w, id.Leaf.Subject.CommonName)
			return
		}
		fmt.Fprintln(w, "please sign in")
	})
	test := p.test("Traefik")
	test.Exempt = ""
	r := &recorder{t: t}
	certauthtest.TestHandler(r, handler, test)
	assert.Contains(t, r.fatal, `"no certificate" GOT IN, answer 200`, "the default goes by the status")

	test.GotIn = func(_ *http.Response, body []byte) bool { return strings.HasPrefix(string(body), "orders") }
	certauthtest.TestHandler(t, handler, test)
}

// If accepted clients are redirected, every redirect counts as accepted.
func TestTestHandler_ARedirectCanBeTheAnswerForClients(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: sources["Traefik"](forwarded.Peers("127.0.0.1")), Policy: p.policy(), Optional: true})
	require.NoError(t, err)
	redirects := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/home", http.StatusSeeOther) })
	r := &recorder{t: t}
	test := p.test("Traefik")
	certauthtest.TestHandler(r, auth.Handler(redirects), test)
	assert.Contains(t, r.fatal, `"no certificate" GOT IN, answer 303`)
	r = &recorder{t: t}
	test.Exempt = ""
	certauthtest.TestHandler(r, auth.Handler(auth.Require(p.policy())(redirects)), test)
	assert.Empty(t, r.fatal, "a route of an optional service demands a certificate")
}

// A running service is tested by its address.
func TestTestHandler_URL(t *testing.T) {
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: sources["Envoy"](forwarded.Peers("127.0.0.1")), Policy: p.policy()})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/app/orders", orders)
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("TLS is %v", secure), func(t *testing.T) {
			server := httptest.NewUnstartedServer(mux)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // forged requests cause many errors
			require.NoError(t, auth.ConfigureServer(server.Config))
			server.EnableHTTP2 = secure
			if secure {
				server.TLS = &tls.Config{Certificates: []tls.Certificate{certauthtest.SelfSigned(t, "service", certauthtest.Usage(x509.ExtKeyUsageServerAuth)).TLS()}, MinVersion: tls.VersionTLS12}
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			test := p.test("Envoy")
			test.URL, test.Exempt = strings.Replace(server.URL, "127.0.0.1", "localhost", 1)+"/app", ""
			r := &recorder{t: t}
			certauthtest.TestHandler(r, nil, test)
			assert.Empty(t, r.fatal)
			assert.Equal(t, !secure, strings.Contains(r.log, "the service does not speak HTTP/2 over TLS"), r.log)
		})
	}
}

func TestTestHandler_MistakesEndTheTest(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	nginx := certauthtest.FrontEnd{Name: "Nginx"}
	for _, tc := range []struct {
		want    string
		handler http.Handler
		test    certauthtest.HandlerTest
	}{
		{`front end "" is not one of`, orders, certauthtest.HandlerTest{Client: client}},
		{`front end Traefik sets no header "X-A"`, orders, certauthtest.HandlerTest{FrontEnd: certauthtest.FrontEnd{Name: "Traefik", Headers: map[string]string{"X-A": "X-B"}}, Client: client}},
		{"either a handler or HandlerTest.URL", nil, certauthtest.HandlerTest{FrontEnd: nginx, Client: client}},
		{"either a handler or HandlerTest.URL", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, URL: "http://127.0.0.1:1"}},
		{"Client is nil", orders, certauthtest.HandlerTest{FrontEnd: nginx}},
		{"Client is nil", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: &certauthtest.Certificate{}}},
		// finding N82: a service that checks no dates passed if the expired certificate was of a CA that it does not know.
		{"Issuer has not issued Client", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Issuer: certauthtest.NewCA(t, "Another")}},
		{"Path does not start with a slash", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Path: "orders"}},
		{"Exempt is not a path different from Path", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Exempt: "/"}},
		{"Other is not a certificate", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Other: &certauthtest.Certificate{}}},
		{"Batch needs Other", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Batch: func(string) (path, contentType, body string) { return "", "", "" }}},
		{"HandlerTest.Other: its response has the body of that to Client", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Other: certauthtest.SelfSigned(t, "other")}},
		{"HandlerTest.Other: the body of the response to Client is empty", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Other: certauthtest.SelfSigned(t, "other")}},
		{"HandlerTest.Other: the answer is 401", onlyFirst(), certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Other: certauthtest.SelfSigned(t, "other")}},
		{"Host is not a host", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Host: "https://app.example"}},
		{"one value for each header", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Secret: http.Header{"X-Gate": {""}}}},
		{"Stranger is not a loopback address", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Stranger: "192.0.2.1"}},
		{"and Configure need a handler, not URL", nil, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, URL: "http://127.0.0.1:1", UnixSocket: true}},
		{"contradict each other", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, UnixSocket: true, FrontEndCertificate: client}},
		{"for your own service on this machine", nil, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, URL: "https://example.com/"}},
		{"for your own service on this machine", nil, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, URL: "http://192.0.2.1:80/"}},
		{"for your own service on this machine", nil, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, URL: "ftp://127.0.0.1/"}},
		{"HandlerTest.Configure: ", orders, certauthtest.HandlerTest{FrontEnd: nginx, Client: client, Configure: new(certauth.Authenticator).ConfigureServer}},
		// finding N117: only the status of the answer was reported.
		{"the answer is 404; HandlerTest.Method and Path must select", http.NotFoundHandler(), certauthtest.HandlerTest{FrontEnd: nginx, Client: client}},
		{"the answer is 401; the service's log says why", new(certauth.Authenticator).Handler(orders), certauthtest.HandlerTest{FrontEnd: nginx, Client: client}},
	} {
		t.Run(tc.want, func(t *testing.T) {
			r := &recorder{t: t}
			certauthtest.TestHandler(r, tc.handler, tc.test)
			assert.Contains(t, r.fatal, tc.want)
		})
	}
}

// edge is a front end: it terminates TLS, requests a certificate, and writes nginx's headers.
func edge(t *testing.T, backend string, overwrites bool) string {
	t.Helper()
	target, err := url.Parse(backend)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			shown := r.In.TLS.PeerCertificates
			if overwrites || len(shown) > 0 {
				for name := range r.Out.Header {
					if strings.HasPrefix(strings.ToLower(name), "x-client-") {
						delete(r.Out.Header, name)
					}
				}
			}
			if len(shown) > 0 {
				certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r.Out, &certauthtest.Certificate{Certificate: shown[0]})
			}
		},
	}
	server := httptest.NewUnstartedServer(proxy)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// finding N92: a handshake that fails because the client has no certificate is a refusal. With TLS 1.2 the handshake itself
// fails, with TLS 1.3 (RFC 8446, section 4.4.2.4) the first read.
func TestTestHandler_AHandshakeThatFailsIsARefusal(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: p.policy()})
			require.NoError(t, err)
			server := httptest.NewUnstartedServer(auth.Handler(orders))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert, MinVersion: version, MaxVersion: version}
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			r := &recorder{t: t}
			certauthtest.TestHandler(r, nil, certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: "Nginx"}, Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing, URL: server.URL, Outside: true,
			})
			assert.Empty(t, r.fatal)
			assert.Regexp(t, `: [234][0-9][0-9] forged requests refused, 0 rows wrong`, r.log)
		})
	}
}

// Everything between the client and the service is tested from the client's position.
func TestTestHandler_FromOutsideTheFrontEnd(t *testing.T) {
	for _, tc := range []struct {
		name       string
		overwrites bool
		want       string
	}{
		{"a front end that overwrites", true, ""},
		{"one that leaves the header of a client without a certificate", false, "GOT IN"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPartner(t)
			auth, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}, Policy: p.policy()})
			require.NoError(t, err)
			test := certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: "Nginx"}, Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing,
				URL: edge(t, listen(t, auth.Handler(orders)), tc.overwrites), Outside: true,
			}
			r := &recorder{t: t}
			certauthtest.TestHandler(r, nil, test)
			if tc.want == "" {
				assert.Empty(t, r.fatal)
				assert.Regexp(t, `: [234][0-9][0-9] forged requests refused, 0 rows wrong`, r.log)
				return
			}
			assert.Contains(t, r.fatal, tc.want)
			assert.Contains(t, r.fatal, "control: ", "a genuine request is forged, too, where no certificate was shown")
		})
	}
	p := newPartner(t)
	for name, test := range map[string]certauthtest.HandlerTest{
		"no URL":   {Client: p.client, Outside: true},
		"no TLS":   {Client: p.client, Outside: true, URL: "http://127.0.0.1:1"},
		"a secret": {Client: p.client, Outside: true, URL: "https://127.0.0.1:1", Secret: http.Header{"X-Gate": {"secret"}}},
	} {
		test.FrontEnd.Name = "Nginx"
		r := &recorder{t: t}
		certauthtest.TestHandler(r, nil, test)
		assert.Contains(t, r.fatal, "HandlerTest.Outside", name)
	}
}

// onlyFirst accepts the certificate that comes first.
func onlyFirst() http.Handler {
	var first atomic.Pointer[string]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value := r.Header.Get("X-Client-Cert")
		if first.CompareAndSwap(nil, &value); *first.Load() != value {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello")
	})
}
