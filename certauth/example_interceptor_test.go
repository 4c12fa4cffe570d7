package certauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A framework without http.Handler, such as gRPC, has a context, the name of the method and
// the metadata of a call. Its interceptor makes a request of them and goes on with the
// context that Admit returns.
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
		if err != nil { // it is in the log; the client is told no more than this
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
