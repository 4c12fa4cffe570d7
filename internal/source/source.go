// Package source is the contract between package certauth and the sources of this module: how a
// source is prepared by certauth.New, and how it then reads requests. Users do not see it; they
// write a certauth.SourceFunc.
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
// concurrently. Neither function changes the request.
type Reader struct {
	// Name names the source in logs and in Identity.Source.
	Name string

	// Headers are the request headers that the source reads, in any case. No handler sees
	// them.
	Headers []string

	// FrontEndVerifies says that the operator takes the front end's verification for an
	// anchor: names may be looked at without a Chain or a pin.
	FrontEndVerifies bool

	// Offer does what must be done on every request: who sent it, whether a header is
	// repeated, whether one is too long. It writes to offer, which is empty, the texts that
	// the certificates depend on, unread, or certificates that are parsed already. An empty
	// offer and no error mean that no certificate was offered. After an error nobody reads
	// the offer. It is not returned because it is large: copies of it cost more than a
	// look-up of a header.
	Offer func(r *http.Request, offer *Offer) error

	// Decode reads the certificates from the texts of an Offer and from nothing else: equal
	// texts must always give equal certificates. Before it parses the leaf it shows the DER
	// to see, if that is not nil, and returns an error of see as it is. Decode is nil where
	// Offer returns certificates.
	Decode func(offer Offer, see func(leaf []byte) error) ([]*x509.Certificate, error)
}

// Environment is what certauth.New lends to a source while it prepares it.
type Environment struct {
	// Now is the clock of the Authenticator.
	Now func() time.Time

	// Logger is the logger of the Authenticator.
	Logger *slog.Logger

	// NewHop makes a judge of the certificate that the sender of the request itself
	// presented, by a certauth.Policy. Its material is reloaded with that of the
	// Authenticator, and what happens to it is reported there. A policy that does not tell
	// one certificate of a CA from another is an error.
	NewHop func(source Source, policy any) (Hop, error)
}

// Hop judges the certificate of the hop in front of this process.
type Hop interface {
	// Admit returns nil if the policy accepts the sender's certificate.
	Admit(r *http.Request) error
	// String returns the policy on one line.
	String() string
}
