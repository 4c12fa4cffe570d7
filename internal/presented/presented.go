// Package presented passes the certificates that a caller sent along with its own from package
// certauth to package revocation.
package presented

import (
	"context"
	"crypto/x509"
)

type key struct{}

// With returns a context that carries the certificates.
func With(ctx context.Context, certs []*x509.Certificate) context.Context {
	return context.WithValue(ctx, key{}, certs)
}

// Beside returns the certificates that the context carries, or nil. They are not verified. Do not
// change the result.
func Beside(ctx context.Context) []*x509.Certificate {
	certs, _ := ctx.Value(key{}).([]*x509.Certificate)
	return certs
}
