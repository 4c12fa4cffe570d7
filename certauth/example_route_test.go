package certauth_test

import (
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// One policy for the service and a narrower rule on a route: a known caller who is not
// allowed gets 403, an unknown one 401.
func ExampleAuthenticator_Require() {
	world := newExampleWorld()
	defer world.close()

	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/orders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "orders") })
	billing := auth.Require(certauth.DNSNames{"billing.partner.example"})
	mux.Handle("/refunds", billing(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "refunds") })))
	handler := auth.Handler(mux)

	world.call(handler, "/orders", world.partner)
	world.call(handler, "/refunds", world.partner)
	world.call(handler, "/refunds", nil)
	// Output:
	// 200 orders
	// 403 {"type":"about:blank","title":"Forbidden","status":403}
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}
