package fiberauth_test

import (
	"fmt"
	"net"
	"net/http"

	"github.com/gofiber/fiber/v3"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/fiberauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// An app of which every path but one requires a certificate, and one route requires more.
func Example() {
	tb := exampleTB{}
	ca := certauthtest.NewCA(tb, "Partner CA")
	auth, err := certauth.New(certauth.Config{
		Source:     forwarded.Nginx{From: forwarded.Peers("127.0.0.1")},
		Policy:     certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "platform probe carries no certificate", Control: "returns no data"}},
	})
	if err != nil {
		panic(err)
	}
	app := fiber.New(fiber.Config{DisablePreParseMultipartForm: true})
	app.Use("*", fiberauth.Handler(auth)) // before any route
	app.Get("/health", func(c fiber.Ctx) error { return c.SendStatus(http.StatusOK) })
	app.Get("/orders", func(c fiber.Ctx) error {
		id, _ := fiberauth.Identity(c) // always present, because Optional is not set
		return c.SendString("hello, " + id.Leaf.Subject.CommonName)
	})
	billing := fiberauth.Require(auth, certauth.DNSNames{"billing.partner.example"})
	app.Get("/refunds", billing, func(c fiber.Ctx) error { return c.SendStatus(http.StatusOK) })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = app.Listener(listener, fiber.ListenConfig{DisableStartupMessage: true}) }()
	defer func() { _ = app.Shutdown() }()

	orders := ca.Issue(tb, "orders")
	ask := func(path string, client *certauthtest.Certificate) int {
		r, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+path, http.NoBody)
		if err != nil {
			panic(err)
		}
		r.Close = true
		certauthtest.FrontEnd{Name: "Nginx"}.Forward(tb, r, client)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			panic(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	fmt.Println("/health without:", ask("/health", nil))
	fmt.Println("/orders without:", ask("/orders", nil))
	fmt.Println("/orders with:", ask("/orders", orders))
	fmt.Println("/refunds with:", ask("/refunds", orders))
	// Output:
	// /health without: 200
	// /orders without: 401
	// /orders with: 200
	// /refunds with: 403
}

// exampleTB is the certauthtest.TB of an example.
type exampleTB struct{}

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
