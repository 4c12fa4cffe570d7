package main

import (
	"context"
	"crypto/x509"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestAdapter_ChiStopsAfterDenial(t *testing.T) {
	partner := newPartner(t)
	var p probe
	backend := serve(t, mount(newAuth(t), &p))
	front := certauthtest.NewAppService(t, backend)
	genuine := partner.issuing.Issue(t, "client")
	yesterday := time.Now().Add(-24 * time.Hour)

	for _, tc := range []struct {
		name   string
		client *http.Client
		url    string
		header http.Header
	}{
		{"no certificate", front.Client(nil), front.URL + "/probe", nil},
		{"no certificate on the administrator's route", front.Client(nil), front.URL + "/probe/admin", nil},
		{"no certificate where there is no route", front.Client(nil), front.URL + "/nowhere", nil},
		{"no certificate and a slash too many", front.Client(nil), front.URL + "/probe/", nil},
		{"a certificate of another CA", front.Client(certauthtest.NewCA(t, "Stranger").Issue(t, "client")), front.URL + "/probe", nil},
		{"a CA of the same name with another key", front.Client(certauthtest.NewCA(t, "Partner Issuing CA").Issue(t, "client")), front.URL + "/probe", nil},
		{"an expired certificate", front.Client(partner.issuing.Issue(t, "client", certauthtest.Valid(yesterday.Add(-time.Hour), yesterday))), front.URL + "/probe", nil},
		{"the header past the front end", direct(), backend + "/probe", http.Header{"X-Arr-Clientcert": {genuine.Base64()}}},
		{"a header that is not a certificate", direct(), backend + "/probe", http.Header{"X-Arr-Clientcert": {"AAAA"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				requireUnauthorized(t, send(t, tc.client, method, tc.url, tc.header))
			}
			assert.Zero(t, p.runs.Load(), "the handler ran")
		})
	}
	t.Run("a certificate of the partner", func(t *testing.T) {
		seen := sightOf(t, send(t, front.Client(genuine), http.MethodGet, front.URL+"/probe", nil))
		assert.Equal(t, thumbprint(genuine), seen.Caller)
		assert.EqualValues(t, 1, p.runs.Load())
	})
}

func TestAdapter_HandlerRunsAtMostOnce(t *testing.T) {
	partner := newPartner(t)
	admin := partner.issuing.Issue(t, "admin", certauthtest.DNS(adminName))
	panics := func(http.ResponseWriter, *http.Request, *certauth.Error) { panic("a bug of the hook") }

	for _, tc := range []struct {
		name         string
		certificate  *certauthtest.Certificate
		method, path string
		change       func(*certauth.Config)
		status       int
		runs         int64
	}{
		{"an admitted request runs it once", admin, http.MethodGet, "/probe", nil, http.StatusOK, 1},
		{"a request through two gates runs it once", admin, http.MethodGet, "/probe/admin", nil, http.StatusOK, 1},
		{"an excluded request runs it once", nil, http.MethodGet, "/open", nil, http.StatusOK, 1},
		{"a handler that panics is not run again", admin, http.MethodPost, "/panic", nil, http.StatusInternalServerError, 1},
		{"a refused request never runs it", nil, http.MethodGet, "/probe", nil, http.StatusUnauthorized, 0},
		{"a refused request never runs it, even if Deny panics", nil, http.MethodGet, "/probe", func(c *certauth.Config) { c.Deny = panics }, http.StatusUnauthorized, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change := tc.change
			if change == nil {
				change = func(*certauth.Config) {}
			}
			var p probe
			front := certauthtest.NewAppService(t, serve(t, recovered(mount(newAuth(t, change), &p))))
			got := send(t, front.Client(tc.certificate), tc.method, front.URL+tc.path, nil)
			assert.Equal(t, tc.status, got.status)
			assert.Equal(t, tc.runs, p.runs.Load())
		})
	}
}

