package fetch_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// Adversarial test 65: a proxy from the environment would make the connection instead of the guard.
// net/http reads the environment once per process, so the fetch runs in a separate one. The target
// is not on loopback, which net/http exempts.
func TestFetch_EnvironmentNamesNoProxy(t *testing.T) {
	if os.Getenv("HTTP_PROXY") == "" || os.Getenv("CERTAUTH_TEST") != t.Name() {
		proxy := newCounter(t)
		child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		child.Env = append(os.Environ(), "CERTAUTH_TEST="+t.Name(), "NO_PROXY=", "no_proxy=")
		for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"} {
			child.Env = append(child.Env, name+"=http://"+proxy.address)
		}
		output, err := child.CombinedOutput()
		require.NoError(t, err, "%s", output)
		assert.Contains(t, string(output), "--- PASS: "+t.Name())
		assert.Zero(t, proxy.connections(t))
		return
	}
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "answer") })
	f := newFetcher(t, fetch.HTTPOptions{Resolver: names{"ocsp.example": {{"9.9.9.9"}}}.resolver(t)})
	dialled := fetch.Divert(f, server.Listener.Addr().String())
	for _, r := range []fetch.Request{forOCSP("http://ocsp.example/"), configured(forCRL("http://ocsp.example/"))} {
		response, err := f.Fetch(t.Context(), r)
		require.NoError(t, err)
		assert.Equal(t, "answer", string(response.Body))
	}
	refused(t, f, forOCSP("https://ocsp.example/"), fetch.ErrTransport) // the server speaks no TLS
	assert.Equal(t, []string{"9.9.9.9:80", "9.9.9.9:80", "9.9.9.9:443"}, dialled.Addresses())
}

// fakeProxy answers requests itself and connects tunnels to one server.
type fakeProxy struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string
	headers []http.Header
}

func newFakeProxy(t *testing.T, tunnel string) *fakeProxy {
	t.Helper()
	p := &fakeProxy{}
	p.Server = serve(t, func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.asked, p.headers = append(p.asked, r.Method+" "+r.RequestURI), append(p.headers, r.Header)
		p.mu.Unlock()
		if r.Method != http.MethodConnect {
			fmt.Fprint(w, "by proxy")
			return
		}
		inner, err := net.Dial("tcp", tunnel)
		if !assert.NoError(t, err) {
			return
		}
		defer inner.Close()
		outer, buffered, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		defer outer.Close()
		// This happens after Hijack: before it, the server might read the following bytes.
		_, err = io.WriteString(outer, "HTTP/1.1 200 OK\r\n\r\n")
		assert.NoError(t, err)
		go func() {
			_, _ = io.Copy(inner, buffered)
			inner.Close()
		}()
		_, _ = io.Copy(outer, inner)
	})
	return p
}

func (p *fakeProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *fakeProxy) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse(p.URL)
	require.NoError(t, err)
	return u
}

