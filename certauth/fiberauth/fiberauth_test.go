package fiberauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/fiberauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

type partner struct {
	root, issuing *certauthtest.CA
	client        *certauthtest.Certificate
}

func newPartner(t *testing.T) partner {
	t.Helper()
	p := partner{root: certauthtest.NewCA(t, "Partner Root")}
	p.issuing = p.root.NewIntermediate(t, "Partner Issuing CA")
	p.client = p.issuing.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	return p
}

func (p partner) auth(t *testing.T, source certauth.Source, change ...func(*certauth.Config)) *certauth.Authenticator {
	t.Helper()
	config := certauth.Config{
		Source:     source,
		Policy:     certauth.Chain{Roots: certauth.Certificates(p.root.Certificate), Intermediates: certauth.Certificates(p.issuing.Certificate)},
		Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}},
	}
	for _, f := range change {
		f(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return auth
}

// serve runs the app on a socket, as a user's program does.
func serve(t *testing.T, app *fiber.App) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	t.Cleanup(func() {
		assert.NoError(t, app.ShutdownWithTimeout(10*time.Second))
		<-done
	})
	return "http://" + listener.Addr().String()
}

// whole reads each body to its end.
var whole = fiber.Config{DisablePreParseMultipartForm: true}

func newApp(auth *certauth.Authenticator) *fiber.App {
	app := fiber.New(whole)
	app.Use(func(c fiber.Ctx) (err error) { // as Fiber's recover middleware
		defer func() {
			if p := recover(); p != nil {
				err, _ = p.(error)
			}
		}()
		return c.Next()
	})
	app.Use("*", fiberauth.Handler(auth))
	app.Get("/panics", func(fiber.Ctx) error { panic(fiber.NewError(fiber.StatusSwitchingProtocols)) })
	app.Get("/events", func(c fiber.Ctx) error {
		c.Set("Connection", "keep-alive")
		return c.SendString("event")
	})
	app.Get("/late", func(c fiber.Ctx) error {
		c.Set("Connection", "keep-alive")
		c.RequestCtx().TimeoutErrorWithResponse(c.Response()) // as Fiber's timeout middleware
		return nil
	})
	app.Get("/switched", func(c fiber.Ctx) error { return c.SendStatus(fiber.StatusSwitchingProtocols) })
	app.Get("/switches", func(fiber.Ctx) error { return fiber.NewError(fiber.StatusSwitchingProtocols) }) // Fiber answers later
	app.Get("/health", func(c fiber.Ctx) error { return c.SendString("ok") })
	app.Use(func(c fiber.Ctx) error {
		if id, ok := certauth.FromContext(c.Context()); ok {
			return c.SendString(id.Leaf.Subject.CommonName)
		}
		return c.SendString("orders")
	})
	return app
}

var here = forwarded.Peers("127.0.0.1")

// finding T7: with net/http's adaptor, the last of two header lines won, and neither the removal of
// the header nor the identity took effect. This test sends the whole table of forged requests,
// including repeated headers, in the form of each front end. Without DisableKeepalive, HandlerTest.Tunnels would find
// finding T91.
func TestHandler_LetsNoRowIn(t *testing.T) {
	for _, tc := range []struct {
		frontEnd string
		source   certauth.Source
		chain    bool
	}{
		{"Nginx", forwarded.Nginx{From: here}, false},
		{"HAProxy", forwarded.HAProxy{From: here, ChainHeader: "X-SSL-Chain-Der"}, true},
		{"Apache", forwarded.Apache{From: here, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}, true},
		{"Traefik", forwarded.Traefik{From: here}, false},
		{"Envoy", forwarded.Envoy{From: here}, false},
		{"Envoy/JSON", forwarded.Envoy{From: here, JSON: true}, false},
		{"RFC9440/chain", forwarded.RFC9440{From: here, Chain: true}, true},
		{"GoogleLB", forwarded.GoogleLB{From: here}, true},
		{"AppService", forwarded.AppService{From: here, InsecureOutsideAppService: true}, false},
	} {
		t.Run(tc.frontEnd, func(t *testing.T) {
			p := newPartner(t)
			certauthtest.TestHandler(t, nil, certauthtest.HandlerTest{
				URL: serve(t, newApp(p.auth(t, tc.source))), FrontEnd: certauthtest.FrontEnd{Name: tc.frontEnd},
				Client: p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing, Exempt: "/health", Chain: tc.chain,
				Other: p.issuing.Issue(t, "invoices"),
			})
		})
	}
}

func get(t *testing.T, url string, header http.Header) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, response.Header, string(body)
}

func (p partner) forward(t *testing.T, client *certauthtest.Certificate) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	require.NoError(t, err)
	certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, client)
	return r.Header
}

