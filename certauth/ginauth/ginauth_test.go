package ginauth_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/ginauth"
)

type partner struct {
	root, issuing *certauthtest.CA
	client        *certauthtest.Certificate
}

func newPartner(t *testing.T) partner {
	t.Helper()
	gin.SetMode(gin.TestMode)
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

// The whole table of forged requests, in the form of each front end.
func TestHandler_LetsNoRowIn(t *testing.T) {
	here := forwarded.Peers("127.0.0.1")
	for _, tc := range []struct {
		frontEnd string
		source   certauth.Source
		chain    bool
	}{
		{"Nginx", forwarded.Nginx{From: here}, false},
		{"HAProxy", forwarded.HAProxy{From: here, ChainHeader: "X-SSL-Chain-Der"}, true},
		{"Traefik", forwarded.Traefik{From: here}, false},
		{"Envoy", forwarded.Envoy{From: here}, false},
		{"RFC9440/chain", forwarded.RFC9440{From: here, Chain: true}, true},
		{"AppService", forwarded.AppService{From: here, InsecureOutsideAppService: true}, false},
	} {
		t.Run(tc.frontEnd, func(t *testing.T) {
			p := newPartner(t)
			router := gin.New()
			router.Use(ginauth.Handler(p.auth(t, tc.source)))
			router.NoRoute(func(c *gin.Context) {
				id, _ := certauth.FromContext(c.Request.Context())
				c.String(http.StatusOK, id.Leaf.Subject.CommonName)
			})
			router.GET("/health", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
			certauthtest.TestHandler(t, router, certauthtest.HandlerTest{
				FrontEnd: certauthtest.FrontEnd{Name: tc.frontEnd},
				Client:   p.client, With: []*certauthtest.CA{p.issuing}, Issuer: p.issuing, Exempt: "/health", Chain: tc.chain,
				Other: p.issuing.Issue(t, "invoices"), Tunnels: true,
			})
		})
	}
}

// ask sends the request that nginx sends for the client.
func ask(t *testing.T, handler http.Handler, path string, client *certauthtest.Certificate) *httptest.ResponseRecorder {
	t.Helper()
	r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, path, nil), "tcp", "127.0.0.1:40000")
	certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, client)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestIdentity_IsThereAndTheHeadersAreGone(t *testing.T) {
	p := newPartner(t)
	router := gin.New()
	router.Use(ginauth.Handler(p.auth(t, forwarded.Nginx{From: forwarded.Peers("127.0.0.1")})))
	runs := 0
	router.GET("/", func(c *gin.Context) {
		runs++
		id, ok := ginauth.Identity(c)
		require.True(t, ok)
		assert.Equal(t, p.client.Thumbprint(), id.Thumbprint())
		assert.Empty(t, c.GetHeader("X-Client-Cert"))
	})
	assert.Equal(t, http.StatusOK, ask(t, router, "/", p.client).Code)
	assert.Equal(t, 1, runs)
	refused := ask(t, router, "/", nil)
	assert.Equal(t, http.StatusUnauthorized, refused.Code)
	assert.Equal(t, `ClientCertificate realm="client-certificate"`, refused.Header().Get("WWW-Authenticate"))
	assert.Equal(t, 1, runs)
}

// document stands for an Authenticator of package policyfile, which this module does not require.
type document struct{ auth *certauth.Authenticator }

func (d document) Handler(next http.Handler) http.Handler { return d.auth.Handler(next) }

func (d document) Require(policy certauth.Policy) func(http.Handler) http.Handler {
	return d.auth.Require(policy)
}

// finding N78: a service whose policy is in a document could not use this package.
func TestRequire_TellsKnownFromUnknown(t *testing.T) {
	p := newPartner(t)
	auth := document{p.auth(t, forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}, func(c *certauth.Config) { c.Optional = true })}
	router := gin.New()
	router.Use(ginauth.Handler(auth))
	router.GET("/refunds", ginauth.Require(auth, certauth.DNSNames{"billing.partner.example"}), func(c *gin.Context) { c.String(http.StatusOK, "refunds") })
	for _, tc := range []struct {
		name   string
		client *certauthtest.Certificate
		status int
	}{
		{"nobody", nil, http.StatusUnauthorized},
		{"known and not allowed", p.client, http.StatusForbidden},
		{"known and allowed", p.issuing.Issue(t, "billing", certauthtest.DNS("billing.partner.example")), http.StatusOK},
	} {
		w := ask(t, router, "/refunds", tc.client)
		assert.Equal(t, tc.status, w.Code, tc.name)
		assert.Equal(t, tc.status == http.StatusOK, w.Body.String() == "refunds", tc.name)
	}
}