// recovered turns a panic into a 500, as recovery middleware in front does.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				w.WriteHeader(http.StatusInternalServerError)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func TestAdapter_PanicNeverReachesTheHandler(t *testing.T) {
	partner := newPartner(t)
	admin := partner.issuing.Issue(t, "admin", certauthtest.DNS(adminName))

	for _, tc := range []struct {
		name   string
		change func(*certauth.Config)
	}{
		{"a policy that panics", func(c *certauth.Config) {
			c.Policy = certauth.All{c.Policy, certauth.PolicyFunc{
				Name: "broken",
				Func: func(context.Context, *certauth.Identity) error { panic("a bug of the policy") },
			}}
		}},
		{"a source that panics", func(c *certauth.Config) {
			c.Source = certauth.SourceFunc{
				Name: "broken",
				Func: func(*http.Request) ([]*x509.Certificate, error) { panic("a bug of the source") },
			}
		}},
		{"an observer that panics", func(c *certauth.Config) {
			c.Observe = func(context.Context, certauth.Event) { panic("a bug of the observer") }
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var p probe
			front := certauthtest.NewAppService(t, serve(t, mount(newAuth(t, tc.change), &p)))
			requireUnauthorized(t, send(t, front.Client(admin), http.MethodGet, front.URL+"/probe", nil))
			requireUnauthorized(t, send(t, front.Client(admin), http.MethodGet, front.URL+"/probe/admin", nil))
			assert.Zero(t, p.runs.Load(), "the handler ran")
		})
	}

	t.Run("a rule of a route that panics", func(t *testing.T) {
		var p probe
		front := certauthtest.NewAppService(t, serve(t, mount(newAuth(t), &p)))
		got := send(t, front.Client(admin), http.MethodGet, front.URL+"/probe/broken", nil)
		assert.Equal(t, http.StatusForbidden, got.status, "the caller is known")
		assert.Zero(t, p.runs.Load(), "the handler ran")
	})
}

func TestAdapter_CertificateHeaderDoesNotReachTheHandler(t *testing.T) {
	partner := newPartner(t)
	var p probe
	front := certauthtest.NewAppService(t, serve(t, mount(newAuth(t), &p)))
	client := front.Client(partner.issuing.Issue(t, "admin", certauthtest.DNS(adminName)))
	spellings := http.Header{"X_ARR_ClientCert": {"client's own"}, "x-arr.clientcert": {"client's own"}}

	for _, path := range []string{"/probe", "/probe/admin", "/open"} {
		seen := sightOf(t, send(t, client, http.MethodGet, front.URL+path, spellings))
		require.NotEmpty(t, seen.Header["X-Arr-Log-Id"], "the front end's other headers stay")
		requireNoCertificateHeader(t, seen.Header)
	}
}

func TestAdapter_ExcludedRouteHasNoIdentity(t *testing.T) {
	partner := newPartner(t)
	var p probe
	backend := serve(t, mount(newAuth(t), &p))
	front := certauthtest.NewAppService(t, backend)
	genuine := partner.issuing.Issue(t, "client")

	for _, tc := range []struct {
		name   string
		client *http.Client
		url    string
		header http.Header
	}{
		{"without a certificate", front.Client(nil), front.URL, nil},
		{"with a certificate", front.Client(genuine), front.URL, nil},
		{"with a header past the front end", direct(), backend, forged(genuine, "203.0.113.7")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, http.StatusOK, send(t, tc.client, http.MethodGet, tc.url+"/health", tc.header).status)
			seen := sightOf(t, send(t, tc.client, http.MethodGet, tc.url+"/open", tc.header))
			assert.Empty(t, seen.Caller)
			requireNoCertificateHeader(t, seen.Header)
		})
	}
}

func TestAdapter_ConcurrentCallersKeepTheirIdentity(t *testing.T) {
	partner := newPartner(t)
	var p probe
	front := certauthtest.NewAppService(t, serve(t, mount(newAuth(t), &p)))
	certificates := []*certauthtest.Certificate{partner.issuing.Issue(t, "one"), partner.issuing.Issue(t, "two"), nil}

	type call struct {
		want string
		got  answer
		err  error
	}
	calls := make([]call, 48)
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			certificate, path := certificates[i%len(certificates)], "/open"
			if certificate != nil {
				calls[i].want, path = thumbprint(certificate), "/probe"
			}
			calls[i].got, calls[i].err = fetch(t.Context(), front.Client(certificate), http.MethodGet, front.URL+path, nil)
		})
	}
	group.Wait()

	for _, call := range calls {
		require.NoError(t, call.err)
		assert.Equal(t, call.want, sightOf(t, call.got).Caller)
	}
	assert.EqualValues(t, len(calls), p.runs.Load())
}