func TestIdentity_IsThereAndTheHeadersAreGone(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	type sight struct {
		ok, same bool
		names    []string
		kept     string
	}
	seen := make(chan sight, 1)
	app.Get("/", func(c fiber.Ctx) error {
		var s sight
		id, ok := fiberauth.Identity(c)
		other, _ := certauth.FromContext(c.Context())
		s.ok, s.same, s.kept = ok && id.Thumbprint() == p.client.Thumbprint(), id == other, c.Get("X-Kept")
		for name := range c.Request().Header.All() {
			s.names = append(s.names, string(name))
		}
		seen <- s
		return nil
	})
	header := p.forward(t, p.client)
	header["X_Client_Cert"], header["x.client.cert"], header["X-Kept"] = []string{"alias"}, []string{"alias"}, []string{"yes"}
	status, _, _ := get(t, serve(t, app), header)
	require.Equal(t, http.StatusOK, status)
	s := <-seen
	assert.True(t, s.ok)
	assert.True(t, s.same)
	assert.Equal(t, "yes", s.kept)
	assert.ElementsMatch(t, []string{"Host", "User-Agent", "X-Kept", "Accept-Encoding", "X-Client-Fingerprint"}, s.names, "the fingerprint is not configured")
}

func TestHandler_AnswersAsForNetHTTP(t *testing.T) {
	p := newPartner(t)
	url := serve(t, newApp(p.auth(t, forwarded.Nginx{From: here})))
	status, header, body := get(t, url+"/orders", nil)
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Equal(t, `ClientCertificate realm="client-certificate"`, header.Get("WWW-Authenticate"))
	assert.Equal(t, "no-store", header.Get("Cache-Control"))
	assert.Equal(t, "application/problem+json", header.Get("Content-Type"))
	assert.NotContains(t, body, "missing")

	status, _, body = get(t, url+"/health", p.forward(t, p.client))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "ok", body)
	status, _, _ = get(t, url+"/HEALTH", nil)
	assert.Equal(t, http.StatusUnauthorized, status, "Fiber's route ignores case, the exclusion does not")
}

// finding N150: what middleware before Handler had written to the header stayed in it beside the header of the refusal.
func TestHandler_ARefusalReplacesEarlierHeaders(t *testing.T) {
	p := newPartner(t)
	var seen http.Header
	deny := func(c *certauth.Config) {
		c.Deny = func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
			seen = w.Header().Clone()
			w.Header().Add("Vary", "Cookie")
			http.Error(w, "no", http.StatusForbidden)
		}
	}
	for name, change := range map[string]func(*certauth.Config){"the answer of certauth": func(*certauth.Config) {}, "that of Deny": deny} {
		app := fiber.New(whole)
		app.Use("*", func(c fiber.Ctx) error {
			for name, value := range map[string]string{
				"Cache-Control": "public, max-age=600", "Content-Encoding": "br", "Content-Type": "image/png", "ETag": "a", "Last-Modified": "a",
				"WWW-Authenticate": "Basic", "Vary": "Origin", "Connection": "keep-alive",
			} {
				c.Set(name, value)
			}
			c.Cookie(&fiber.Cookie{Name: "a", Value: "b"})
			c.Cookie(&fiber.Cookie{Name: "c", Value: "d"})
			return c.Next()
		}, fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here}, change)))
		status, header, body := get(t, serve(t, app), nil)
		assert.Equal(t, []string{"no-store"}, header["Cache-Control"], name)
		assert.Equal(t, "Origin", header["Vary"][0], name)
		assert.Len(t, header["Set-Cookie"], 2, name)
		for _, gone := range []string{"Content-Encoding", "Etag", "Last-Modified"} {
			assert.Empty(t, header[gone], name)
		}
		if name == "the answer of certauth" {
			assert.Equal(t, http.StatusUnauthorized, status)
			assert.Equal(t, []string{`ClientCertificate realm="client-certificate"`}, header["Www-Authenticate"])
			assert.Equal(t, []string{"application/problem+json"}, header["Content-Type"])
			continue
		}
		assert.Equal(t, http.StatusForbidden, status)
		assert.Equal(t, "no\n", body)
		assert.Equal(t, []string{"Origin", "Cookie"}, header["Vary"])
		assert.Equal(t, []string{"Origin"}, seen["Vary"])
		assert.Empty(t, seen["Etag"])
	}
}

// document stands for an Authenticator of package policyfile, which this module does not require.
type document struct {
	auth *certauth.Authenticator
	used *atomic.Int64 // number of requests for which it is in use
}

func (d document) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.used.Add(1)
		defer d.used.Add(-1)
		d.auth.Handler(next).ServeHTTP(w, r)
	})
}

func (d document) Require(policy certauth.Policy) func(http.Handler) http.Handler {
	return d.auth.Require(policy)
}

