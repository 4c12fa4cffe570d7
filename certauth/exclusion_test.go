package certauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// door is an Authenticator with exclusions, whose source returns the same valid certificate for
// every request, and a handler that counts.
type door struct {
	auth     *certauth.Authenticator
	runs     int
	identity bool
	header   http.Header
}

func newDoor(t *testing.T, config certauth.Config) *door {
	t.Helper()
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return &door{auth: auth}
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		d.runs++
		_, d.identity = certauth.FromContext(r.Context())
		d.header = r.Header
	})).ServeHTTP(w, r)
}

// serve runs one request and returns the status and whether the handler ran.
func (d *door) serve(r *http.Request) (int, bool) {
	before := d.runs
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Code, d.runs > before
}

func noCertificate() certauth.Source { return fixedSource("none") }

func excluding(t *testing.T, exclusions ...certauth.Exclusion) *door {
	t.Helper()
	return newDoor(t, certauth.Config{
		Source:     noCertificate(),
		Policy:     certauth.Thumbprints{pinOfNobody},
		Exclusions: exclusions,
	})
}

func public(method, path string) certauth.Exclusion {
	return certauth.Exclusion{Method: method, Path: path, Reason: "probe", Control: "returns no data"}
}

// exclusionStatus sends a target unchanged in the request line, through a real server.
func exclusionStatus(t *testing.T, d *door, method, target string) int {
	t.Helper()
	server := httptest.NewUnstartedServer(d)
	server.Config.DisableGeneralOptionsHandler = true // otherwise the server answers "OPTIONS *" itself
	server.Start()
	t.Cleanup(server.Close)
	return rawStatus(t, server.Listener.Addr().String(),
		method+" "+target+" HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")
}

func TestExclusion_MatchesTheRequestAsServed(t *testing.T) {
	for _, tc := range []struct {
		name, method, target string
		want                 int
	}{
		{"the exact path is excluded", "GET", "/public", 200},
		{"HEAD follows GET", "HEAD", "/public", 200},
		{"the root is not below it", "GET", "/", 401},
		{"a path below is not excluded", "GET", "/public/x", 401},
		{"a trailing slash is another path", "GET", "/public/", 401},
		// GO-2025-3955, CVE-2025-47910: a pattern exempted a path that a router served elsewhere.
		{"the absolute form is never excluded", "GET", "http://h/public", 401},
		{"the asterisk form is never excluded", "OPTIONS", "*", 401},
		{"a path in the query is no path", "GET", "/?/public", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := excluding(t, public("", "/public"), public("OPTIONS", "/cors"))
			assert.Equal(t, tc.want, exclusionStatus(t, d, tc.method, tc.target))
		})
	}
}

// CVE-2025-54576, CVE-2026-41059, CVE-2026-34457 oauth2-proxy; CVE-2026-32811 heimdall.
// finding T31: New accepted paths with characters that net/http keeps in RawPath, and no request
// for them was ever excluded.
func TestExclusion_EveryPathThatNewAcceptsIsExcluded(t *testing.T) {
	accepted := 0
	for c := byte('!'); c <= '~'; c++ {
		path := "/a" + string(c) + "b"
		auth, err := certauth.New(certauth.Config{
			Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: []certauth.Exclusion{public("", path)},
		})
		if err != nil {
			continue
		}
		accepted++
		assert.Equal(t, http.StatusOK, exclusionStatus(t, &door{auth: auth}, http.MethodGet, path), path)
	}
	assert.Equal(t, 26+26+10+len("/-_.~$&+,=:@"), accepted)
}

func TestExclusion_QueryFragmentAndAgentNeverMatter(t *testing.T) {
	d := excluding(t, public("GET", "/public"))
	assert.Equal(t, 200, exclusionStatus(t, d, "GET", "/public?x=/admin"), "a query does not undo the exclusion")
	assert.Equal(t, 401, exclusionStatus(t, d, "GET", "/admin?/public"))
	assert.Equal(t, 401, exclusionStatus(t, d, "GET", "/admin#/public"))
	assert.Equal(t, 401, exclusionStatus(t, d, "GET", "/#/public"))

	r := httptest.NewRequest(http.MethodGet, "/admin", nil)
	r.Header.Set("User-Agent", "HealthCheck/1.0")
	r.Header.Set("X-Original-Url", "/public")
	r.Header.Set("X-Rewrite-Url", "/public")
	r.Header.Set("X-Forwarded-Uri", "/public")
	status, ran := d.serve(r)
	assert.Equal(t, 401, status)
	assert.False(t, ran)
}

