package forwarded_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Front Door needs its profile's id in addition to the gate, because the network rules of the
// origin admit the Front Door of every tenant. Set Format to the form seen in a real request.
func ExampleFrontDoor() {
	const profile = "0f7f0e5c-8a2d-4c56-9b7e-1c1de2f9a001" // from the portal: "Front Door ID"
	source := forwarded.FrontDoor{From: forwarded.InsecureAnyPeer(), ProfileID: profile, Format: forwarded.FormatBase64DER}
	through := func(id string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Azure-FDID", id) }
	}
	fmt.Println(knock(source, "FrontDoor", "203.0.113.7", true, through(profile)))
	fmt.Println(knock(source, "FrontDoor", "203.0.113.7", true, through("5d1c2a88-77de-4a0f-8a5b-6f3f4b1c9e02")))
	fmt.Println(knock(source, "FrontDoor", "203.0.113.7", true, nil))
	// Output:
	// 200 hello, orders
	// 401 source_untrusted
	// 401 source_untrusted
}

// Front Door, then API Management, then App Service. API Management passes Front Door's headers on
// and presents its own certificate to App Service. Anyone who reaches API Management directly could
// write those headers: it must admit nobody but this Front Door profile, by its network rules and
// its check-header policy.
func ExampleFrontDoor_apiManagement() {
	onAppService, leave := exampleAppService()
	defer leave()
	const profile = "0f7f0e5c-8a2d-4c56-9b7e-1c1de2f9a001"
	tb := exampleTB{}
	gateway, stranger := certauthtest.SelfSigned(tb, "gateway"), certauthtest.SelfSigned(tb, "stranger")
	source := forwarded.FrontDoor{
		From:      forwarded.AppServiceCertificate(certauth.Thumbprints{gateway.Thumbprint()}),
		ProfileID: profile, Format: forwarded.FormatBase64DER,
	}
	through := func(id string, sender *certauthtest.Certificate) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Azure-FDID", id)
			onAppService(r, sender)
		}
	}
	fmt.Println(knock(source, "FrontDoor", "10.0.0.7", true, through(profile, gateway)))
	fmt.Println(knock(source, "FrontDoor", "10.0.0.7", true, through(profile, stranger)))
	fmt.Println(knock(source, "FrontDoor", "10.0.0.7", true, through("5d1c2a88-77de-4a0f-8a5b-6f3f4b1c9e02", gateway)))
	fmt.Println(knock(source, "FrontDoor", "10.0.0.7", false, through(profile, gateway)))
	// Output:
	// 200 hello, orders
	// 401 source_untrusted
	// 401 source_untrusted
	// 401 certificate_missing
}

// The front end connects with TLS and presents its own certificate, which is pinned here. The
// server must request it: ClientAuth is at least tls.RequestClientCert.
func ExampleProxyCertificate() {
	tb := exampleTB{}
	frontEnd, stranger := certauthtest.SelfSigned(tb, "front-end.internal"), certauthtest.SelfSigned(tb, "stranger")
	client := certauthtest.SelfSigned(tb, "orders")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.ProxyCertificate(certauth.Thumbprints{frontEnd.Thumbprint()})},
		Policy: certauth.Thumbprints{client.Thumbprint()},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, ClientAuth: tls.RequestClientCert}
	if err := auth.ConfigureServer(server.Config); err != nil {
		panic(err)
	}
	server.StartTLS()
	defer server.Close()

	for _, sender := range []*certauthtest.Certificate{frontEnd, stranger} {
		sends := server.Client()
		transport := sends.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = []tls.Certificate{sender.TLS()}
		sends.Transport = transport
		r, _ := http.NewRequest(http.MethodGet, server.URL, http.NoBody)
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(tb, r, client)
		response, err := sends.Do(r)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		transport.CloseIdleConnections()
		fmt.Println(sender.Subject.CommonName, response.StatusCode)
	}
	// Output:
	// front-end.internal 200
	// stranger 401
}

// The balancer on 127.0.0.1 forwards connections of the front end, 10.0.0.4, each preceded by a
// PROXY header. The listener reads it; a service can use, for instance,
// &proxyproto.Listener{Listener: listener} of github.com/pires/go-proxyproto.
func ExampleProxyProtocol() {
	tb := exampleTB{}
	client := certauthtest.SelfSigned(tb, "orders")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.ProxyProtocol(forwarded.Peers("127.0.0.1"), "10.0.0.4")},
		Policy: certauth.Thumbprints{client.Thumbprint()},
	})
	if err != nil {
		panic(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(hello))
	server.Listener = proxyListener{server.Listener, byRaw}
	if err := auth.ConfigureServer(server.Config); err != nil {
		panic(err)
	}
	server.Start()
	defer server.Close()

	for _, header := range []string{
		"PROXY TCP4 10.0.0.4 10.0.1.9 40000 443\r\n",
		"PROXY TCP4 203.0.113.7 10.0.1.9 40000 443\r\n",
		"",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("Connection", "close")
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(tb, r, client)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			panic(err)
		}
		_, _ = conn.Write([]byte(header))
		_ = r.Write(conn)
		response, err := http.ReadResponse(bufio.NewReader(conn), r)
		if err != nil {
			panic(err)
		}
		response.Body.Close()
		conn.Close()
		fmt.Println(response.StatusCode)
	}
	// Output:
	// 200
	// 401
	// 401
}

// API Management in front of App Service presents its own certificate, which App Service forwards
// in X-ARR-ClientCert; the client's certificate is in the header that its policy sets.
func ExampleAppServiceCertificate() {
	onAppService, leave := exampleAppService()
	defer leave()
	tb := exampleTB{}
	gateway, stranger := certauthtest.SelfSigned(tb, "gateway"), certauthtest.SelfSigned(tb, "stranger")
	source := forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Thumbprints{gateway.Thumbprint()})}
	sentBy := func(sender *certauthtest.Certificate) func(*http.Request) {
		return func(r *http.Request) { onAppService(r, sender) }
	}
	fmt.Println(knock(source, "APIManagement", "10.0.0.7", true, sentBy(gateway)))
	fmt.Println(knock(source, "APIManagement", "10.0.0.7", false, sentBy(gateway)))
	fmt.Println(knock(source, "APIManagement", "10.0.0.7", true, sentBy(stranger)))
	fmt.Println(knock(source, "APIManagement", "10.0.0.7", true, sentBy(nil)))
	// Output:
	// 200 hello, orders
	// 401 certificate_missing
	// 401 source_untrusted
	// 401 source_untrusted
}

// exampleAppService sets the variables that App Service sets; elsewhere the gate refuses. The
// function that it returns makes a request one that App Service's front end forwards.
func exampleAppService() (forward func(r *http.Request, sender *certauthtest.Certificate), leave func()) {
	names := []string{"WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"}
	for _, name := range names {
		if err := os.Setenv(name, "example"); err != nil {
			panic(err)
		}
	}
	forward = func(r *http.Request, sender *certauthtest.Certificate) {
		certauthtest.FrontEnd{Name: "AppService"}.Forward(exampleTB{}, r, sender)
	}
	return forward, func() {
		for _, name := range names {
			_ = os.Unsetenv(name)
		}
	}
}

func hello(w http.ResponseWriter, r *http.Request) {
	id, _ := certauth.FromContext(r.Context())
	fmt.Fprint(w, "hello, ", id.Leaf.Subject.CommonName)
}