// finding S57: the document by which a request was accepted was released before the handlers ran, so that it could be
// closed, with its revocation checks, before Require asked it.
func TestHandler_TheDocumentIsInUseUntilTheHandlersHaveReturned(t *testing.T) {
	p := newPartner(t)
	auth := document{p.auth(t, forwarded.Nginx{From: here}), new(atomic.Int64)}
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(auth))
	app.Get("/", func(c fiber.Ctx) error { return c.JSON(auth.used.Load()) })
	_, _, body := get(t, serve(t, app), p.forward(t, p.client))
	assert.Equal(t, "1", body)
	assert.Zero(t, auth.used.Load())
}

// finding N78: a service whose policy is in a document could not use this package.
func TestRequire_TellsKnownFromUnknown(t *testing.T) {
	p := newPartner(t)
	auth := document{p.auth(t, forwarded.Nginx{From: here}, func(c *certauth.Config) { c.Optional = true }), new(atomic.Int64)}
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(auth))
	app.Get("/refunds", fiberauth.Require(auth, certauth.DNSNames{"billing.partner.example"}), func(c fiber.Ctx) error { return c.SendString("refunds") })
	app.Get("/open", func(c fiber.Ctx) error {
		_, ok := fiberauth.Identity(c)
		return c.JSON(ok)
	})
	url := serve(t, app)
	billing := p.issuing.Issue(t, "billing", certauthtest.DNS("billing.partner.example"))
	for _, tc := range []struct {
		name, path string
		client     *certauthtest.Certificate
		status     int
	}{
		{"nobody", "/refunds", nil, http.StatusUnauthorized},
		{"known and not allowed", "/refunds", p.client, http.StatusForbidden},
		{"known and allowed", "/refunds", billing, http.StatusOK},
		{"of another CA", "/open", certauthtest.SelfSigned(t, "orders"), http.StatusUnauthorized},
	} {
		status, _, body := get(t, url+tc.path, p.forward(t, tc.client))
		assert.Equal(t, tc.status, status, tc.name)
		assert.Equal(t, tc.status == http.StatusOK, body == "refunds", tc.name)
	}
	_, _, body := get(t, url+"/open", nil)
	assert.Equal(t, "false", body)
}

