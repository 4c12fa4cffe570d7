package unittest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest/unittest"
)

// A handler that greets its caller, tested without an Authenticator.
func ExampleContext() {
	var t example // in a test, the *testing.T

	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := certauth.FromContext(r.Context())
		if !ok {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello", id.Leaf.Subject.CommonName, id.Matched)
	})

	client := certauthtest.SelfSigned(t, "billing")
	ctx := unittest.Context(t, t.Context(), client, "operator")
	w := httptest.NewRecorder()
	hello.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	fmt.Print(w.Body)
	// Output: hello billing [operator]
}

// example replaces the *testing.T, which an example does not have.
type example struct{ testing.TB }

func (example) Helper()                  {}
func (example) Context() context.Context { return context.Background() }
