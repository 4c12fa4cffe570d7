package certauth_test

import (
	"context"
	"expvar"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Observe counts by outcome and reason, which have few values. A name or a fingerprint must not be
// a label: there are as many as callers, and strangers can create any number.
func ExampleEvent_metrics() {
	world := newExampleWorld()
	defer world.close()

	decisions := new(expvar.Map).Init() // expvar.NewMap("certauth") publishes it
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
		Observe: func(_ context.Context, e certauth.Event) {
			decisions.Add(string(e.Outcome)+" "+string(e.Reason()), 1)
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	handler := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, client := range []*certauthtest.Certificate{world.partner, world.partner, world.stranger, nil} {
		handler.ServeHTTP(discard{}, world.request("/", client))
	}
	decisions.Do(func(count expvar.KeyValue) { fmt.Println(count.Key, count.Value) })
	// Output:
	// accepted  2
	// denied certificate_missing 1
	// denied chain_untrusted 1
}

// discard is a client that does not read the answer.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
