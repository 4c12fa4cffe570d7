package certauth_test

import (
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// In Optional mode a request without a certificate passes anonymously. One with a wrong certificate
// does not.
func ExampleConfig_optional() {
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
	handler := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, ok := certauth.FromContext(r.Context()); ok {
			fmt.Fprintln(w, "partner prices for", id.Leaf.Subject.CommonName)
			return
		}
		fmt.Fprintln(w, "list prices")
	}))

	world.call(handler, "/", world.partner)
	world.call(handler, "/", nil)
	world.call(handler, "/", world.stranger)
	// Output:
	// 200 partner prices for orders
	// 200 list prices
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}
