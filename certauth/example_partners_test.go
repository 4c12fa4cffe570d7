package certauth_test

import (
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Two partners with CAs of their own. Each has a branch with its Chain and its names, so that the CA
// of one partner cannot issue the names of the other. (With one Chain for the roots of both, it
// could.) A partner that changes its issuing CA has the old and the new one in Intermediates until
// the last client has changed over.
func ExampleNamed_partners() {
	world := newExampleWorld()
	defer world.close()
	a, b := certauthtest.NewCA(world, "A Root"), certauthtest.NewCA(world, "B Root")
	before, after := b.NewIntermediate(world, "B Issuing 2025"), b.NewIntermediate(world, "B Issuing 2026")

	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.Any{
			certauth.Named{Name: "a", Policy: certauth.All{
				certauth.Chain{Roots: certauth.Certificates(a.Certificate)},
				certauth.DNSNames{"orders.a.example"},
			}},
			certauth.Named{Name: "b", Policy: certauth.All{
				certauth.Chain{
					Roots:         certauth.Certificates(b.Certificate),
					Intermediates: certauth.Certificates(before.Certificate, after.Certificate),
				},
				certauth.DNSNames{"orders.b.example"},
			}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprintln(w, "orders of", id.Matched)
	})
	onlyB := auth.Require(certauth.Matched{"b"})
	mux.Handle("/refunds", onlyB(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "refunds") })))
	handler := auth.Handler(mux)

	clientOfA := a.Issue(world, "orders", certauthtest.DNS("orders.a.example"))
	world.call(handler, "/orders", clientOfA)
	world.call(handler, "/orders", before.Issue(world, "orders", certauthtest.DNS("orders.b.example")))
	world.call(handler, "/orders", after.Issue(world, "orders", certauthtest.DNS("orders.b.example")))
	world.call(handler, "/refunds", clientOfA)
	world.call(handler, "/orders", a.Issue(world, "orders", certauthtest.DNS("orders.b.example"))) // A issues B's name
	// Output:
	// 200 orders of [a]
	// 200 orders of [b]
	// 200 orders of [b]
	// 403 {"type":"about:blank","title":"Forbidden","status":403}
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}