// finding S63: the documentation says of all that net/http refuses that it is refused here too, but it was not so
// with a Host header that is missing, or that no host can have (RFC 9112, section 3.2).
// A request that fasthttp accepts and net/http does not is refused here.
func TestHandler_ReadsHeadersAsNetHTTP(t *testing.T) {
	p := newPartner(t)
	url := serve(t, newApp(p.auth(t, forwarded.Nginx{From: here})))
	certificate := p.forward(t, p.client)
	lines := "X-Client-Cert: " + certificate.Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	for name, tc := range map[string]struct {
		request string
		status  int
	}{
		"as it should be":                                 {"GET / HTTP/1.1\r\nHost: app\r\n" + lines + "\r\n", 200},
		"a space in front of the colon":                   {"GET / HTTP/1.1\r\nHost: app\r\nX-Client-Cert : x\r\n" + lines + "\r\n", 400},
		"the certificate in a trailer":                    {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + lines + "\r\n", 401},
		"the certificate in an announced trailer":         {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nTrailer: X-Client-Cert, X-Client-Verify\r\n\r\n1\r\nx\r\n0\r\n" + lines + "\r\n", 401},
		"a second certificate in a trailer":               {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n" + lines + "\r\n1\r\nx\r\n0\r\nX-Client-Cert: x\r\n\r\n", 200},
		"T28: a trailer with the name of a header":        {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nX-Tenant: ours\r\n" + lines + "\r\n1\r\nx\r\n0\r\nX-Tenant: theirs\r\n\r\n", 400},
		"two lines of one name":                           {"GET / HTTP/1.1\r\nHost: app\r\nX-Tenant: a\r\nx-tenant: b\r\n" + lines + "\r\n", 200},
		"T108: and with two lines, of which one is kept":  {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nUser-Agent: a\r\nUser-Agent: b\r\n" + lines + "\r\n0\r\nUser-Agent: c\r\n\r\n", 400},
		"two lines, of which one is kept":                 {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\nUser-Agent: a\r\nUser-Agent: b\r\n" + lines + "\r\n0\r\n\r\n", 200},
		"more trailers than anybody sends":                {"GET /health HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("q:\r\n", 200) + "\r\n", 400},
		"T106: more lines of one name than anybody sends": {"GET /health HTTP/1.1\r\nHost: app\r\n" + lines + strings.Repeat("q:\r\n", 200) + "\r\n", 400},
		"a hundred lines of one name":                     {"GET /health HTTP/1.1\r\nHost: app\r\n" + lines + strings.Repeat("q:\r\n", 100) + "\r\n", 200},
		"a hundred trailers":                              {"GET /health HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("q:\r\n", 100) + "\r\n", 200},
		"Connection: close, and the header's name":        {"GET / HTTP/1.1\r\nHost: app\r\nConnection: close\r\nConnection: X-Client-Cert\r\n" + lines + "\r\n", 401},
		"S63: no host":                                    {"GET / HTTP/1.1\r\n" + lines + "\r\n", 400},
		"S63: a malformed host":                           {"GET / HTTP/1.1\r\nHost: a b\r\n" + lines + "\r\n", 400},
		"S63: a folded host":                              {"GET / HTTP/1.1\r\nHost: app\r\n b\r\n" + lines + "\r\n", 400},
		"no host in HTTP/1.0":                             {"GET / HTTP/1.0\r\n" + lines + "\r\n", 200},
		"S64: an empty host":                              {"GET / HTTP/1.1\r\nhost: \r\n" + lines + "\r\n", 200},
		"S64: a URL, and no host":                         {"GET http://app/ HTTP/1.1\r\n" + lines + "\r\n", 400},
		"S64: a URL, and a malformed host":                {"GET http://app/ HTTP/1.1\r\nHost: a b\r\n" + lines + "\r\n", 400},
		"S64: a URL, and a host":                          {"GET http://app/ HTTP/1.1\r\nHost: app\r\n" + lines + "\r\n", 200},
		"two hosts":                                       {"GET / HTTP/1.1\r\nHost: app\r\nHost: other\r\n" + lines + "\r\n", 400},
		"a transfer encoding that means none":             {"POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: identity\r\nContent-Length: 0\r\n" + lines + "\r\n", 400},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", url[len("http://"):])
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
			_, err = io.WriteString(conn, tc.request)
			require.NoError(t, err)
			answer := make([]byte, 12)
			_, err = io.ReadFull(conn, answer)
			require.NoError(t, err)
			assert.Equal(t, tc.status, int(answer[9]-'0')*100+int(answer[10]-'0')*10+int(answer[11]-'0'), "%s", answer)
		})
	}
}

// finding T106: fasthttp moves the last line to the place of one that is deleted, so that the lines of one name came in
// another order than they arrived, in which the last one is the front end's (RFC 9110, section 5.3).
func TestHandler_LinesOfOneNameKeepTheirOrder(t *testing.T) {
	p := newPartner(t)
	auth := p.auth(t, forwarded.Nginx{From: here})
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(auth))
	app.Get("/", fiberauth.Require(auth, certauth.DNSNames{"orders.partner.example"}), func(c fiber.Ctx) error {
		var seen []string
		for _, name := range []string{"X-Forwarded-For", "Via", "Cookie", "Connection"} {
			for _, line := range c.Request().Header.PeekAll(name) {
				seen = append(seen, string(line))
			}
		}
		return c.SendString(strings.Join(seen, " "))
	})
	url := serve(t, app)
	conn, err := net.Dial("tcp", url[len("http://"):])
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nX-Client-Cert: "+p.forward(t, p.client).Get("X-Client-Cert")+
		"\r\nVia: first\r\nX-Forwarded-For: client\r\nCookie: a=1\r\nConnection: x\r\nVia: second\r\nX-Client-Verify: SUCCESS\r\nCookie: b=2\r\nConnection: close\r\nX-Forwarded-For: front-end\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	assert.Contains(t, string(answer), "client front-end first second a=1; b=2 ")
}

// finding T105: fasthttp from 1.75 on keeps trailers apart from the headers, where only look-ups by name find them, so
// that none was deleted. With the version of go.mod this test passes without the mend.
func TestHandler_NoTrailerIsFoundByName(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here}, func(c *certauth.Config) { c.Optional = true })))
	app.Post("/", func(c fiber.Ctx) error {
		found := ""
		for _, name := range []string{"X-Client-Cert", "X_Client_Cert", "X-Tenant", "User-Agent", "Trailer"} {
			found += c.Get(name) + string(c.Request().Header.Peek(name))
		}
		return c.SendString("found: " + found + ".")
	})
	url := serve(t, app)
	for _, announced := range []string{"", "Trailer: X-Client-Cert, X_Client_Cert\r\nTrailer: X-Tenant, User-Agent\r\n"} {
		conn, err := net.Dial("tcp", url[len("http://"):])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: app\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"+announced+
			"\r\n1\r\na\r\n0\r\nX-Client-Cert: forged\r\nX_Client_Cert: forged\r\nX-Tenant: theirs\r\nUser-Agent: a\r\n\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		assert.Contains(t, string(answer), "found: .")
	}
}

