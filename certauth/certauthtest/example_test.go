package certauthtest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A service behind nginx that starts its server with Authenticator.ConfigureServer.
func ExampleTestHandler() {
	t := &program{} // in a test, the *testing.T
	defer t.cleanup()

	ca := certauthtest.NewCA(t, "Partner CA")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")},
		Policy: certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, certauth.DNSNames{"orders.partner.example"}},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "42 orders") })

	certauthtest.TestHandler(t, mux, certauthtest.HandlerTest{
		FrontEnd:  certauthtest.FrontEnd{Name: "Nginx"},
		Client:    ca.Issue(t, "orders", certauthtest.DNS("orders.partner.example")),
		Issuer:    ca,
		Path:      "/orders",
		Configure: auth.ConfigureServer,
	})
	fmt.Println("rows that got in:", strings.Count(t.fatal, "GOT IN"))
	// Output: rows that got in: 0
}

// A faulty service that admits health probes by a prefix of the path.
func ExampleTestHandler_fault() {
	t := &program{}
	defer t.cleanup()

	client := certauthtest.SelfSigned(t, "orders")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Traefik{From: forwarded.Peers("127.0.0.1")}, Policy: certauth.Certificates(client.Certificate),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	pages := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "page", r.URL.Path) })
	protected := auth.Handler(pages)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/health") {
			pages.ServeHTTP(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	})

	certauthtest.TestHandler(t, handler, certauthtest.HandlerTest{
		FrontEnd: certauthtest.FrontEnd{Name: "Traefik"}, Client: client, Path: "/orders", Exempt: "/health",
	})
	for line := range strings.Lines(t.fatal) {
		if strings.Contains(line, "sibling") {
			fmt.Print(line)
		}
	}
	// Output: "exempt: a sibling" GOT IN, answer 200: the exempt path must be compared as a whole, not as a prefix [GHSA-gx7w-56w6-g48x]
}

// A handler is tested together with its Authenticator.
func ExampleFrontEnd_Forward() {
	t := &program{}
	client := certauthtest.SelfSigned(t, "billing")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: certauth.Certificates(client.Certificate),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	handler := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello", id.Leaf.Subject.CommonName)
	}))

	r := httptest.NewRequest(http.MethodGet, "/", nil)
	certauthtest.FrontEnd{Name: "Traefik"}.Forward(t, r, client)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output: 200 hello billing
}

// program is a TB for a program that is not a test.
type program struct {
	fatal    string
	cleanups []func()
}

func (p *program) Helper()                           {}
func (p *program) Cleanup(f func())                  { p.cleanups = append(p.cleanups, f) }
func (p *program) Fatalf(format string, args ...any) { p.fatal = fmt.Sprintf(format, args...) }

func (p *program) cleanup() {
	for _, f := range p.cleanups {
		f()
	}
}
