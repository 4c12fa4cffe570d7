// Package source defines the contract between package certauth and the sources of this module:
// how certauth.New prepares a source, and how the prepared source reads requests. It is not
// visible to users, who write a certauth.SourceFunc.
package source

import (
	"crypto/x509"
	"log/slog"
	"net/http"
	"time"
)

// Source is certauth.Source, for packages that certauth imports.
type Source interface {
	Prepare(env Environment) (*Reader, error)
}

// Reader is the prepared form of a source. It is immutable, and its functions are called
// concurrently. They must not change the request.
type Reader struct {
	// Name is the name of the source in logs and in Identity.Source.
	Name string

	// Headers are the request headers that the source reads, in any case. They are removed before
	// a handler runs.
	Headers []string

	// Kept are further headers that the source reads. They are not removed, but the Connection
	// header must not name them either.
	Kept []string

	// FrontEndVerifies states that the operator treats the front end's verification as an anchor,
	// so that names may be checked without a Chain or a pin.
	FrontEndVerifies bool

	// Offer makes the checks that every request needs: the sender, repeated headers, lengths. It
	// writes to offer, which is empty, the unread texts on which the certificates depend, or
	// parsed certificates. An empty offer without an error means that no certificate was offered.
	// After an error the offer must not be read. The offer is a parameter because it is large:
	// copying it costs more than looking up a header.
	Offer func(r *http.Request, offer *Offer) error

	// Decode parses the certificates from the texts of an Offer and from nothing else: equal texts
	// must always give equal certificates, but each call new ones, whose fields the caller may
	// change. If see is not nil, Decode calls it with the DER of the leaf before it parses the
	// leaf, and returns an error of see unchanged. Decode is nil if Offer returns certificates.
	Decode func(offer Offer, see func(leaf []byte) error) ([]*x509.Certificate, error)
}

// Environment is passed to a source by certauth.New while it prepares the source.
type Environment struct {
	// Now is the clock of the Authenticator.
	Now func() time.Time

	// Logger is the logger of the Authenticator.
	Logger *slog.Logger

	// NewHop returns a judge for the certificate that the sender of the request itself presents,
	// with a certauth.Policy. The policy's material is reloaded with that of the Authenticator
	// and reported there. A policy that does not distinguish one certificate of a CA from another
	// is an error.
	NewHop func(source Source, policy any) (Hop, error)
}

// Hop judges the certificate of the previous hop, the sender of the request.
type Hop interface {
	// Admit returns nil if the policy accepts the sender's certificate.
	Admit(r *http.Request) error
	// String returns the policy on one line.
	String() string
}