// XenitAB#262: unless it is aborted, a chain of handlers continues after a refusal, and after a
// panic that recovery middleware swallows.
func TestHandler_RunsNothingBehindARefusal(t *testing.T) {
	p := newPartner(t)
	broken := certauth.PolicyFunc{Name: "broken", Func: func(context.Context, *certauth.Identity) error { panic("a bug of the policy") }}
	source := forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}
	for name, tc := range map[string]struct {
		auth   *certauth.Authenticator
		status int
	}{
		"the client is unknown": {p.auth(t, source, func(c *certauth.Config) { c.Policy = certauth.Certificates(p.issuing.Certificate) }), http.StatusUnauthorized},
		"the policy panics":     {p.auth(t, source, func(c *certauth.Config) { c.Policy = certauth.All{c.Policy, broken} }), http.StatusUnauthorized},
		"no Authenticator":      {nil, http.StatusUnauthorized},
		"the hook panics": {p.auth(t, source, func(c *certauth.Config) {
			c.Observe = func(context.Context, certauth.Event) { panic("a bug of the hook") }
		}), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			router := gin.New()
			router.Use(gin.CustomRecoveryWithWriter(nil, func(c *gin.Context, _ any) { c.Status(http.StatusInternalServerError) }))
			router.Use(ginauth.Handler(tc.auth))
			runs := 0
			router.Use(func(*gin.Context) { runs++ })
			router.GET("/", func(*gin.Context) { runs++ })
			assert.Equal(t, tc.status, ask(t, router, "/", p.client).Code)
			assert.Zero(t, runs)
		})
	}
	router := gin.New()
	router.Use(ginauth.Handler(nil))
	router.GET("/", func(c *gin.Context) { c.Status(http.StatusOK) })
	assert.Equal(t, http.StatusUnauthorized, ask(t, router, "/", p.client).Code, "nil, of no type")
}

// findings T48 and T81: after a request to change the protocol the connection is closed, whatever a
// handler says of it, unless a handler takes it over. Then the answer says nothing of a close, or Go's clients would not change.
func TestHandler_AnUpgrade(t *testing.T) {
	p := newPartner(t)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, stream, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = stream.Flush()
	}))
	defer behind.Close()
	to, err := url.Parse(behind.URL)
	require.NoError(t, err)
	router := gin.New()
	router.Use(ginauth.Handler(p.auth(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()})))
	router.GET("/live", gin.WrapH(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}))
	router.GET("/orders", func(c *gin.Context) { c.String(http.StatusOK, "orders") })
	for path, answer := range map[string]gin.HandlerFunc{
		"/text":   func(c *gin.Context) { c.String(http.StatusOK, "text") },
		"/event":  func(c *gin.Context) { c.SSEvent("message", "text") },
		"/string": func(c *gin.Context) { _, _ = c.Writer.WriteString("text") },
		"/stream": func(c *gin.Context) { c.Writer.Flush() },
		"/status": func(c *gin.Context) { c.Status(http.StatusOK) },
		"/abort":  func(c *gin.Context) { c.AbortWithStatus(http.StatusOK) },
	} {
		router.GET(path, func(c *gin.Context) { c.Header("Connection", "keep-alive") }, answer)
	}
	server := httptest.NewServer(router)
	defer server.Close()
	for _, tc := range []struct {
		path   string
		client *certauthtest.Certificate
		status int
		closed bool
	}{
		{"/live", p.client, 101, false},
		{"/orders", p.client, 200, true},
		{"/live", nil, 401, true},
		{"/text", p.client, 200, true},
		{"/event", p.client, 200, true},
		{"/string", p.client, 200, true},
		{"/stream", p.client, 200, true},
		{"/status", p.client, 200, true},
		{"/abort", p.client, 200, true},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+tc.path, nil)
		require.NoError(t, err)
		if tc.client != nil {
			certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, tc.client)
		}
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		response, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		_ = response.Body.Close()
		assert.Equal(t, tc.status, response.StatusCode)
		assert.Equal(t, tc.closed, response.Close, tc.path)
	}
}

