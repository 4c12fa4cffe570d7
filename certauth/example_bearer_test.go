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

// orToken admits a caller with a certificate, or one with a token. Certificates are judged by auth:
// a caller with a wrong one never gets here, whatever token it also sends.
func orToken(check func(token string) (subject string, ok bool), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := certauth.FromContext(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		subject, ok := check(strings.TrimLeft(token, " "))
		if !strings.EqualFold(scheme, "Bearer") || !ok {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenSubject{}, subject)))
	})
}

// Optional mode together with a bearer token for callers without a certificate. The middleware
// behind auth must require one of the two, or anonymous callers are admitted.
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
		r.Header.Set("Authorization", "bearer "+token) // the scheme in any letter case
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
