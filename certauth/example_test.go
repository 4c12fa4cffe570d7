package certauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The shortest program: who writes the header, which CAs are trusted, and a handler that runs for
// nobody else.
func Example() {
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
	handler := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		fmt.Fprintln(w, "hello,", id.Leaf.Subject.CommonName)
	}))

	world.call(handler, "/", world.partner)
	world.call(handler, "/", world.stranger)
	world.call(handler, "/", nil)
	// Output:
	// 200 hello, orders
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
	// 401 {"type":"about:blank","title":"Unauthorized","status":401}
}

// exampleWorld is a partner, a stranger, and the environment of App Service.
type exampleWorld struct {
	folder            string
	ca                *certauthtest.CA
	partner, stranger *certauthtest.Certificate
	cleanups          []func()
}

func newExampleWorld() *exampleWorld {
	w := &exampleWorld{}
	folder, err := os.MkdirTemp("", "certauth")
	if err != nil {
		panic(err)
	}
	w.folder = folder
	w.ca = certauthtest.NewCA(w, "Partner Root")
	w.partner = w.ca.Issue(w, "orders", certauthtest.DNS("orders.partner.example"))
	w.stranger = certauthtest.NewCA(w, "Partner Root").Issue(w, "orders", certauthtest.DNS("orders.partner.example"))
	if err := os.WriteFile(w.path("partner-roots.pem"), w.ca.PEM(), 0o600); err != nil {
		panic(err)
	}
	for name, value := range map[string]string{"WEBSITE_SITE_NAME": "orders", "WEBSITE_INSTANCE_ID": "0"} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return w
}

func (w *exampleWorld) path(name string) string { return filepath.Join(w.folder, name) }

// call sends a request as App Service's front end forwards it to the worker.
func (w *exampleWorld) call(handler http.Handler, target string, client *certauthtest.Certificate) {
	w.serve(handler, w.request(target, client))
}

func (w *exampleWorld) request(target string, client *certauthtest.Certificate) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	certauthtest.FrontEnd{Name: "AppService"}.Forward(w, r, client)
	return r
}

func (*exampleWorld) serve(handler http.Handler, r *http.Request) {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, r)
	fmt.Print(recorder.Code, " ", recorder.Body)
}

func (w *exampleWorld) close() {
	for _, f := range w.cleanups {
		f()
	}
	if err := os.RemoveAll(w.folder); err != nil {
		panic(err)
	}
}

func (*exampleWorld) Helper()                           {}
func (*exampleWorld) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (w *exampleWorld) Cleanup(f func())                { w.cleanups = append(w.cleanups, f) }
