package certauth_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// App Service in production: CAs from files that rotate, names, a limit on lifetime, an open health
// route with its reason, and a counter for each refusal.
func ExampleNew_appService() {
	world := newExampleWorld()
	defer world.close()

	refusals := map[certauth.Reason]int{}
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
			certauth.DNSNames{"orders.partner.example", "*.eu.partner.example"},
			certauth.Validity{MaxLifetime: 398 * 24 * time.Hour},
		},
		Exclusions: []certauth.Exclusion{{
			Path: "/health", Reason: "platform probe carries no certificate", Control: "returns no data",
		}},
		Observe: func(_ context.Context, event certauth.Event) { refusals[event.Reason()]++ },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprintln(w, "orders for", id.Leaf.DNSNames[0])
	})
	handler := auth.Handler(mux)

	world.call(handler, "/orders", world.partner)
	world.call(handler, "/health", nil)
	world.call(handler, "/orders", nil)
	fmt.Println(refusals[certauth.ReasonCertificateMissing], "without a certificate")
	// Output:
	// 200 orders for orders.partner.example
	// 200 ok
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
	// 1 without a certificate
}
