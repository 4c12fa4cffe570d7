package certauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A single call puts everything that a server serves behind the Authenticator and lets Peers see
// the socket. With Handler alone, Peers would refuse every request.
func ExampleAuthenticator_ConfigureServer() {
	world := newExampleWorld()
	defer world.close()
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Caddy{From: forwarded.Peers("127.0.0.1", "::1")},
		Policy: certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello,", id.Leaf.Subject.CommonName)
	})

	server := &http.Server{Handler: mux}
	if err := auth.ConfigureServer(server); err != nil {
		fmt.Println(err)
		return
	}
	// For server.ListenAndServe, on a port of its own:
	running := httptest.NewUnstartedServer(nil)
	running.Config = server
	running.Start()
	defer running.Close()

	for _, client := range []*certauthtest.Certificate{world.partner, world.stranger} {
		r, err := http.NewRequest(http.MethodGet, running.URL+"/orders", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		r.Header.Set("X-Client-Cert", client.Base64()) // Caddy's part
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(response.StatusCode)
		_ = response.Body.Close()
	}
	// Output:
	// 200
	// 401
}
