package forwarded_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The platform's own evidence takes the place of a gate. InsecureOutsideAppService is only for
// examples and simulations.
func ExampleAppService() {
	fmt.Print(three(forwarded.AppService{InsecureOutsideAppService: true}, "AppService", "10.0.0.7"))
	// Output:
	// from 10.0.0.7 with a certificate: 200 hello, orders
	// from 10.0.0.7 with none: 401 certificate_missing
	// from elsewhere: 200 hello, orders
}

// The gateway has its own subnet, which must contain nothing else.
func ExampleApplicationGateway() {
	fmt.Print(three(forwarded.ApplicationGateway{From: forwarded.Peers("10.0.1.0/24")}, "ApplicationGateway", "10.0.1.4"))
	// Output:
	// from 10.0.1.4 with a certificate: 200 hello, orders
	// from 10.0.1.4 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// nginx requests certificates with "ssl_verify_client optional" and the partners' CAs in
// ssl_client_certificate. A partner whose self-signed certificate is pinned here gets 400 from
// nginx itself until the certificate is also in that file.
func ExampleNginx() {
	fmt.Print(three(forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}, "Nginx", "127.0.0.1"))
	// Output:
	// from 127.0.0.1 with a certificate: 200 hello, orders
	// from 127.0.0.1 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// HAProxy also sends the chain if it is configured to.
func ExampleHAProxy() {
	fmt.Print(three(forwarded.HAProxy{From: forwarded.Peers("10.0.0.2", "10.0.0.3"), ChainHeader: "X-SSL-Chain-Der"}, "HAProxy", "10.0.0.3"))
	// Output:
	// from 10.0.0.3 with a certificate: 200 hello, orders
	// from 10.0.0.3 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// Traefik with the middleware passTLSClientCert.
func ExampleTraefik() {
	fmt.Print(three(forwarded.Traefik{From: forwarded.Peers("10.42.0.0/16")}, "Traefik", "10.42.3.9"))
	// Output:
	// from 10.42.3.9 with a certificate: 200 hello, orders
	// from 10.42.3.9 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// Envoy with forward_client_cert_details SANITIZE_SET, as the only hop.
func ExampleEnvoy() {
	fmt.Print(three(forwarded.Envoy{From: forwarded.Peers("127.0.0.1")}, "Envoy", "127.0.0.1"))
	// Output:
	// from 127.0.0.1 with a certificate: 200 hello, orders
	// from 127.0.0.1 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// RFC 9440 is the standard that new front ends follow.
func ExampleRFC9440() {
	fmt.Print(three(forwarded.RFC9440{From: forwarded.Peers("10.0.0.2")}, "RFC9440", "10.0.0.2"))
	// Output:
	// from 10.0.0.2 with a certificate: 200 hello, orders
	// from 10.0.0.2 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// A load balancer of a public cloud: its subnets, and a security group that admits nothing else.
func ExampleALB() {
	fmt.Print(three(forwarded.ALB{From: forwarded.Peers("10.0.8.0/22")}, "ALB", "10.0.9.17"))
	// Output:
	// from 10.0.9.17 with a certificate: 200 hello, orders
	// from 10.0.9.17 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// The other presets, each with its defaults.
func Example_presets() {
	from := forwarded.Peers("10.0.0.2")
	for _, front := range []struct {
		name   string
		source certauth.Source
	}{
		{"APIManagement", forwarded.APIManagement{From: from, Header: "X-Client-Cert"}},
		{"ContainerApps", forwarded.ContainerApps{From: from}},
		{"IngressNginx", forwarded.IngressNginx{From: from}},
		{"Apache", forwarded.Apache{From: from}},
		{"Caddy", forwarded.Caddy{From: from}},
		{"CloudFront", forwarded.CloudFront{From: from}},
		{"GoogleLB", forwarded.GoogleLB{From: from}},
		{"Cloudflare", forwarded.Cloudflare{From: from}},
		{"Kong", forwarded.Kong{From: from}},
		{"CloudFoundry", forwarded.CloudFoundry{From: from}},
	} {
		fmt.Println(front.name + ": " + knock(front.source, front.name, "10.0.0.2", true, nil))
	}
	// Output:
	// APIManagement: 200 hello, orders
	// ContainerApps: 200 hello, orders
	// IngressNginx: 200 hello, orders
	// Apache: 200 hello, orders
	// Caddy: 200 hello, orders
	// CloudFront: 200 hello, orders
	// GoogleLB: 200 hello, orders
	// Cloudflare: 200 hello, orders
	// Kong: 200 hello, orders
	// CloudFoundry: 200 hello, orders
}

// A front end without a preset: what it sends, and from where.
func ExampleHeader() {
	fmt.Print(three(forwarded.Header{
		From: forwarded.Peers("10.0.0.2"), Name: "X-Client-Cert", Format: forwarded.FormatBase64DER,
	}, "APIManagement", "10.0.0.2"))
	// Output:
	// from 10.0.0.2 with a certificate: 200 hello, orders
	// from 10.0.0.2 with none: 401 certificate_missing
	// from elsewhere: 401 source_untrusted
}

// three makes three requests to a service behind the front end and returns their results.
func three(source certauth.Source, front, peer string) string {
	return fmt.Sprintf("from %s with a certificate: %s\nfrom %s with none: %s\nfrom elsewhere: %s\n",
		peer, knock(source, front, peer, true, nil), peer, knock(source, front, peer, false, nil), knock(source, front, "203.0.113.7", true, nil))
}

// knock sends one request, as the front end writes it, from the peer.
func knock(source certauth.Source, front, peer string, certificate bool, change func(*http.Request)) string {
	tb := exampleTB{}
	client := certauthtest.SelfSigned(tb, "orders")
	auth, err := certauth.New(certauth.Config{Source: source, Policy: certauth.Certificates(client.Certificate)})
	if err != nil {
		return err.Error()
	}
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	if certificate {
		certauthtest.FrontEnd{Name: front}.Forward(tb, r, client)
	} else {
		certauthtest.FrontEnd{Name: front}.Forward(tb, r, nil)
	}
	network, address := "tcp", peer+":40000"
	if strings.HasPrefix(peer, "/") {
		network, address = "unix", peer
	}
	r = certauthtest.WithPeer(tb, r, network, address)
	if change != nil {
		change(r)
	}
	if _, err := auth.Check(r); err != nil {
		refused, _ := err.(*certauth.Error) //nolint:errorlint // Check returns no other type
		return "401 " + string(refused.Reason)
	}
	w := httptest.NewRecorder()
	auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprint(w, "hello, ", id.Leaf.Subject.CommonName)
	})).ServeHTTP(w, r)
	return fmt.Sprint(w.Code, " ", w.Body)
}

// exampleTB is the certauthtest.TB of an example.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