// The rest of a streamed body never becomes a request: a client without a certificate could write
// one into it, with the header of the front end whose connection it uses.
func TestHandler_ABodyIsNoRequest(t *testing.T) {
	p := newPartner(t)
	certificate := p.forward(t, p.client).Get("X-Client-Cert")
	forged := "GET /orders HTTP/1.1\r\nHost: app\r\nX-Client-Cert: " + certificate + "\r\nX-Client-Verify: SUCCESS\r\n\r\n"
	const limit = 10 // fasthttp reads this much before the handlers run
	for name, tc := range map[string]struct {
		methods []string
		alone   bool   // one request per connection
		status  string // of the first answer
	}{
		"streamed, and the connection goes on": {[]string{"POST /", "GET /", "GET /health"}, false, "500"},
		"streamed, and the connection ends":    {[]string{"POST /", "GET /"}, true, "401"},
		"of an excluded request":               {[]string{"GET /health"}, true, "200"},
		"of a method that Fiber does not know": {[]string{"PROPFIND /"}, true, "501"},
		"the same, and the connection goes on": {[]string{"PROPFIND /"}, false, "501"}, // Handler sees only what comes next
	} {
		for _, method := range tc.methods {
			for _, version := range []string{"1.1", "1.0\r\nConnection: keep-alive"} {
				for _, chunked := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, %s HTTP/%.3s, chunked %t", name, method, version, chunked), func(t *testing.T) {
						ran := make(chan string, 10)
						app := fiber.New(fiber.Config{StreamRequestBody: true, DisableKeepalive: tc.alone, BodyLimit: limit})
						app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
						app.Get("/health", func(c fiber.Ctx) error { return c.SendString("ok") })
						app.Use(func(c fiber.Ctx) error { ran <- c.Path(); return nil })
						conn, err := net.Dial("tcp", serve(t, app)[len("http://"):])
						require.NoError(t, err)
						defer func() { _ = conn.Close() }()
						require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
						head := method + " HTTP/" + version + "\r\nHost: app\r\n"
						request := head + fmt.Sprintf("Content-Length: %d\r\n\r\n", limit+len(forged)) + strings.Repeat("\r\n", limit/2) + forged
						if chunked {
							request = head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(forged), forged)
						}
						_, err = io.WriteString(conn, request)
						require.NoError(t, err)
						require.NoError(t, conn.(*net.TCPConn).CloseWrite()) // newer versions of fasthttp read the body to its end and wait
						answers, err := io.ReadAll(conn)
						require.NotErrorIs(t, err, os.ErrDeadlineExceeded) // may be a reset, because there is unread data
						if len(answers) > 0 && !(chunked && strings.HasPrefix(version, "1.0") && strings.HasPrefix(string(answers), "HTTP/1.1 400")) {
							assert.Equal(t, tc.status, string(answers[len("HTTP/1.1 "):][:3]))
						}
						if tc.alone {
							assert.LessOrEqual(t, strings.Count(string(answers), "HTTP/1.1 "), 1, "%s", answers)
						}
						assert.Empty(t, ran)
					})
				}
			}
		}
	}
}

// finding T14: what followed a form within the same body was read as a request, so that a client without a
// certificate could send one with somebody else's over the front end's connection.
func TestHandler_TheRestOfAFormIsNoRequest(t *testing.T) {
	p := newPartner(t)
	certificate := p.forward(t, p.client).Get("X-Client-Cert")
	forged := "GET /orders HTTP/1.1\r\nHost: app\r\nX-Client-Cert: " + certificate + "\r\nX-Client-Verify: SUCCESS\r\n\r\n"
	const form = "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"
	for name, tc := range map[string]struct {
		config fiber.Config
		method string
		status string // of the first answer
	}{
		"by default":                                   {fiber.Config{}, "POST /", "500"},
		"by default, to an excluded path":              {fiber.Config{}, "GET /health", "500"},
		"by default, by a method that is not known":    {fiber.Config{}, "PROPFIND /", "501"}, // Handler sees only what comes next
		"read as a whole":                              {whole, "POST /", "401"},
		"read as a whole, of an excluded path":         {whole, "GET /health", "200"},
		"read as a whole, by a method that is unknown": {whole, "PROPFIND /", "501"},
		"one request for each connection":              {fiber.Config{DisableKeepalive: true}, "POST /", "401"},
		"the same, by a method that is not known":      {fiber.Config{DisableKeepalive: true}, "PROPFIND /", "501"},
	} {
		t.Run(name, func(t *testing.T) {
			ran := make(chan string, 100)
			app := fiber.New(tc.config)
			app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
			app.Get("/health", func(c fiber.Ctx) error { return c.SendString("ok") })
			app.Use(func(c fiber.Ctx) error { ran <- c.Path(); return nil })
			url := serve(t, app)
			for rest := range 16 { // the reader of forms reads ahead, as many bytes as arrive
				conn, err := net.Dial("tcp", url[len("http://"):])
				require.NoError(t, err)
				require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
				body := form + strings.Repeat("\r\n", rest*256) + forged
				_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: app\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: %d\r\n\r\n%s", tc.method, len(body), body)
				require.NoError(t, err)
				status := make([]byte, 12)
				_, err = io.ReadFull(conn, status)
				require.NoError(t, err)
				assert.Equal(t, tc.status, string(status[9:]))
				_, _ = fmt.Fprint(conn, "GET /last HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
				_, err = io.ReadAll(conn)
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
				require.NoError(t, conn.Close())
			}
			assert.Empty(t, ran)
		})
	}
}

// finding T135: a panic can be answered with 101 too, by middleware outside that makes an error of it.
// findings T98 and T99: front ends may have removed the Upgrade header for which they make a tunnel after 101.
// findings T48, T77, T78 and T81: what a client writes after CONNECT, or after a request for another protocol
// that no handler accepted, is no request, because some front ends pass it on as it is.
func TestHandler_NothingFollowsAnUpgradeOrCONNECT(t *testing.T) {
	p := newPartner(t)
	lines := "X-Client-Cert: " + p.forward(t, p.client).Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	url := serve(t, newApp(p.auth(t, forwarded.Nginx{From: here})))
	for request, status := range map[string]string{
		"GET /events HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + lines:                                               "200",
		"GET /late HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + lines:                                                 "200",
		"GET /switched HTTP/1.1\r\nHost: app\r\n" + lines:                                                                                          "101",
		"GET /panics HTTP/1.1\r\nHost: app\r\n" + lines:                                                                                            "101",
		"GET /switches HTTP/1.1\r\nHost: app\r\n" + lines:                                                                                          "101",
		"GET /health HTTP/1.0\r\nHost: app\r\nConnection: keep-alive\r\n":                                                                          "200",
		"GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n":                                                             "401",
		"GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: *\r\n" + lines:                                                             "200",
		"GET /health HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket/0\r\n":                                                     "200",
		"POST / HTTP/1.1\r\nHost: app\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\nX-Tenant: ours\r\n" + lines + "\r\n0\r\nX-Tenant: theirs\r\n": "400",
		"CONNECT app:443 HTTP/1.1\r\nHost: app:443\r\n":                                                                                            "401",
		"CONNECT / HTTP/1.1\r\nHost: app:443\r\n" + lines:                                                                                          "401",
	} {
		conn, err := net.Dial("tcp", url[len("http://"):])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, request+"\r\nGET / HTTP/1.1\r\nHost: app\r\n"+lines+"\r\n")
		require.NoError(t, err)
		answers, err := io.ReadAll(conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%s", request)
		assert.Equal(t, status, string(answers[len("HTTP/1.1 "):][:3]))
		assert.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "%s", answers)
		require.NoError(t, conn.Close())
	}
}

