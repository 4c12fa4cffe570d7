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

// A service behind nginx is put through the table. Then its author "simplifies" it, and the
// table says what that has opened.
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
	orders := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "42 orders") })

	test := certauthtest.HandlerTest{
		FrontEnd: certauthtest.FrontEnd{Name: "Nginx"},
		Client:   ca.Issue(t, "orders", certauthtest.DNS("orders.partner.example")),
		Issuer:   ca,
		Path:     "/orders",
		Exempt:   "/health",
	}
	health := func(protected http.Handler, exempt func(path string) bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && exempt(r.URL.Path) && r.URL.RawPath == "" {
				orders.ServeHTTP(w, r)
				return
			}
			protected.ServeHTTP(w, r)
		})
	}

	certauthtest.TestHandler(t, health(auth.Handler(orders), func(path string) bool { return path == "/health" }), test)
	fmt.Println("rows that got in:", strings.Count(t.fatal, "GOT IN"))

	certauthtest.TestHandler(t, health(auth.Handler(orders), func(path string) bool { return strings.HasPrefix(path, "/health") }), test)
	for line := range strings.Lines(t.fatal) {
		if strings.Contains(line, "sibling") {
			fmt.Print(line)
		}
	}
	// Output:
	// rows that got in: 0
	// "exempt: a sibling" GOT IN, answer 200: equality, and no prefix [GHSA-gx7w-56w6-g48x]
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

// program is a TB of a program that is not a test.
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
