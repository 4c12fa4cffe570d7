// Package unittest supports tests of parts of a service: handlers that read an identity, and the
// service's own sources and policies. For a test of the whole service see
// certauthtest.TestHandler.
//
// It is separate from package certauthtest because it imports certauth, whose own tests import
// certauthtest.
package unittest

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// Context returns a context in which certauth.FromContext finds the identity of the client, with
// the roles as the names in Identity.Matched. It is for the test of a handler that normally runs
// behind an Authenticator which is not part of the test:
//
//	r := httptest.NewRequestWithContext(unittest.Context(t, t.Context(), client, "operator"), "GET", "/", nil)
//	handler.ServeHTTP(w, r)
//
// It is a real identity, as established by an Authenticator whose policy pins the certificate:
// its names are vouched for, Chains is empty, and revocation was not checked. That Authenticator
// is made for this call. Require of any other Authenticator refuses the identity with 401, and so
// does its Handler, which judges the request itself. To test a route with Require, send the
// request through the service's own Handler; certauthtest.FrontEnd makes a request that is
// accepted.
//
// The test ends if no policy could accept the client, for example because it has expired, if a
// role is empty, or if the context has ended. Outside of tests Context panics.
func Context(tb testing.TB, ctx context.Context, client *certauthtest.Certificate, roles ...string) context.Context {
	tb.Helper()
	if !testing.Testing() {
		panic("unittest: Context is for tests")
	}
	if client == nil || client.Certificate == nil {
		tb.Fatalf("unittest: Context: the client is nil")
	}
	policy := certauth.All{certauth.Certificates(client.Certificate)}
	for _, role := range roles {
		policy = append(policy, certauth.Named{Name: role, Policy: certauth.Certificates(client.Certificate)})
	}
	var why error
	auth, err := certauth.New(certauth.Config{
		Source: only(client.Certificate), Policy: policy,
		Observe: func(_ context.Context, event certauth.Event) {
			if event.Err != nil {
				why = event.Err
			}
		},
	})
	if err != nil {
		tb.Fatalf("unittest: Context: %v", err)
	}
	var made context.Context
	auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		made = r.Context() //nolint:fatcontext // returned to the caller
	})).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if made == nil {
		tb.Fatalf("unittest: Context: no policy lets this client in: %v", why)
	}
	return made
}

// only is a source that returns the client's certificate for every request.
func only(client *x509.Certificate) certauth.Source {
	return certauth.SourceFunc{Name: "unittest", Func: func(*http.Request) ([]*x509.Certificate, error) {
		return []*x509.Certificate{client}, nil
	}}
}
