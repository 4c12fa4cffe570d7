package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// partner holds the CA that the program trusts.
type partner struct{ root, issuing *certauthtest.CA }

// newPartner sets the environment as App Service and its operator do.
func newPartner(t *testing.T) partner {
	t.Helper()
	root := certauthtest.NewCA(t, "Partner Root CA")
	p := partner{root: root, issuing: root.NewIntermediate(t, "Partner Issuing CA")}
	t.Setenv("WEBSITE_SITE_NAME", "example")
	t.Setenv("WEBSITE_INSTANCE_ID", "instance-0")
	t.Setenv("CLIENT_CA_FILE", writeFile(t, "roots.pem", p.root.PEM()))
	t.Setenv("CLIENT_ISSUING_CA_FILE", writeFile(t, "issuing.pem", p.issuing.PEM()))
	return p
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o600))
	return file
}

// newAuth returns the program's Authenticator, with /open also excluded.
func newAuth(t *testing.T, change ...func(*certauth.Config)) *certauth.Authenticator {
	t.Helper()
	config := newConfig()
	config.Logger = nil
	config.Exclusions = append(config.Exclusions, certauth.Exclusion{Path: "/open", Reason: "test", Control: "test"})
	for _, f := range change {
		f(&config)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	return auth
}

// brokenRule is a rule of a route whose code has a bug.
var brokenRule = certauth.PolicyFunc{
	Name: "broken",
	Func: func(context.Context, *certauth.Identity) error { panic("a bug of the rule") },
}

// serveProgram runs the program's own server on a loopback port.
func serveProgram(t *testing.T) string {
	t.Helper()
	auth := newAuth(t)
	config, err := newServer(auth, newRouter(auth))
	require.NoError(t, err)
	return start(t, config)
}

// serve runs a server with this handler on a loopback port.
func serve(t *testing.T, handler http.Handler) string {
	t.Helper()
	return start(t, &http.Server{Handler: handler, ConnContext: certauth.ConnContext, ReadHeaderTimeout: 10 * time.Second})
}

func start(t *testing.T, config *http.Server) string {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.Config = config
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// probe is a route handler that counts its runs and answers with what reached it.
type probe struct{ runs atomic.Int64 }

type sight struct {
	Caller string // thumbprint of the identity in the context
	Header http.Header
}

func (p *probe) see(r *http.Request) sight {
	p.runs.Add(1)
	seen := sight{Header: r.Header}
	if id, ok := certauth.FromContext(r.Context()); ok {
		seen.Caller = id.Thumbprint()
	}
	return seen
}

func thumbprint(certificate *certauthtest.Certificate) string {
	sum := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(sum[:])
}

// answer is a response that was read completely.
type answer struct {
	status int
	header http.Header
	body   string
}

func send(t *testing.T, client *http.Client, method, url string, header http.Header) answer {
	t.Helper()
	got, err := fetch(t.Context(), client, method, url, header)
	require.NoError(t, err)
	return got
}

// fetch is send for goroutines, which must not end the test.
func fetch(ctx context.Context, client *http.Client, method, url string, header http.Header) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	maps.Copy(request.Header, header) // without canonicalization
	once := *client
	once.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := once.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// direct returns a client that reaches the program without the front end.
func direct() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
}

// forged returns what an attacker that reaches the program directly sends to imitate the front end:
// all of its headers, and a genuine certificate of another client.
func forged(certificate *certauthtest.Certificate, clientIP string) http.Header {
	header := http.Header{}
	certauthtest.SetAppServiceHeaders(header, &http.Request{
		RemoteAddr: clientIP + ":4711",
		TLS:        &tls.ConnectionState{PeerCertificates: []*x509.Certificate{certificate.Certificate}},
	})
	for _, name := range []string{"X-Forwarded-For", "X-Real-Ip", "True-Client-Ip"} {
		header.Set(name, clientIP)
	}
	return header
}

// requireUnauthorized requires the complete refusal and nothing after it: a handler that ran
// nevertheless would have appended its own answer.
func requireUnauthorized(t *testing.T, got answer) {
	t.Helper()
	require.Equal(t, http.StatusUnauthorized, got.status)
	assert.NotEmpty(t, got.header.Get("WWW-Authenticate"), "RFC 9110, section 15.5.2")
	assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, got.body)
}

func sightOf(t *testing.T, got answer) sight {
	t.Helper()
	require.Equal(t, http.StatusOK, got.status, got.body)
	var seen sight
	require.NoError(t, json.Unmarshal([]byte(got.body), &seen))
	return seen
}

// requireNoCertificateHeader checks every spelling that a server may treat as the header's name.
func requireNoCertificateHeader(t *testing.T, header http.Header) {
	t.Helper()
	fold := strings.NewReplacer("_", "-", ".", "-")
	for name := range header {
		assert.NotEqual(t, "x-arr-clientcert", fold.Replace(strings.ToLower(name)))
	}
}
