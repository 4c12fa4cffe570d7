package certauth_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

type tokenSubject struct{}

// orToken lets in a caller with a certificate, and one with a token. What a certificate is
// worth is auth's to say: one that is wrong never gets here, whatever token comes with it.
func orToken(check func(token string) (subject string, ok bool), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := certauth.FromContext(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		subject, ok := check(token)
		if !found || !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenSubject{}, subject)))
	})
}

// Optional beside a bearer token for callers who have no certificate. The middleware behind
// auth has to demand one of both, or anonymous callers come in.
func ExampleConfig_bearer() {
	world := newExampleWorld()
	defer world.close()

	auth, err := certauth.New(certauth.Config{
		Source:   forwarded.AppService{},
		Policy:   certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
		Optional: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	check := func(token string) (string, bool) { return "batch", token == "good" } // a JWT library's part
	handler := auth.Handler(orToken(check, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := certauth.FromContext(r.Context()); ok {
			fmt.Fprintln(w, "certificate of", id.Leaf.Subject.CommonName)
			return
		}
		fmt.Fprintln(w, "token of", r.Context().Value(tokenSubject{}))
	})))
	for _, token := range []string{"", "good", "bad"} {
		r := world.request("/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		world.serve(handler, r)
	}
	world.call(handler, "/", world.partner)
	r := world.request("/", world.stranger)
	r.Header.Set("Authorization", "Bearer good")
	world.serve(handler, r)
	// Output:
	// 401 unauthorized
	// 200 token of batch
	// 401 unauthorized
	// 200 certificate of orders
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}
