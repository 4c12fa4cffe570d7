package outbound_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

func ExampleOpen() {
	ctx := context.Background()
	own, err := outbound.Open(ctx, outbound.Config{
		Source: outbound.AppService{},
		Select: outbound.Select{Subject: "CN=orders,O=Contoso"},
		Logger: slog.Default(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	transport, err := own.Transport(nil) // for an http.Client
	if err != nil {
		fmt.Println(err)
		return
	}
	config := own.TLSConfig("") // for gRPC, databases and anything else that takes a tls.Config
	_, _ = transport, config
}

func ExampleOpen_kubernetes() {
	own, err := outbound.Open(context.Background(), outbound.Config{
		Source:      outbound.File{Path: "/var/run/tls/tls.crt", Key: "/var/run/tls/tls.key"},
		ServerRoots: outbound.File{Path: "/var/run/tls/ca.crt"},
		Select:      outbound.Select{SAN: "spiffe://contoso.example/orders"},
		Observe: func(event outbound.Event) {
			fmt.Println(event.Outcome, event.Reason()) // both are safe as metric labels
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := (&tls.Dialer{Config: own.TLSConfig("db.internal")}).DialContext(context.Background(), "tcp", "db.internal:5432")
	if err != nil {
		fmt.Println(outbound.Explain(err)) // what the server's alert means
		return
	}
	_ = conn.Close()
}

func ExampleError() {
	_ = os.Unsetenv("OWN_CERTIFICATE")
	_, err := outbound.Open(context.Background(), outbound.Config{Source: outbound.Env{Name: "OWN_CERTIFICATE"}})
	if e, ok := errors.AsType[*outbound.Error](err); ok {
		fmt.Println(e.Reason)
	}
	fmt.Println(err) // Open's error ends with the hint
	// Output:
	// source_unavailable
	// outbound: Source.Env: source_unavailable: $OWN_CERTIFICATE is not set (does the file, variable or secret exist, and may this process read it?)
}
