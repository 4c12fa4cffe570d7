package grpcauth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/grpcauth"
)

// finding N42: if the server's credentials are not wrapped with Credentials, Peers refuses every
// call, and the hint named only fields of an http.Server, which a gRPC service does not have.
func TestPeers_HintWithoutCredentials(t *testing.T) {
	p := newPartner(t)
	refused := make(chan certauth.Error, 4)
	auth := p.auth(t, forwarded.Nginx{From: forwarded.Peers("127.0.0.1")}, func(c *certauth.Config) {
		c.Observe = func(_ context.Context, e certauth.Event) {
			if e.Err != nil {
				refused <- *e.Err
			}
		}
	})
	serve(t, auth, insecure.NewCredentials(), "tcp", "127.0.0.1:0").wants(t, insecure.NewCredentials(), nginx(p.client), nil)
	for range 2 { // a unary call and a stream
		err := <-refused
		assert.Equal(t, certauth.ReasonSourceUntrusted, err.Reason)
		assert.Contains(t, err.Hint, "grpcauth.Credentials")
	}

	wrapped := serve(t, auth, grpcauth.Credentials(insecure.NewCredentials()), "tcp", "127.0.0.1:0")
	wrapped.wants(t, insecure.NewCredentials(), nginx(p.client), p.client)
}
