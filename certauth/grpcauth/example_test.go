package grpcauth_test

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/grpcauth"
)

// A server behind a front end on the same machine, whose probe needs no certificate. Credentials
// lets forwarded.Peers see the socket.
func Example() {
	client := certauthtest.SelfSigned(exampleTB{}, "orders")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.APIManagement{From: forwarded.Peers("127.0.0.1")},
		Policy: certauth.Thumbprints{client.Thumbprint()},
		Exclusions: []certauth.Exclusion{{
			Method: "POST", Path: "/grpc.health.v1.Health/Check",
			Reason: "the platform's probe has no certificate", Control: "returns no data",
		}},
	})
	if err != nil {
		panic(err)
	}
	server := grpc.NewServer(
		grpc.Creds(grpcauth.Credentials(insecure.NewCredentials())),
		grpc.ChainUnaryInterceptor(grpcauth.UnaryServerInterceptor(auth)),
		grpc.ChainStreamInterceptor(grpcauth.StreamServerInterceptor(auth)),
	)
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }()
	health := grpc_health_v1.NewHealthClient(conn)
	with := metadata.AppendToOutgoingContext(context.Background(), "x-client-cert", client.Base64())

	_, err = health.Check(context.Background(), new(grpc_health_v1.HealthCheckRequest))
	fmt.Println("the probe:", status.Code(err))
	_, err = health.List(with, new(grpc_health_v1.HealthListRequest))
	fmt.Println("with a certificate:", status.Code(err))
	_, err = health.List(context.Background(), new(grpc_health_v1.HealthListRequest))
	fmt.Println("without:", status.Code(err))
	// Output:
	// the probe: OK
	// with a certificate: OK
	// without: Unauthenticated
}

// exampleTB is the certauthtest.TB of an example.
type exampleTB struct{}

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
