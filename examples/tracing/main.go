// Command tracing serves an application on Azure App Service to clients that hold a certificate
// of one CA. OpenTelemetry and an access log wrap certauth, and the records of all three name the
// trace and the route.
//
// Environment:
//
//	CLIENT_CA_FILE          root CAs to trust, in PEM; required
//	CLIENT_ISSUING_CA_FILE  CAs between a root and the clients, in PEM; required
//	PORT                    port to listen on; 8080 if unset
package main

import (
	"cmp"
	"log/slog"
	"net/http"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	if err := run(); err != nil {
		slog.Error("tracing: stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
	logger := slog.New(traced{slog.NewJSONHandler(os.Stderr, nil)})
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(trace.NewTracerProvider()) // add an exporter here
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.Chain{ // App Service forwards only the client's certificate, without its issuers
			Roots: certauth.PEMFile(os.Getenv("CLIENT_CA_FILE")), Intermediates: certauth.PEMFile(os.Getenv("CLIENT_ISSUING_CA_FILE")),
		},
		Logger: logger,
	})
	if err != nil {
		return err
	}
	return newServer(outside(auth, newMux(), logger)).ListenAndServe()
}

// newServer sets up what ConfigureServer does, which would make auth the outermost handler.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ConnContext:       certauth.ConnContext,

		DisableGeneralOptionsHandler: true, // otherwise net/http itself answers "OPTIONS *"
	}
}

// outside wraps auth in tracing and the access log, so that these include refusals. The order
// matters because only handlers inside otelhttp have the span in their context.
func outside(auth *certauth.Authenticator, mux http.Handler, logger *slog.Logger) http.Handler {
	return otelhttp.NewHandler(accessLog(logger, auth.Handler(mux)), "server")
}

func newMux() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		slog.InfoContext(r.Context(), "order", "id", r.PathValue("id"))
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// accessLog writes a record for each request, with the route that served it.
func accessLog(logger *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := &status{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(answer, r)
		logger.InfoContext(r.Context(), "request", "method", r.Method, "route", r.Pattern, "status", answer.code)
	})
}

// status remembers the status that was written.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (s *status) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap is for [http.ResponseController].
func (s *status) Unwrap() http.ResponseWriter { return s.ResponseWriter }
