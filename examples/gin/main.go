// Command gin serves a gin router on Azure App Service to clients that hold a
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

	"github.com/gin-gonic/gin"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	if err := run(); err != nil {
		slog.Error("gin: stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
	gin.SetMode(gin.ReleaseMode)
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

func newRouter(auth *certauth.Authenticator) *gin.Engine {
	router := gin.New()
	router.ForwardedByClientIP = false   // by default gin trusts X-Forwarded-For from any sender
	router.RedirectTrailingSlash = false // a redirect would be answered before any middleware runs
	router.GET("/health", health)
	router.GET("/whoami", whoami)
	router.GET("/admin", adapt(auth.Require(certauth.DNSNames{adminName})), whoami)
	return router
}

// adapt turns net/http middleware into gin middleware. gin.WrapH is no substitute: the wrapped
// handler can answer 401, but gin still runs the route's handler.
//
// The writer stays gin's own, so middleware that replaces the writer does not work with adapt.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		defer func() {
			// Deferred, because recovery middleware can swallow a panic and let gin continue.
			if !passed {
				c.Abort()
			}
		}()
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // it carries the identity
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}
}

// health reports only that the process is running, because any caller may ask.
func health(c *gin.Context) {
	c.Status(http.StatusOK)
}

// whoami tells the caller its identity. If you store data about a caller, use the thumbprint as
// its key: another certificate can have the same subject.
func whoami(c *gin.Context) {
	// Not FromContext(c): gin's own context does not consult that of the request.
	id, ok := certauth.FromContext(c.Request.Context())
	if !ok {
		c.AbortWithStatus(http.StatusUnauthorized)
		return
	}
	c.JSON(http.StatusOK, gin.H{
		"subject":    id.Leaf.Subject.String(),
		"thumbprint": id.Thumbprint(),
	})
}
