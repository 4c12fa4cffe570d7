// Command outbound is a service for Azure App Service that calls a partner with the application's
// own certificate. README.md describes how the certificate gets there and how it is renewed.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func main() {
	if err := run(slog.Default()); err != nil {
		log.Fatal(err)
	}
}

func run(logger *slog.Logger) error {
	starting, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	own, err := outbound.Open(starting, outbound.Config{
		Source: outbound.AppService{},
		Select: outbound.Select{Subject: "CN=orders,O=Contoso"}, // a renewed certificate keeps its name
		Logger: logger,
	})
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	handler, err := newHandler(own, os.Getenv("PARTNER_URL"), logger)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

// newHandler answers GET /status with the status of the partner's response, and GET /certificate with
// what monitoring needs to know of the certificate. Nobody has to prove anything to ask, so that the
// answers contain neither what the partner says to the holder of the certificate nor what an error
// says about this machine. Put authentication in front of handlers that pass on more.
func newHandler(own *outbound.Certificate, partnerURL string, logger *slog.Logger) (http.Handler, error) {
	transport, err := own.Transport(nil)
	if err != nil {
		return nil, err
	}
	partner := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, partnerURL, http.NoBody) //nolint:gosec // G704: the URL is the operator's
		if err != nil {
			http.Error(w, "no request", http.StatusInternalServerError)
			return
		}
		response, err := partner.Do(request) //nolint:gosec // G704: as above
		if err != nil {
			logger.ErrorContext(r.Context(), "partner", "error", err) // it contains the reason
			http.Error(w, "the partner cannot be reached", http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection is used again
		w.WriteHeader(response.StatusCode)
	})
	mux.HandleFunc("GET /certificate", func(w http.ResponseWriter, r *http.Request) {
		status := own.Status()
		if !status.Usable {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		public := map[string]any{"Usable": status.Usable, "Reason": status.Reason, "Thumbprint": status.Thumbprint, "NotAfter": status.NotAfter}
		if err := json.NewEncoder(w).Encode(public); err != nil {
			logger.WarnContext(r.Context(), "certificate", "error", err)
		}
	})
	return mux, nil
}
