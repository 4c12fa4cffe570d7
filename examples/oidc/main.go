// Command oidc serves clients that present a certificate and an access token that was issued to
// that certificate (RFC 8705).
//
// Environment:
//
//	CLIENT_CA_FILE          root CAs of the clients, in PEM; required
//	CLIENT_ISSUING_CA_FILE  CAs between a root and the clients, in PEM; required
//	ISSUER                  URL of the OpenID provider that issues the tokens; required
//	AUDIENCE                required audience of the tokens; required
//	PORT                    port to listen on; 8080 if unset
package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

func main() {
	if err := run(); err != nil {
		slog.Error("oidc: stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, os.Getenv("ISSUER"))
	if err != nil {
		return err
	}
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{},
		Policy: certauth.Chain{ // App Service forwards only the client's certificate, without its issuers
			Roots: certauth.PEMFile(os.Getenv("CLIENT_CA_FILE")), Intermediates: certauth.PEMFile(os.Getenv("CLIENT_ISSUING_CA_FILE")),
		},
		Logger: slog.Default(),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /orders", orders)
	verifier := provider.VerifierContext(context.Background(), &oidc.Config{ClientID: os.Getenv("AUDIENCE")})
	server := &http.Server{
		Addr: ":" + cmp.Or(os.Getenv("PORT"), "8080"), Handler: withToken(verifier, mux),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second,
	}
	if err := auth.ConfigureServer(server); err != nil {
		return err
	}
	return server.ListenAndServe()
}

// withToken admits requests with a token that the verifier accepts and that was issued to the
// certificate of the request. It must run behind the Authenticator.
//
// go-oidc's verifier is made for ID tokens; an access token that is a JWT (RFC 9068) has the same
// claims. Check what else your provider requires of access tokens, such as their type.
func withToken(verifier *oidc.IDTokenVerifier, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := certauth.FromContext(r.Context())
		if !ok {
			refuse(w, nil)
			return
		}
		scheme, raw, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || len(r.Header["Authorization"]) != 1 { // RFC 9110, section 11.1
			refuse(w, nil)
			return
		}
		token, err := verifier.Verify(r.Context(), strings.TrimLeft(raw, " "))
		if err != nil {
			refuse(w, err)
			return
		}
		var claims map[string]any
		if err := token.Claims(&claims); err != nil {
			refuse(w, err)
			return
		}
		if err := id.CheckToken(claims); err != nil {
			refuse(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuse tells the client that its token was refused, and logs the reason.
func refuse(w http.ResponseWriter, err error) {
	challenge := "Bearer"
	if err != nil {
		slog.Warn("oidc: token refused", "err", err)
		challenge = `Bearer error="invalid_token"` // RFC 6750, section 3.1
	}
	w.Header().Set("WWW-Authenticate", challenge)
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, "unauthorized", http.StatusUnauthorized)
}

func orders(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("[]\n"))
}
