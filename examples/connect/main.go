// Command connect serves a Connect, gRPC and gRPC-Web service on Azure App Service to clients
// that hold a certificate of one CA. The middleware wraps the mux, so that it covers all three
// protocols and methods that are added later; an interceptor would see a call only after it was
// read.
//
// Environment:
//
//	CLIENT_CA_FILE          root CAs to trust, in PEM; required
//	CLIENT_ISSUING_CA_FILE  CAs between a root and the clients, in PEM; required
//	PORT                    port to listen on; 8080 if unset
package main

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The methods, as a generated package would name them.
const (
	listProcedure   = "/orders.v1.Orders/List"
	refundProcedure = "/orders.v1.Orders/Refund"
)

func main() {
	if err := run(); err != nil {
		slog.Error("connect: stopped", "err", err)
		os.Exit(1)
	}
}

func run() error {
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
	server, err := newServer(auth)
	if err != nil {
		return err
	}
	return server.ListenAndServe()
}

func newServer(auth *certauth.Authenticator) (*http.Server, error) {
	server := &http.Server{
		Addr:              ":" + cmp.Or(os.Getenv("PORT"), "8080"),
		Handler:           newMux(auth),
		ReadHeaderTimeout: 5 * time.Second,
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for gRPC; never use x/net's h2c
	return server, auth.ConfigureServer(server)
}

// refunder is the DNS name in the certificates of callers that may make refunds.
const refunder = "billing.partner.example"

func newMux(auth *certauth.Authenticator) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle(listProcedure, connect.NewUnaryHandler(listProcedure, whoami))
	mux.Handle(refundProcedure, auth.Require(certauth.DNSNames{refunder})(connect.NewUnaryHandler(refundProcedure, whoami)))
	return mux
}

// whoami tells the caller its identity.
func whoami(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
	id, ok := certauth.FromContext(ctx)
	if !ok {
		return nil, connect.NewError(connect.CodeUnauthenticated, nil)
	}
	return connect.NewResponse(wrapperspb.String(id.Leaf.Subject.CommonName)), nil
}
