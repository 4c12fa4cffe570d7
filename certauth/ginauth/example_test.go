package ginauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gin-gonic/gin"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/ginauth"
)

// A group that requires a certificate, with one route in it that requires more. Gates on the
// socket, such as forwarded.Peers, need ConnContext on the server.
func Example() {
	tb := exampleTB{}
	ca := certauthtest.NewCA(tb, "Partner CA")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1")},
		Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
	})
	if err != nil {
		panic(err)
	}
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.GET("/health", func(c *gin.Context) { c.Status(http.StatusOK) })
	api := engine.Group("/api", ginauth.Handler(auth))
	api.GET("/orders", func(c *gin.Context) {
		id, _ := ginauth.Identity(c) // always present, because Optional is not set
		c.String(http.StatusOK, "hello, "+id.Leaf.Subject.CommonName)
	})
	billing := ginauth.Require(auth, certauth.DNSNames{"billing.partner.example"})
	api.GET("/refunds", billing, func(c *gin.Context) { c.Status(http.StatusOK) })

	server := httptest.NewUnstartedServer(engine)
	server.Config.ConnContext = certauth.ConnContext // in a service: &http.Server{..., ConnContext: certauth.ConnContext}
	server.Config.DisableGeneralOptionsHandler = true
	server.Start()
	defer server.Close()

	orders := ca.Issue(tb, "orders")
	ask := func(path string, client *certauthtest.Certificate) int {
		r, err := http.NewRequest(http.MethodGet, server.URL+path, http.NoBody)
		if err != nil {
			panic(err)
		}
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(tb, r, client)
		response, err := server.Client().Do(r)
		if err != nil {
			panic(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	fmt.Println("/health without:", ask("/health", nil))
	fmt.Println("/api/orders without:", ask("/api/orders", nil))
	fmt.Println("/api/orders with:", ask("/api/orders", orders))
	fmt.Println("/api/refunds with:", ask("/api/refunds", orders))
	// Output:
	// /health without: 200
	// /api/orders without: 401
	// /api/orders with: 200
	// /api/refunds with: 403
}

// exampleTB is the certauthtest.TB of an example.
type exampleTB struct{}

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