// finding T81: an answer of 101 by a handler that does not take the connection over ends it.
// finding T96: it did not behind gin's Recovery, which recovered the panic that was to close it.
func TestHandler_AnAnswerOf101IsTheLast(t *testing.T) {
	p := newPartner(t)
	router := gin.New()
	router.Use(gin.RecoveryWithWriter(io.Discard)) // as in gin.Default
	router.Use(ginauth.Handler(p.auth(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()})))
	router.GET("/", func(c *gin.Context) {
		c.Header("Connection", "Upgrade")
		c.Header("Upgrade", "websocket")
		c.Status(http.StatusSwitchingProtocols)
		c.Writer.WriteHeaderNow()
	})
	server := httptest.NewServer(router)
	defer server.Close()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, p.client)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n")
	require.NoError(t, err)
	require.NoError(t, r.Header.Write(conn))
	_, err = io.WriteString(conn, "\r\nGET /other HTTP/1.1\r\nHost: app\r\n\r\n")
	require.NoError(t, err)
	answers, err := io.ReadAll(conn)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
	assert.LessOrEqual(t, strings.Count(string(answers), "HTTP/1.1 "), 1, "%s", answers)
}

// finding T97: gin redirects before any middleware, and net/http keeps the connection, unless the fields that
// the package documentation names are false.
func TestHandler_WithoutRedirectsNothingFollowsAnUpgrade(t *testing.T) {
	p := newPartner(t)
	router := gin.New()
	router.RedirectTrailingSlash = false
	router.HandleMethodNotAllowed = true
	router.Use(ginauth.Handler(p.auth(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()})))
	router.GET("/orders", func(c *gin.Context) { c.Status(http.StatusOK) })
	server := httptest.NewServer(router)
	defer server.Close()
	for _, line := range []string{"GET /orders", "GET /orders/", "GET /ORDERS", "GET //orders", "GET /other", "POST /orders", "FOO /orders/", "OPTIONS /orders", "GET http://app/orders/"} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		_, err = io.WriteString(conn, line+" HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /next HTTP/1.1\r\nHost: app\r\n\r\n")
		require.NoError(t, err)
		answers, err := io.ReadAll(conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, line)
		assert.Equal(t, 1, strings.Count(string(answers), "HTTP/1.1 "), "%s: %s", line, answers)
		require.NoError(t, conn.Close())
	}
}

// finding S50: nginx before 1.29.7 sends HTTP/1.0 unless it is told not to. Then Context.Stream panicked
// if the whole router was wrapped, and within a router no deadline could be set.
func TestHandler_HTTP10(t *testing.T) {
	p := newPartner(t)
	auth := p.auth(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()})
	stream := func(c *gin.Context) {
		assert.NoError(t, http.NewResponseController(c.Writer).SetWriteDeadline(time.Time{}))
		c.Stream(func(w io.Writer) bool {
			_, _ = io.WriteString(w, "event")
			return false
		})
	}
	whole, within := gin.New(), gin.New()
	whole.GET("/", stream)
	within.GET("/", ginauth.Handler(auth), stream)
	for name, handler := range map[string]http.Handler{"the whole router": auth.Handler(whole), "within a router": within} {
		server := httptest.NewServer(handler)
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(t, r, p.client)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, "GET / HTTP/1.0\r\nHost: app\r\n")
		require.NoError(t, err)
		require.NoError(t, r.Header.Write(conn))
		_, err = io.WriteString(conn, "\r\n")
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.True(t, strings.HasSuffix(string(answer), "\r\n\r\nevent"), "%s: %s", name, answer)
		_ = conn.Close()
		server.Close()
	}
}