// chi and echo route on the escaped path; CVE-2025-66490, CVE-2026-40912 Traefik;
// CVE-2026-42272 heimdall.
func TestExclusion_EncodedPathIsNeverExempt(t *testing.T) {
	d := excluding(t, public("GET", "/public"), public("GET", "/public/x"))
	for _, target := range []string{"/%70ublic", "/public%2fx", "/public%2Fx", "/public%2F..", "/public%00", "/public%20"} {
		assert.Equal(t, 401, exclusionStatus(t, d, "GET", target), target)
	}
}

// CVE-2026-33494 oathkeeper; CVE-2026-48020 Traefik; FileServer serves the file behind %2e%2e.
func TestExclusion_DotSegmentsAreNeverExempt(t *testing.T) {
	d := excluding(t, public("GET", "/public"), public("GET", "/public/x"))
	for _, target := range []string{"/public/.", "/./public", "/public/../admin", "/public/../public", "/public/%2e%2e/admin", "/a/../public"} {
		assert.Equal(t, 401, exclusionStatus(t, d, "GET", target), target)
	}
}

// GHSA-gx7w-56w6-g48x Caddy; App Service's own exclusion paths match by prefix.
func TestExclusion_SiblingIsNeverExempt(t *testing.T) {
	d := excluding(t, public("GET", "/health"))
	for _, target := range []string{"/healthz", "/health-admin", "/health.json", "/healt", "/health/x"} {
		assert.Equal(t, 401, exclusionStatus(t, d, "GET", target), target)
	}
}

// CVE-2026-27587, CVE-2026-52844 Caddy; CVE-2026-42273 heimdall.
func TestExclusion_CaseVariantIsNotExempt(t *testing.T) {
	d := excluding(t, public("GET", "/public"))
	for _, target := range []string{"/PUBLIC", "/Public", "/publiC"} {
		assert.Equal(t, 401, exclusionStatus(t, d, "GET", target), target)
	}
}

// CVE-2020-36565, CVE-2026-25766 echo: a backslash was a separator on Windows.
func TestExclusion_OddSeparatorsAreNeverExempt(t *testing.T) {
	d := excluding(t, public("GET", "/public"))
	for _, target := range []string{"//public", "/public//", `/public\..\admin`, `/\public`, "/public;/x", "/public;", "/;/public"} {
		assert.Equal(t, 401, exclusionStatus(t, d, "GET", target), target)
	}
}

func TestExclusion_MethodIsPartOfTheMatch(t *testing.T) {
	for _, tc := range []struct {
		name, method string
		excluded     certauth.Exclusion
		want         int
	}{
		{"GET is the default", "GET", public("", "/public"), 200},
		{"POST is not GET", "POST", public("", "/public"), 401},
		{"DELETE is not GET", "DELETE", public("GET", "/public"), 401},
		{"a method in lower case is another method", "get", public("GET", "/public"), 401},
		{"POST may be excluded", "POST", public("POST", "/public"), 200},
		{"GET does not follow POST", "GET", public("POST", "/public"), 401},
		{"HEAD does not follow POST", "HEAD", public("POST", "/public"), 401},
		{"GET does not follow HEAD", "GET", public("HEAD", "/public"), 401},
		{"CONNECT is never excluded", "CONNECT", public("GET", "/public"), 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want, exclusionStatus(t, excluding(t, tc.excluded), tc.method, "/public"))
		})
	}
}

