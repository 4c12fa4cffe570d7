package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// settings holds the differences between this example and a real deployment.
type settings struct {
	source         certauth.Source // on App Service: forwarded.AppService{}
	roots, issuing string          // PEM files: the partner's root CA and issuing CA
	pin            string          // SHA-256 of the second partner's certificate
	checkers       checkers        // determine which certificates are revoked
	reload         time.Duration   // 0 means 30 seconds
	now            func() time.Time
	logger         *slog.Logger
	observe        func(context.Context, certauth.Event)
}

// newService returns the protected service: the part to copy. If there are mistakes, it returns
// them all at once rather than a service that is less protected than intended.
func newService(s settings) (*http.Server, error) {
	chain := certauth.Chain{
		Roots: certauth.PEMFile(s.roots),
		// App Service forwards only the client's certificate, so configure the issuing CA here.
		Intermediates: certauth.PEMFile(s.issuing),
	}
	auth, err := certauth.New(certauth.Config{
		Source: s.source,
		Policy: certauth.Any{
			// A trusted CA is not enough, because it has other customers too. The names determine
			// which of its certificates may call. Their revocation status is checked last.
			certauth.Named{Name: "partner", Policy: certauth.All{
				chain,
				certauth.DNSNames{"orders.partner.example", "billing.partner.example"},
				certauth.NotRevoked{Checker: s.checkers.hard},
			}},
			// The board shows only public data. It remains available when the revocation status
			// of its certificate is unknown.
			certauth.Named{Name: "board", Policy: certauth.All{
				chain,
				certauth.DNSNames{"board.partner.example"},
				certauth.NotRevoked{Checker: s.checkers.soft},
			}},
			// A partner without a CA is identified by exactly one certificate.
			certauth.Named{Name: "pinned", Policy: certauth.Thumbprints{s.pin}},
		},
		Exclusions: []certauth.Exclusion{{
			Path:    "/health",
			Reason:  "the platform's probe has no certificate",
			Control: "answers ok and nothing else",
		}},
		ReloadInterval: s.reload,
		Now:            s.now,
		Logger:         s.logger,
		Observe:        s.observe,
	})
	if err != nil {
		return nil, err
	}

	// Only the billing system is an administrator. Other known callers get 403 here.
	admins := auth.Require(certauth.DNSNames{"billing.partner.example"})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello)
	mux.HandleFunc("GET /health", health)
	mux.Handle("GET /admin", admins(http.HandlerFunc(hello)))

	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
	// The whole mux is behind auth, so that routes added later are protected too.
	if err := auth.ConfigureServer(server); err != nil {
		return nil, err
	}
	return server, nil
}

// hello answers with the caller's identity. The certificate header was removed, so the identity
// in the context is the only source of it.
func hello(w http.ResponseWriter, r *http.Request) {
	id, known := certauth.FromContext(r.Context())
	if !known {
		// Not reached behind Handler and Require. Refuse all the same.
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintf(w, "Hello, %s.\n", nameOf(id)) // the client may be gone by now
}

func health(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "ok\n") // as in hello
}

// nameOf is a name for people. What a service stores about a caller belongs to
// id.Thumbprint(): names can be issued again.
func nameOf(id *certauth.Identity) string {
	return fmt.Sprintf("%s (%s)", id.Leaf.Subject.CommonName, strings.Join(id.Matched, ", "))
}
