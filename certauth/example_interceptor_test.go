package certauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A framework without http.Handler, such as gRPC, provides a context, the name of the method and
// the metadata of a call. Its interceptor makes a request from them and continues with the context
// that Admit returns.
func ExampleAuthenticator_Admit() {
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
	intercept := func(ctx context.Context, method string, metadata map[string][]string, handle func(context.Context)) {
		header := http.Header{}
		for name, values := range metadata {
			key := http.CanonicalHeaderKey(name)
			header[key] = append(header[key], values...)
		}
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: method}, RequestURI: method, Header: header}
		r, err := auth.Admit(r.WithContext(ctx))
		if err != nil { // the reason is in the log; the client receives only this
			fmt.Println("UNAUTHENTICATED")
			return
		}
		handle(r.Context())
	}

	list := func(ctx context.Context) {
		id, _ := certauth.FromContext(ctx)
		fmt.Println("hello,", id.Leaf.Subject.CommonName)
	}
	intercept(context.Background(), "/orders.Orders/List", map[string][]string{
		"x-arr-log-id": {"7d1a7fd5-62c2-4ab5-a2c5-6b1f1a8c9a10"}, "x-arr-ssl": {"2048|256|CN=Issuing CA|CN=*.azurewebsites.net"},
		"x-arr-clientcert": {world.partner.Base64()},
	}, list)
	intercept(context.Background(), "/orders.Orders/List", nil, list)
	// Output:
	// hello, orders
	// UNAUTHENTICATED
}

// Roles for an interceptor: the policy names them, and the interceptor compares them. A missing
// role refuses nobody, so each method decides.
func ExampleAuthenticator_Admit_roles() {
	world := newExampleWorld()
	defer world.close()

	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.All{
			certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
			certauth.Any{
				certauth.Named{Name: "orders", Policy: certauth.DNSNames{"orders.partner.example"}},
				certauth.Named{Name: "billing", Policy: certauth.DNSNames{"billing.partner.example"}},
			},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	needs := map[string]string{"/orders.Orders/List": "orders", "/billing.Billing/Refund": "billing"}
	intercept := func(r *http.Request) string {
		r, err := auth.Admit(r)
		if err != nil {
			return "UNAUTHENTICATED"
		}
		id, _ := certauth.FromContext(r.Context())
		if role, known := needs[r.URL.Path]; !known || !slices.Contains(id.Matched, role) {
			return "PERMISSION_DENIED" // also for a method that is missing from the table
		}
		return "OK"
	}
	fmt.Println(intercept(world.request("/orders.Orders/List", world.partner)))
	fmt.Println(intercept(world.request("/billing.Billing/Refund", world.partner)))
	fmt.Println(intercept(world.request("/admin.Admin/Reset", world.partner)))
	fmt.Println(intercept(world.request("/orders.Orders/List", world.stranger)))
	// Output:
	// OK
	// PERMISSION_DENIED
	// PERMISSION_DENIED
	// UNAUTHENTICATED
}