// azure-docs #111230: a header on an excluded path was treated as authentication.
func TestExclusion_ExemptRequestHasNoIdentity(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	d := newDoor(t, certauth.Config{
		Source:     headerSource{cert: leaf.Certificate},
		Policy:     certauth.Certificates(leaf.Certificate),
		Exclusions: []certauth.Exclusion{public("", "/public")},
	})
	r := httptest.NewRequest(http.MethodGet, "/private", nil)
	r.Header.Set("X-Client-Cert", "present")
	status, ran := d.serve(r)
	require.Equal(t, 200, status)
	require.True(t, ran && d.identity, "the certificate is a good one")

	r = httptest.NewRequest(http.MethodGet, "/public", nil)
	r.Header.Set("X-Client-Cert", "present")
	r.Header["X_client.cert"] = []string{"present"}
	status, ran = d.serve(r)
	assert.Equal(t, 200, status)
	assert.True(t, ran)
	assert.False(t, d.identity)
	assert.Empty(t, d.header, "the certificate headers are stripped on an excluded route too")

	t.Run("not even the identity of an outer Authenticator", func(t *testing.T) {
		outer, err := certauth.New(certauth.Config{
			Source: fixedSource("outer", leaf.Certificate),
			Policy: certauth.Certificates(leaf.Certificate),
		})
		require.NoError(t, err)
		w := httptest.NewRecorder()
		outer.Handler(d).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/public", nil))
		assert.Equal(t, 200, w.Code)
		assert.False(t, d.identity)
	})
}

func TestExclusion_RewrittenPathIsNotExempt(t *testing.T) {
	d := excluding(t, public("GET", "/public"))
	w := httptest.NewRecorder()
	http.StripPrefix("/admin", d).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/admin/public", nil))
	assert.Equal(t, 401, w.Code, "the client asked for /admin/public")
}

func TestExclusion_MistakesAreErrorsOfNew(t *testing.T) {
	for _, tc := range []struct {
		name string
		give certauth.Exclusion
		want string
	}{
		{"no reason", certauth.Exclusion{Path: "/a", Control: "c"}, "Exclusions[0].Reason: empty"},
		{"a blank reason", certauth.Exclusion{Path: "/a", Reason: " ", Control: "c"}, "Exclusions[0].Reason: empty"},
		{"no control", certauth.Exclusion{Path: "/a", Reason: "r"}, "Exclusions[0].Control: empty"},
		{"no path", public("", ""), "Exclusions[0].Path: "},
		{"a relative path", public("", "health"), "does not start with a slash"},
		{"a method in the path", public("", "GET /health"), "the method has a field of its own"},
		{"a trailing slash", public("", "/health/"), "is not clean"},
		{"a dot segment", public("", "/a/../b"), "is not clean"},
		{"a double slash", public("", "//a"), "is not clean"},
		{"a wildcard", public("", "/health*"), "would never match"},
		{"a route pattern", public("", "/{id}"), "would never match"},
		{"an escape", public("", "/%68ealth"), "would never match"},
		{"a query", public("", "/health?x"), "would never match"},
		{"a semicolon", public("", "/health;x"), "would never match"},
		{"a backslash", public("", `/health\x`), "would never match"},
		{"a space", public("", "/a b"), "would never match"},
		{"a letter outside ASCII", public("", "/gesundheit/ü"), "would never match"},
		{"CONNECT", public("CONNECT", "/a"), "CONNECT cannot be excluded"},
		{"a method in lower case", public("get", "/a"), "Exclusions[0].Method: "},
		{"no method but a space", public("GET ", "/a"), "Exclusions[0].Method: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{
				Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody},
				Exclusions: []certauth.Exclusion{tc.give},
			})
			assert.ErrorContains(t, err, tc.want)
		})
	}
	t.Run("the same request twice", func(t *testing.T) {
		_, err := certauth.New(certauth.Config{
			Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody},
			Exclusions: []certauth.Exclusion{public("", "/a"), public("GET", "/a"), public("POST", "/a")},
		})
		assert.ErrorContains(t, err, `Exclusions[1].Path: "GET /a" is excluded twice`)
	})
}

