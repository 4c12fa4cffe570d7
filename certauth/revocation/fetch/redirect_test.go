package fetch_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// recorder stores the requests that reach a server.
type recorder struct {
	mu   sync.Mutex
	seen []*http.Request
}

func (c *recorder) add(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, r)
}

func (c *recorder) paths() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var paths []string
	for _, r := range c.seen {
		paths = append(paths, r.URL.Path)
	}
	return paths
}

// redirecting answers a path that is a location's name with this location, and "/end" with an
// answer.
func redirecting(t *testing.T, status int, locations map[string]string) (*httptest.Server, *recorder) {
	t.Helper()
	seen := &recorder{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		location, ok := locations[r.URL.Path]
		if !ok {
			fmt.Fprint(w, "answer")
			return
		}
		w.Header().Set("Location", location)
		w.WriteHeader(status)
	})
	return server, seen
}

// Adversarial tests 54 and 61: where redirects must not lead, and that nothing is dialled.
func TestFetch_RedirectsThatAreNotFollowed(t *testing.T) {
	resolver := names{"public.example": {{"9.9.9.9"}}, "inside.example": {{"10.0.0.1"}}}.resolver(t)
	blocked := []error{fetch.ErrRedirect, fetch.ErrBlockedURL}
	denied := []error{fetch.ErrRedirect, fetch.ErrBlockedAddress}
	for _, c := range []struct {
		name, location string
		want           []error
	}{
		{"61: to file:", "file:///etc/passwd", blocked},
		{"61: to the metadata service", "http://169.254.169.254/latest/meta-data/", denied},
		{"61: to loopback", "http://127.0.0.1/", denied},
		{"61: to loopback in two parts", "http://127.1/", denied},
		{"61: to loopback of IPv6 without a scheme", "//[::1]/", denied},
		{"61: to a private address by name", "http://inside.example/", denied},
		{"to another port", "http://public.example:22/", blocked},
		{"to ldap", "ldap://public.example/", blocked},
		{"to javascript", "javascript:alert(1)", blocked},
		{"with user information", "http://user:secret@public.example/", blocked},
		{"with a fragment", "http://public.example/#secret", blocked},
		{"with a space", "http://public.example/a b", blocked},
		{"with a backslash", `http:\\127.0.0.1\`, blocked},
		{"with bytes beyond ASCII", "http://public.example/\u00f6", blocked},
		{"with a broken escape", "http://public.example/secret/%zz", blocked},
		{"over 2 KiB", "/" + strings.Repeat("a", 2048), blocked},
		{"with a relative one that makes it longer than 2 KiB", "/" + strings.Repeat("a", 2030), blocked},
		{"without a location", "", []error{fetch.ErrRedirect}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, seen := redirecting(t, http.StatusFound, map[string]string{"/secret": c.location})
			f := newFetcher(t, fetch.HTTPOptions{Resolver: resolver})
			dialled := fetch.Divert(f, server.Listener.Addr().String())
			refused(t, f, forCRL("http://public.example/secret"), c.want...)
			refused(t, f, forOCSP("http://public.example/secret"), fetch.ErrRedirect)
			assert.Equal(t, []string{"/secret", "/secret"}, seen.paths())
			assert.Subset(t, []string{"9.9.9.9:80"}, dialled.Addresses())
		})
	}
	t.Run("with two locations", func(t *testing.T) {
		server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Location"] = []string{"/a", "/b"}
			w.WriteHeader(http.StatusFound)
		})
		f := newFetcher(t, reaching(t, server.URL))
		refused(t, f, forCRL(server.URL), fetch.ErrRedirect)
	})
}

func TestFetch_RedirectsAreCounted(t *testing.T) {
	chain := map[string]string{"/0": "/1", "/1": "/2", "/2": "/3", "/loop": "/loop"}
	for _, c := range []struct {
		name      string
		kind      func(string) fetch.Request
		path      string
		requested []string
		want      error
	}{
		{"54: a captive portal redirects OCSP", forOCSP, "/2", []string{"/2"}, fetch.ErrRedirect},
		{"one for a list", forCRL, "/2", []string{"/2", "/3"}, nil},
		{"two for a list", forCRL, "/1", []string{"/1", "/2", "/3"}, nil},
		{"three for a list", forCRL, "/0", []string{"/0", "/1", "/2"}, fetch.ErrRedirect},
		{"61: a loop", forCRL, "/loop", []string{"/loop", "/loop", "/loop"}, fetch.ErrRedirect},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, status := range []int{301, 302, 303, 307, 308} {
				server, seen := redirecting(t, status, chain)
				f := newFetcher(t, reaching(t, server.URL))
				if c.want != nil {
					err := refused(t, f, c.kind(server.URL+c.path), c.want)
					assert.NotErrorIs(t, err, fetch.ErrBlockedURL)
				} else {
					response, err := f.Fetch(t.Context(), c.kind(server.URL+c.path))
					require.NoError(t, err)
					assert.Equal(t, "answer", string(response.Body))
				}
				assert.Equal(t, c.requested, seen.paths(), status)
			}
		})
	}
	t.Run("other statuses of the class lead nowhere", func(t *testing.T) {
		for _, status := range []int{300, 304, 305, 306, 399} {
			server, seen := redirecting(t, status, map[string]string{"/0": "/1"})
			f := newFetcher(t, reaching(t, server.URL))
			refused(t, f, forCRL(server.URL+"/0"), fetch.ErrHTTPStatus)
			assert.Equal(t, []string{"/0"}, seen.paths())
		}
	})
}

// Data sent to one responder is not passed on to the target of its redirect.
func TestFetch_RedirectCarriesNothingOn(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		server, seen := redirecting(t, status, map[string]string{"/0": "/1"})
		f := newFetcher(t, reaching(t, server.URL))
		refused(t, f, post(server.URL+"/0", "secret"), fetch.ErrRedirect)
		assert.Equal(t, []string{"/0"}, seen.paths(), "a POST is not redirected")
	}
	seen := &recorder{}
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		seen.add(r)
		if r.URL.Path == "/0" {
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/"})
			w.Header().Set("Location", "/1?b")
			w.WriteHeader(http.StatusFound)
		}
	})
	f := newFetcher(t, reaching(t, server.URL))
	r := forCRL(server.URL + "/0?secret")
	r.ETag = `"known"`
	_, err := f.Fetch(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, seen.seen, 2)
	assert.Equal(t, http.Header{
		"User-Agent": {"go-certauth"}, "Accept-Encoding": {"identity"}, "Accept": {"application/pkix-crl, */*;q=0.5"}, "If-None-Match": {`"known"`},
	}, seen.seen[1].Header)
	assert.Equal(t, "b", seen.seen[1].URL.RawQuery)
}

func TestFetch_RedirectNeverLeavesTLS(t *testing.T) {
	plain, seen := redirecting(t, http.StatusFound, nil)
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, "secure")
			return
		}
		http.Redirect(w, r, plain.URL, http.StatusFound)
	}))
	t.Cleanup(secure.Close)
	upgrade, _ := redirecting(t, http.StatusFound, map[string]string{"/up": secure.URL, "/down": secure.URL + "/down"})
	o := fetch.HTTPOptions{AllowNets: nets("127.0.0.1/32"), RootCAs: x509.NewCertPool()}
	for _, server := range []*httptest.Server{plain, secure, upgrade} {
		o.AllowPorts = append(o.AllowPorts, portOf(t, server.URL))
	}
	o.RootCAs.AddCert(secure.Certificate())
	f := newFetcher(t, o)
	t.Run("61: https to http", func(t *testing.T) {
		err := refused(t, f, forCRL(secure.URL+"/down"), fetch.ErrRedirect)
		assert.Contains(t, err.Error(), "from https to http")
		refused(t, f, forCRL(upgrade.URL+"/down"), fetch.ErrRedirect)
		assert.Empty(t, seen.paths())
	})
	t.Run("http to https", func(t *testing.T) {
		response, err := f.Fetch(t.Context(), forCRL(upgrade.URL+"/up"))
		require.NoError(t, err)
		assert.Equal(t, "secure", string(response.Body))
	})
}

// finding K250: a redirect that names the port that a configured URL leaves out, or the other way round, lost the
// permission of the URL, although both have one origin (RFC 6454, sections 4 and 5).
func TestFetch_ARedirectMayNameTheUsualPort(t *testing.T) {
	denied := []error{fetch.ErrRedirect, fetch.ErrBlockedAddress}
	for _, c := range []struct {
		name, url, location string
		want                []error
	}{
		{"only the redirect names it", "http://10.1.0.5/0", "http://10.1.0.5:80/end", nil},
		{"only the URL names it", "http://10.1.0.5:80/0", "http://10.1.0.5/end", nil},
		{"the port of https is another origin", "http://10.1.0.5/0", "http://10.1.0.5:443/end", denied},
		{"https on the same port is another origin", "http://10.1.0.5:443/0", "https://10.1.0.5/end", denied},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, seen := redirecting(t, http.StatusFound, map[string]string{"/0": c.location})
			f := newFetcher(t, fetch.HTTPOptions{})
			fetch.Divert(f, server.Listener.Addr().String())
			if c.want != nil {
				refused(t, f, configured(forCRL(c.url)), c.want...)
				return
			}
			_, err := f.Fetch(t.Context(), configured(forCRL(c.url)))
			require.NoError(t, err)
			assert.Equal(t, []string{"/0", "/end"}, seen.paths())
		})
	}
}

// The operator wrote only the first URL: a redirect keeps its permissions at the same origin and
// nowhere else.
func TestFetch_RedirectOfAConfiguredURLStaysAtItsOrigin(t *testing.T) {
	other, seen := redirecting(t, http.StatusFound, nil)
	for _, c := range []struct {
		name, location string
		want           []error
	}{
		{"a path of the same origin is followed", "/end", nil},
		{"the same origin in full is followed", "http://127.0.0.1:%[1]d/end", nil},
		{"another port is not", other.URL, []error{fetch.ErrRedirect, fetch.ErrBlockedURL}},
		{"another name of the address is not", "http://localhost:%[1]d/end", []error{fetch.ErrRedirect, fetch.ErrBlockedURL}},
		{"an allowed port of the same host is not", "http://127.0.0.1/", []error{fetch.ErrRedirect, fetch.ErrBlockedAddress}},
	} {
		t.Run(c.name, func(t *testing.T) {
			locations := map[string]string{}
			server, _ := redirecting(t, http.StatusFound, locations)
			locations["/0"] = c.location
			if strings.Contains(c.location, "%") {
				locations["/0"] = fmt.Sprintf(c.location, portOf(t, server.URL))
			}
			f := newFetcher(t, fetch.HTTPOptions{})
			if c.want != nil {
				refused(t, f, configured(forCRL(server.URL+"/0")), c.want...)
				return
			}
			_, err := f.Fetch(t.Context(), configured(forCRL(server.URL+"/0")))
			require.NoError(t, err)
		})
	}
	assert.Empty(t, seen.paths())
}
