// Command echo serves an echo v4 router on Azure App Service to clients that hold a
// certificate of one CA.
//
// Environment:
//
//	CLIENT_CA_FILE          root CAs to trust, in PEM; required
//	CLIENT_ISSUING_CA_FILE  CAs between a root and the clients, in PEM
//	PORT                    port to listen on; 8080 if unset
package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	if err := run(); err != nil {
		slog.Error("echo: stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
	auth, err := certauth.New(newConfig())
	if err != nil {
		return err
	}
	server, err := newServer(auth, newRouter(auth))
	if err != nil {
		return err
	}
	return server.ListenAndServe()
}

func newConfig() certauth.Config {
	chain := certauth.Chain{Roots: certauth.PEMFile(os.Getenv("CLIENT_CA_FILE"))}
	// App Service forwards only the client's certificate, without its issuers.
	if file := os.Getenv("CLIENT_ISSUING_CA_FILE"); file != "" {
		chain.Intermediates = certauth.PEMFile(file)
	}
	return certauth.Config{
		Source: forwarded.AppService{},
		Policy: chain,
		Exclusions: []certauth.Exclusion{{
			Path:    "/health",
			Reason:  "the platform's probe carries no certificate",
			Control: "returns no data",
		}},
		Logger: slog.Default(),
	}
}

// newServer puts the whole router behind auth, so that routes added later are protected too.
func newServer(auth *certauth.Authenticator, router http.Handler) (*http.Server, error) {
	server := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           router,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	return server, auth.ConfigureServer(server)
}

// adminName is the DNS name in the certificates of callers that may use /admin.
const adminName = "admin.partner.example"

func newRouter(auth *certauth.Authenticator) *echo.Echo {
	e := echo.New()
	e.IPExtractor = echo.ExtractIPDirect() // by default echo trusts X-Forwarded-For from any sender
	e.GET("/health", health)
	e.GET("/whoami", whoami)
	e.GET("/admin", whoami, echo.WrapMiddleware(auth.Require(certauth.DNSNames{adminName})))
	return e
}

// health reports only that the process is running, because any caller may ask.
func health(c echo.Context) error {
	return c.NoContent(http.StatusOK)
}

// whoami tells the caller its identity. If you store data about a caller, use the thumbprint as
// its key: another certificate can have the same subject.
func whoami(c echo.Context) error {
	id, ok := certauth.FromContext(c.Request().Context())
	if !ok {
		return echo.ErrUnauthorized
	}
	return c.JSON(http.StatusOK, map[string]string{
		"subject":    id.Leaf.Subject.String(),
		"thumbprint": id.Thumbprint(),
	})
}