// finding T102: what answers later undid the end of the connection.
func TestHandler_WhatAnswersLaterKeepsNoConnection(t *testing.T) {
	p := newPartner(t)
	lines := "X-Client-Cert: " + p.forward(t, p.client).Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	for name, later := range map[string]func(c fiber.Ctx){
		"resets the answer": func(c fiber.Ctx) { c.Response().Reset() },
		"resets the answer of a server that keeps hijacked connections": func(c fiber.Ctx) { c.Response().Reset() },
		"says what becomes of the connection":                           func(c fiber.Ctx) { c.Set("Connection", "keep-alive") },
		"removes what was said":                                         func(c fiber.Ctx) { c.Response().Header.Del("Connection") },
		"says nothing":                                                  func(fiber.Ctx) {},
	} {
		config := whole
		config.ErrorHandler = func(c fiber.Ctx, _ error) error {
			later(c)
			return c.SendStatus(fiber.StatusBadRequest)
		}
		app := fiber.New(config)
		app.Use("*", func(c fiber.Ctx) error {
			defer later(c)
			return c.Next()
		}, fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
		ran := 0
		app.Use(func(c fiber.Ctx) error {
			ran++
			if c.Path() == "/fails" {
				return io.ErrUnexpectedEOF
			}
			return c.SendString("orders")
		})
		app.Server().KeepHijackedConns = strings.Contains(name, "keeps hijacked")
		url := serve(t, app)
		for request, runs := range map[string]int{
			"GET / HTTP/1.1\r\n" + lines + upgrade: 1, "GET /fails HTTP/1.1\r\n" + lines + upgrade: 1, "GET /refused HTTP/1.1\r\n" + upgrade: 0, "GET /bad HTTP/1.1\r\nHost: other\r\n" + lines: 0,
			"GET /fails HTTP/1.0\r\n" + lines: 1, "GET /fails HTTP/1.0\r\nConnection: keep-alive\r\n" + lines: 1, "GET /fails HTTP/1.1\r\nUpgrade: a\r\nConnection: close\r\n" + lines: 1,
		} {
			ran = 0
			conn, err := net.Dial("tcp", url[len("http://"):])
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
			_, err = io.WriteString(conn, request+"Host: app\r\n\r\nGET / HTTP/1.1\r\nHost: app\r\n"+lines+"\r\n")
			require.NoError(t, err)
			answers, err := io.ReadAll(conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded, name)
			assert.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "%s: %s", name, answers)
			assert.Equal(t, runs, ran, name)
			require.NoError(t, conn.Close())
		}
	}
}