// A request is excluded only if the target equals the URL that handlers see.
func TestExclusion_RewrittenURLIsNotExempt(t *testing.T) {
	for name, rewrite := range map[string]func(*http.Request){
		"another path":        func(r *http.Request) { r.URL.Path = "/admin" },
		"an encoded path":     func(r *http.Request) { r.URL.RawPath = "/%70ublic" },
		"an opaque URL":       func(r *http.Request) { r.URL.Opaque = "/admin" },
		"another host":        func(r *http.Request) { r.URL.Host = "h" },
		"another target":      func(r *http.Request) { r.RequestURI = "/admin" },
		"no target":           func(r *http.Request) { r.RequestURI = "" },
		"no URL":              func(r *http.Request) { r.URL = nil },
		"an empty URL":        func(r *http.Request) { r.URL = &url.URL{} },
		"another method":      func(r *http.Request) { r.Method = http.MethodPut },
		"nothing, as control": nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := excluding(t, public("", "/public"))
			r := request()
			r.RequestURI, r.URL.Path = "/public", "/public"
			want := 200
			if rewrite != nil {
				rewrite(r)
				want = 401
			}
			status, ran := d.serve(r)
			assert.Equal(t, want, status)
			assert.Equal(t, want == 200, ran)
		})
	}
}

// finding R34: if an Exclusion does not apply to a request for its path, the hint was to add one.
// finding O66: so it was for another method or spelling, and for a CORS preflight to look at the front end.
func TestExclusion_TheHintSaysWhyItDoesNotApply(t *testing.T) {
	t.Setenv("WEBSITE_AUTH_ENCRYPTION_KEY", healthKey)
	platform := public("", "/health")
	platform.AppServiceHealth = true
	const token, rewritten, none = "Linux plans send none", "rewritten before this middleware", "needs an entry in Config.Exclusions"
	for _, tc := range []struct {
		name       string
		exclusions []certauth.Exclusion
		method     string
		target     string
		within     string // prefix that a router outside has stripped
		want       string
	}{
		{"a probe without the token", []certauth.Exclusion{public("POST", "/health"), platform}, "GET", "/health", "", token},
		{"the path as the handler sees it", []certauth.Exclusion{public("", "/health")}, "HEAD", "/api/health?full", "/api", rewritten},
		{"the path as the client sends it", []certauth.Exclusion{public("", "/api/health")}, "GET", "/api/health", "/api", rewritten},
		{"an escaped path", []certauth.Exclusion{platform}, "GET", "/%68ealth", "", rewritten},
		{"another method", []certauth.Exclusion{platform}, "PUT", "/health", "", "the Exclusion GET /health is not for the method of this request"},
		{"a slash at the end", []certauth.Exclusion{public("POST", "/health"), platform}, "HEAD", "/health/?full", "", "the Exclusion GET /health is not for this spelling of the path"},
		{"another letter case", []certauth.Exclusion{public("", "/Health/live")}, "GET", "/health/live", "", "the Exclusion GET /Health/live is not for this spelling of the path"},
		{"another method and spelling", []certauth.Exclusion{platform}, "PUT", "/health/", "", none},
		{"a preflight", []certauth.Exclusion{platform}, "OPTIONS", "/health", "", "a browser sends no certificate with a CORS preflight"},
		{"a preflight of another spelling", []certauth.Exclusion{public("OPTIONS", "/health")}, "OPTIONS", "/%68ealth", "", rewritten},
		{"another path", []certauth.Exclusion{platform}, "GET", "/healthz", "", none},
	} {
		var hint string
		auth := must(t, certauth.Config{
			Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: tc.exclusions,
			Observe: func(_ context.Context, e certauth.Event) { hint = e.Err.Hint },
		})
		server := httptest.NewServer(http.StripPrefix(tc.within, auth.Handler(http.NotFoundHandler())))
		status := rawStatus(t, server.Listener.Addr().String(), tc.method+" "+tc.target+" HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: GET\r\nConnection: close\r\n\r\n")
		server.Close()
		assert.Equal(t, http.StatusUnauthorized, status, tc.name)
		assert.Contains(t, hint, tc.want, tc.name)
	}

	// Check ignores exclusions.
	auth := must(t, certauth.Config{Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: []certauth.Exclusion{public("", "/health")}})
	_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/health", nil))
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	assert.Contains(t, refused.Hint, none)
}
