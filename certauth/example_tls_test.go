package certauth_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// A process that terminates TLS itself requests a certificate and leaves its verification to the
// policy, which runs for every request, including those on resumed sessions.
func ExampleTLS() {
	world := newExampleWorld()
	defer world.close()

	auth, err := certauth.New(certauth.Config{
		Source: certauth.TLS{},
		Policy: certauth.Chain{Roots: certauth.PEMFile(world.path("partner-roots.pem"))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})))
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	defer server.Close()

	client := server.Client()
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{world.partner.TLS()}
	response, err := client.Get(server.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	fmt.Print(response.StatusCode, " ", string(body))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// 200 hello
}
