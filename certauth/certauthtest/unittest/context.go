// Package unittest is for tests of the parts of a service: handlers that read an identity,
// and sources and policies of its own. For a service as a whole see certauthtest.TestHandler.
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

// Context returns a context in which certauth.FromContext finds the identity of the client,
// with the roles as its names in Identity.Matched, for the test of a handler that stands
// behind an Authenticator which is not part of the test:
//
//	r := httptest.NewRequestWithContext(unittest.Context(t, t.Context(), client, "operator"), "GET", "/", nil)
//	handler.ServeHTTP(w, r)
//
// It is a true identity, as an Authenticator establishes it whose policy pins the
// certificate: its names are vouched for, Chains is empty, and no revocation was asked for.
// That Authenticator is made for this call, so Require of any other refuses the identity
// with 401, and so does the Handler of any other, which judges the request itself. Where a
// route with Require is to be tested, let the request go through the service's own Handler;
// certauthtest.FrontEnd makes one that gets in.
//
// A client that no policy could let in, such as one that has expired, ends the test, and so
// do an empty role and a context that has ended. Outside of tests Context panics.
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
		made = r.Context() //nolint:fatcontext // to be handed out
	})).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if made == nil {
		tb.Fatalf("unittest: Context: no policy lets this client in: %v", why)
	}
	return made
}

// only is a source whose every request comes from the client.
func only(client *x509.Certificate) certauth.Source {
	return certauth.SourceFunc{Name: "unittest", Func: func(*http.Request) ([]*x509.Certificate, error) {
		return []*x509.Certificate{client}, nil
	}}
}