// F3: a proxy bypasses the guard, so every address of the host is checked beforehand.
func TestFetch_ProxyIsAskedForJudgedHostsOnly(t *testing.T) {
	resolver := names{
		"public.example":  {{"9.9.9.9", "2620:fe::fe"}},
		"mixed.example":   {{"9.9.9.9", "10.0.0.1"}},
		"six.example":     {{"9.9.9.9", "::1"}},
		"private.example": {{"10.0.0.1"}},
		"nothing.example": {{}},
		"allowed.example": {{"10.0.0.1"}},
	}.resolver(t)
	for _, c := range []struct {
		name    string
		request fetch.Request
		asked   string // empty: refused
		want    error
	}{
		{"a public name", forOCSP("http://public.example/a?b"), "GET http://public.example/a?b", nil},
		{"a public address", forOCSP("http://9.9.9.9/"), "GET http://9.9.9.9/", nil},
		{"a name with one private address of two", forOCSP("http://mixed.example/"), "", fetch.ErrBlockedAddress},
		{"a name that is loopback over IPv6", forOCSP("http://six.example/"), "", fetch.ErrBlockedAddress},
		{"a private name", forOCSP("http://private.example/"), "", fetch.ErrBlockedAddress},
		{"a private name over TLS", forOCSP("https://private.example/"), "", fetch.ErrBlockedAddress},
		{"a private name of AllowHosts", forOCSP("http://allowed.example/"), "GET http://allowed.example/", nil},
		{"the metadata service", forOCSP("http://169.254.169.254/"), "", fetch.ErrBlockedAddress},
		{"loopback in two parts", forOCSP("http://127.1/"), "", fetch.ErrBlockedAddress},
		{"localhost", forOCSP("http://localhost/"), "", fetch.ErrBlockedAddress},
		{"a name that does not exist", forOCSP("http://nobody.example/"), "", fetch.ErrTransport},
		{"a name without addresses", forOCSP("http://nothing.example/"), "", fetch.ErrTransport},
		{"a configured name that the proxy alone knows", configured(forOCSP("http://nobody.example:8080/")), "GET http://nobody.example:8080/", nil},
		{"a configured private address", configured(forOCSP("http://10.0.0.1/")), "GET http://10.0.0.1/", nil},
		{"the metadata service, configured", configured(forOCSP("http://169.254.169.254/")), "", fetch.ErrBlockedAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			proxy := newFakeProxy(t, "")
			f := newFetcher(t, fetch.HTTPOptions{Proxy: proxy.url(t), AllowHosts: []string{"allowed.example"}, Resolver: resolver})
			if c.asked == "" {
				refused(t, f, c.request, c.want)
				assert.Empty(t, proxy.requests())
				return
			}
			response, err := f.Fetch(t.Context(), c.request)
			require.NoError(t, err)
			assert.Equal(t, "by proxy", string(response.Body))
			assert.Equal(t, []string{c.asked}, proxy.requests())
		})
	}
}

// finding K104: where only the proxy resolves public names, the error for each name in a certificate was
// that it does not exist.
func TestFetch_SaysThatANameIsLookedUpBeforeTheProxyIsAsked(t *testing.T) {
	proxy := newFakeProxy(t, "")
	f := newFetcher(t, fetch.HTTPOptions{Proxy: proxy.url(t), Resolver: names{}.resolver(t)})
	_, err := f.Fetch(t.Context(), forCRL("http://nobody.example/"))
	require.ErrorIs(t, err, fetch.ErrTransport)
	assert.ErrorContains(t, err, "the proxy is asked only for names that can be resolved here")
	assert.Contains(t, advice.In(err), "revocation.Config.Responders")
}

func TestFetch_ProxyWithTheDefaultResolver(t *testing.T) {
	proxy := newFakeProxy(t, "")
	f := newFetcher(t, fetch.HTTPOptions{Proxy: proxy.url(t)})
	refused(t, f, forOCSP("http://localhost/"), fetch.ErrBlockedAddress)
	assert.Empty(t, proxy.requests())
}

func TestFetch_ProxyTunnelsTLS(t *testing.T) {
	secure := newTLSServer(t, nil) // its certificate is for example.com
	proxy := newFakeProxy(t, secure.Listener.Addr().String())
	address := proxy.url(t)
	address.User = url.UserPassword("user", "secret")
	f := newFetcher(t, fetch.HTTPOptions{Proxy: address, RootCAs: poolOf(secure), Resolver: names{"example.com": {{"9.9.9.9"}}}.resolver(t)})
	address.User = nil // the options are copied
	response, err := f.Fetch(t.Context(), forOCSP("https://example.com/"))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", string(response.Body))
	assert.Equal(t, []string{"CONNECT example.com:443"}, proxy.requests())
	assert.Equal(t, "go-certauth", proxy.headers[0].Get("User-Agent"))
	assert.Equal(t, "Basic dXNlcjpzZWNyZXQ=", proxy.headers[0].Get("Proxy-Authorization"))
}

// The proxy's own address is configured by the operator, and checked as such.
func TestFetch_ProxyOnAnAddressOfThePlatformIsRefused(t *testing.T) {
	for _, address := range []string{"http://169.254.169.254:3128", "http://168.63.129.16", "http://proxy.example"} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		f := newFetcher(t, fetch.HTTPOptions{Proxy: u, Resolver: names{"proxy.example": {{"169.254.1.1"}}}.resolver(t)})
		dialled := fetch.Divert(f, "")
		refused(t, f, forOCSP("http://9.9.9.9/"), fetch.ErrBlockedAddress)
		refused(t, f, configured(forOCSP("http://9.9.9.9/")), fetch.ErrBlockedAddress)
		assert.Empty(t, dialled.Addresses())
	}
}