// finding T91: Fiber answers an unknown method before any middleware, and keeps the connection unless the app
// is set up as the documentation says for front ends that make a tunnel of it.
func TestHandler_WithDisableKeepaliveNothingFollowsAnUnknownMethod(t *testing.T) {
	p := newPartner(t)
	auth := p.auth(t, forwarded.Nginx{From: here})
	lines := "X-Client-Cert: " + p.forward(t, p.client).Get("X-Client-Cert") + "\r\nX-Client-Verify: SUCCESS\r\n"
	ran := false
	app := fiber.New(fiber.Config{DisableKeepalive: true})
	app.Use("*", fiberauth.Handler(auth))
	app.All("*", func(fiber.Ctx) error {
		ran = true
		return nil
	})
	conn, err := net.Dial("tcp", serve(t, app)[len("http://"):])
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "FOO / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET / HTTP/1.1\r\nHost: app\r\n"+lines+"\r\n")
	require.NoError(t, err)
	answers, err := io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.Equal(t, "501", string(answers[len("HTTP/1.1 "):][:3]))
	assert.False(t, ran)
}

// finding T79: Fiber runs middleware for "/", which is that of App.Use without a path, only for paths
// that begin with a slash, so that routes with a wildcard ran for everybody who sent another target.
func TestHandler_ATargetWithoutASlashIsJudged(t *testing.T) {
	p := newPartner(t)
	ran := false
	every := func(c fiber.Ctx) error {
		ran = true
		return c.SendString("ran")
	}
	auth := p.auth(t, forwarded.Nginx{From: here})
	judged, root := fiber.New(whole), fiber.New(whole)
	judged.Use("*", fiberauth.Handler(auth))
	root.Use(fiberauth.Handler(auth))
	judged.All("*", every)
	root.All("*", every)
	url := serve(t, judged)
	for _, tc := range []struct{ line, status string }{
		{"OPTIONS *", "401"},
		{"GET http://app?a", "401"},
		{"CONNECT app:443", "401"},
		{"GET foo", "400"},
		{"GET ?a", "400"},
		{"GET /", "401"},
	} {
		assert.Equal(t, tc.status, answerTo(t, url, tc.line), tc.line)
	}
	assert.False(t, ran)
	assert.Equal(t, "500", answerTo(t, serve(t, root), "GET /orders"), "a mistake in the configuration")
	assert.False(t, ran)
}

// finding T86: fasthttp serves a request line with any version as HTTP/1, but what the middleware refuses
// of HTTP/1, such as CONNECT, and the end of the connection after it, depend on the version. net/http
// answers 505.
func TestHandler_AnotherVersionIsRefused(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, func(c *certauth.Config) { c.Optional = true })))
	app.All("*", func(c fiber.Ctx) error { return c.SendString("anonymous") })
	url := serve(t, app)
	for line, want := range map[string]string{
		"GET / HTTP/1.1":               "HTTP/1.1 200",
		"GET / HTTP/1.0":               "HTTP/1.1 200",
		"GET / HTTP/2.0":               "HTTP/1.1 400",
		"GET / HTTP/0.9":               "HTTP/1.1 400",
		"CONNECT app.example HTTP/1.1": "HTTP/1.1 401",
		"CONNECT app.example HTTP/2.0": "HTTP/1.1 400",
	} {
		conn, err := net.Dial("tcp", url[len("http://"):])
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, line+"\r\nHost: app\r\nConnection: keep-alive\r\n\r\nGET /second HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
		require.NoError(t, err)
		answers, err := io.ReadAll(conn)
		require.NoError(t, err)
		_ = conn.Close()
		assert.True(t, strings.HasPrefix(string(answers), want), "%s: %s", line, answers)
		most := 1
		if line == "GET / HTTP/1.1" {
			most = 2
		}
		assert.Equal(t, most, strings.Count(string(answers), "HTTP/1.1 "), "%s: %s", line, answers)
	}
}

// answerTo returns the status of the answer to the first half of a request line.
func answerTo(t *testing.T, url, line string) string {
	t.Helper()
	conn, err := net.Dial("tcp", url[len("http://"):])
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, line+" HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	return string(answer[len("HTTP/1.1 "):][:3])
}

// A form arrives although it is read as a whole.
func TestHandler_AFormArrives(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	app.Post("/", func(c fiber.Ctx) error { return c.SendString(c.FormValue("a")) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, serve(t, app), strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n--b--\r\n"))
	require.NoError(t, err)
	r.Header = p.forward(t, p.client)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "one", string(body))
}

// A refused request runs no handler, and neither does one for which the middleware panics.
func TestHandler_RunsNothingBehindARefusal(t *testing.T) {
	p := newPartner(t)
	broken := certauth.PolicyFunc{Name: "broken", Func: func(context.Context, *certauth.Identity) error { panic("a bug of the policy") }}
	auth := p.auth(t, forwarded.Nginx{From: here}, func(c *certauth.Config) { c.Policy = certauth.All{c.Policy, broken} })
	runs := 0
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(auth))
	app.Use(func(fiber.Ctx) error { runs++; return nil })
	status, _, _ := get(t, serve(t, app), p.forward(t, p.client))
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Zero(t, runs)

	app = fiber.New(whole)
	app.Use("*", fiberauth.Handler(nil))
	app.Use(func(fiber.Ctx) error { runs++; return nil })
	status, _, _ = get(t, serve(t, app), p.forward(t, p.client))
	assert.Equal(t, http.StatusUnauthorized, status)
	assert.Zero(t, runs)
}

