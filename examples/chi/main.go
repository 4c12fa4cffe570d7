// Command chi serves a chi router on Azure App Service to clients that hold a
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
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	if err := run(); err != nil {
		slog.Error("chi: stopped", "err", err)
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

func newRouter(auth *certauth.Authenticator) *chi.Mux {
	r := chi.NewRouter()
	r.Get("/health", health)
	r.Get("/whoami", whoami)
	r.With(auth.Require(certauth.DNSNames{adminName})).Get("/admin", whoami)

	// A browser also sends its client certificate with requests that other sites cause, and
	// SameSite does not apply to certificates.
	tally := &votes{}
	r.Group(func(r chi.Router) {
		r.Use(http.NewCrossOriginProtection().Handler)
		r.Get("/votes", tally.show)
		r.Post("/votes", tally.add)
	})
	return r
}

// health reports only that the process is running, because any caller may ask.
func health(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusOK)
}

// whoami tells the caller its identity. If you store data about a caller, use the thumbprint as
// its key: another certificate can have the same subject.
func whoami(w http.ResponseWriter, r *http.Request) {
	id, ok := certauth.FromContext(r.Context())
	if !ok {
		http.Error(w, "no identity", http.StatusUnauthorized)
		return
	}
	writeJSON(w, map[string]string{
		"subject":    id.Leaf.Subject.String(),
		"thumbprint": id.Thumbprint(),
	})
}

// votes represents any state that a browser can change.
type votes struct{ count atomic.Int64 }

func (v *votes) show(w http.ResponseWriter, _ *http.Request) { writeJSON(w, v.count.Load()) }

func (v *votes) add(w http.ResponseWriter, _ *http.Request) { writeJSON(w, v.count.Add(1)) }

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		slog.Warn("response not written", "err", err)
	}
}
