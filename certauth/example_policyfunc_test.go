package certauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Your own rule uses the identity that the anchor before it established.
func ExamplePolicyFunc() {
	world := newExampleWorld()
	defer world.close()

	contracts := map[string]bool{world.partner.Subject.CommonName: false} // known, and suspended
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
			certauth.PolicyFunc{Name: "contract", Func: func(_ context.Context, id *certauth.Identity) error {
				if !contracts[id.Leaf.Subject.CommonName] {
					return errors.New("no active contract")
				}
				return nil
			}},
		},
		Deny: func(w http.ResponseWriter, _ *http.Request, err *certauth.Error) {
			fmt.Println(err, "/", err.Hint) // for the operator; the client learns nothing
			http.Error(w, "please call us", http.StatusUnauthorized)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := auth.Handler(http.NotFoundHandler())

	world.call(handler, "/", world.partner)
	// Output:
	// certauth: Policy.All[1].PolicyFunc("contract"): policy_refused: no active contract / a rule of the application refused; see its own text in the detail
	// 401 please call us
}