// finding T85: middleware outside that rewrites the path, or overrides the method, changes what Fiber
// routes by, but not the request line, by which exclusions were found. certauth.Exclusion never excludes
// such a request.
func TestHandler_ARewrittenRequestIsNotExcluded(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", func(c fiber.Ctx) error {
		if path := c.Get("X-Original-URL"); path != "" {
			c.Path(path)
		}
		if method := c.Get("X-HTTP-Method-Override"); method != "" {
			c.Method(method)
		}
		if target := c.Get("X-Target"); target != "" {
			c.Request().SetRequestURI(target)
		}
		return c.Next()
	})
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	app.Get("/health", func(c fiber.Ctx) error { return c.SendString("ok") })
	app.Use(func(c fiber.Ctx) error { return c.SendString("orders") })
	url := serve(t, app)
	for _, tc := range []struct {
		path, name, value string
		status            int
	}{
		{"/health", "Accept", "*/*", http.StatusOK},
		{"/health?probe=1", "Accept", "*/*", http.StatusOK},
		{"/health", "X-Original-URL", "/orders", http.StatusUnauthorized},
		{"/orders", "X-Original-URL", "/health", http.StatusUnauthorized},
		{"/health", "X-HTTP-Method-Override", "DELETE", http.StatusUnauthorized},
		{"/orders", "X-Target", "/health", http.StatusUnauthorized},
	} {
		status, _, _ := get(t, url+tc.path, http.Header{tc.name: {tc.value}})
		assert.Equal(t, tc.status, status, "%s, %s: %s", tc.path, tc.name, tc.value)
	}
}

// finding S61: a request with two Upgrade lines, one of which names h2c, was answered with 400.
// finding T87: only an Upgrade header with h2c alone was removed, as Authenticator.Handler promises for h2c
// beside another protocol too.
func TestHandler_NoHandlerSeesARequestForHTTP2(t *testing.T) {
	p := newPartner(t)
	app := fiber.New(whole)
	app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here})))
	app.Get("/health", func(c fiber.Ctx) error { return c.SendString(fmt.Sprint(c.GetReqHeaders()["Upgrade"])) })
	url := serve(t, app)
	for _, tc := range []struct {
		lines []string
		want  string
	}{
		{[]string{"h2c"}, "[]"},
		{[]string{"h2c, websocket"}, "[websocket]"},
		{[]string{"websocket,H2C ,other"}, "[websocket, other]"},
		{[]string{"websocket, other"}, "[websocket, other]"},
		{[]string{"websocket", "other"}, "[websocket other]"},
		{[]string{"websocket", "h2c"}, "[websocket]"},
		{[]string{"websocket", "h2c, other"}, "[websocket, other]"},
	} {
		status, _, body := get(t, url+"/health", http.Header{"Upgrade": tc.lines})
		assert.Equal(t, http.StatusOK, status, "%q", tc.lines)
		assert.Equal(t, tc.want, body, "%q", tc.lines)
	}
}

// finding N147: Fiber reads 4096 bytes of headers by default, which the certificate of an honest caller can exceed,
// and answers 431 before any middleware, so that there is no record.
func TestHandler_ALargeCertificateNeedsAReadBuffer(t *testing.T) {
	p := newPartner(t)
	var names []string
	for i := range 100 { // as many bytes as an ML-DSA-44 key and signature take
		names = append(names, fmt.Sprintf("a-rather-long-name-%d.partner.example", i))
	}
	large := p.issuing.Issue(t, "orders", certauthtest.DNS(names...))
	for size, want := range map[int]int{0: http.StatusRequestHeaderFieldsTooLarge, 64 << 10: http.StatusOK} {
		reported := 0
		config := whole
		config.ReadBufferSize = size
		app := fiber.New(config)
		app.Use("*", fiberauth.Handler(p.auth(t, forwarded.Nginx{From: here}, func(c *certauth.Config) {
			c.Observe = func(context.Context, certauth.Event) { reported++ }
		})))
		app.Get("/", func(c fiber.Ctx) error { return c.SendString("orders") })
		status, _, _ := get(t, serve(t, app), p.forward(t, large))
		assert.Equal(t, want, status)
		assert.Equal(t, want == http.StatusOK, reported == 1)
	}
}
