package certauth

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"time"
)

// Identity is a caller whose certificate passed the whole policy. [FromContext] returns only
// identities that the middleware made.
//
// It is shared by everything that handles the request, and by other requests of the same caller
// as long as nothing about the caller changes. Do not write to it or to what it points to, like
// the certificates of a tls.ConnectionState; make a copy before you change anything. Changes to
// one are not visible to later requests, and no policy or route uses them. Key data that you
// store about a caller by [Identity.Thumbprint], not by a name: a renewed or sibling certificate
// is another identity.
type Identity struct {
	// Leaf is the client's certificate.
	Leaf *x509.Certificate

	// Chains holds the verified chains, leaf first and root last, of every Chain on the accepting
	// path of the policy. It is empty if the only anchor is a pin.
	Chains [][]*x509.Certificate

	// Presented holds the certificates from the source, leaf first. Those after the leaf are
	// unverified. Copies of the leaf and unusable certificates are omitted.
	Presented []*x509.Certificate

	// Source is the name of the source.
	Source string

	// Matched holds the names of the Named policies that accepted, in the order of the policy.
	// They are the caller's roles.
	Matched []string

	// Revocation is the result that a NotRevoked rule accepted. It is zero if revocation was not
	// checked.
	Revocation Revocation

	verdict *verdict // nil in an Identity that this package did not make, or that a handler has overwritten
}

// verdict is the library's own record of an identity. Routes are judged by it, because anybody can
// write to the exported fields.
type verdict struct {
	owner *Authenticator
	facts *facts
	sent  *sent // the source of Presented
	established
}

// FromContext returns the identity that [Authenticator.Handler] stored in the request's context.
// It returns false for excluded requests and for anonymous callers (Config.Optional).
func FromContext(ctx context.Context) (*Identity, bool) {
	id, _ := ctx.Value(identityKey{}).(*Identity)
	if id == nil || id.isNobody() {
		return nil, false
	}
	return id, true
}

// newNobody returns what the context of a request without an identity has. It hides an identity that an
// outer Authenticator has put there, and marks the request as one that the Authenticator has had before.
func newNobody(a *Authenticator) *Identity { return &Identity{verdict: &verdict{owner: a}} }

// isNobody reports whether the identity is one of newNobody.
func (id *Identity) isNobody() bool { return id.verdict != nil && id.verdict.facts == nil }

// isOf reports whether the certificate is the caller's.
func (id *Identity) isOf(leaf *x509.Certificate) bool {
	return id.verdict != nil && id.verdict.facts != nil && id.verdict.facts.leaf.Equal(leaf)
}

// identityKey is the key of the identity in a context. With a reader it is that of the innermost
// Authenticator which has removed a header that the reader reads.
type identityKey struct{ reader *Authenticator }

type judgedKey struct{}

// identityContext is a context.WithValue for its key in half the memory. Its identity was judged only
// by the policy of its Authenticator.
type identityContext struct {
	context.Context
	id *Identity
}

// Value implements [context.Context].
func (c *identityContext) Value(key any) any {
	switch key := key.(type) {
	case identityKey:
		if v := c.id.verdict; key.reader == nil || v == nil || v.owner.headers.reads(&key.reader.headers) {
			return c.id
		}
	case judgedKey: // the policy of an outer route did not judge this identity
		return (*judged)(nil)
	}
	return c.Context.Value(key)
}

// routeContext is the context of a route, whose identity was judged by further policies.
type routeContext struct {
	identityContext

	by *judged
}

// Value implements [context.Context].
func (c *routeContext) Value(key any) any {
	if _, ok := key.(judgedKey); ok {
		return c.by
	}
	return c.identityContext.Value(key)
}

// NamesVouched reports whether the names in the certificate can be relied on: the certificate
// itself is pinned, or it chains to a root according to this package or to a front end whose
// verification the operator treats as an anchor. If the only anchor is a public-key pin, the key
// is known, but the names are whatever the sender wrote.
func (id *Identity) NamesVouched() bool {
	return id.verdict != nil && id.verdict.vouched == vouchedNames
}

// Thumbprint returns the SHA-256 of the certificate's DER in lower-case hex.
func (id *Identity) Thumbprint() string {
	return fingerprintOf(id.Leaf)
}

// ThumbprintSHA1 returns the SHA-1 of the certificate's DER in lower-case hex, as Azure shows it.
// Use it to find a certificate, not to recognise one. It is empty under GODEBUG=fips140=only,
// which forbids SHA-1.
func (id *Identity) ThumbprintSHA1() string {
	return hex.EncodeToString(sumSHA1(id.Leaf.Raw))
}

// PublicKeyHash returns the SHA-256 of the certificate's SubjectPublicKeyInfo in padded
// standard base64, the form of RFC 7469 that [PublicKeys] takes.
func (id *Identity) PublicKeyHash() string {
	return base64.StdEncoding.EncodeToString(sumSHA256(id.Leaf.RawSubjectPublicKeyInfo))
}

// X5TS256 returns the certificate's SHA-256 as RFC 8705, section 3.1, writes it in the
// x5t#S256 confirmation of a certificate-bound access token: unpadded base64url.
func (id *Identity) X5TS256() string {
	return base64.RawURLEncoding.EncodeToString(sumSHA256(id.Leaf.Raw))
}

// SPIFFEID returns the workload's SPIFFE ID. It returns false if the certificate is not an
// X.509-SVID (see [SPIFFEIDs]) or its names are not vouched for.
func (id *Identity) SPIFFEID() (string, bool) {
	if !id.NamesVouched() {
		return "", false
	}
	return spiffeID(id.verdict.facts)
}

// Remaining returns how long the certificate is still valid at the given time; the result is
// negative after its expiry. End a connection that outlives the request, such as a WebSocket,
// after that time.
func (id *Identity) Remaining(now time.Time) time.Duration { return id.Leaf.NotAfter.Sub(now) }

// LogValue implements [slog.LogValuer]. It returns the fingerprint, the matched names, the end of
// the validity, and, if the names are vouched for, the subject as in [CertificateInfo].
func (id *Identity) LogValue() slog.Value {
	if id == nil || id.Leaf == nil {
		return slog.GroupValue()
	}
	attrs := []slog.Attr{
		slog.String("fingerprint", id.Thumbprint()),
		slog.String("source", id.Source),
		slog.Time("not_after", id.Leaf.NotAfter),
	}
	if id.NamesVouched() {
		attrs = append(attrs, slog.String("subject", quote(id.verdict.facts.names().shown())))
	}
	if len(id.Matched) > 0 {
		attrs = append(attrs, slog.Any("matched", id.Matched))
	}
	return slog.GroupValue(attrs...)
}

// String returns LogValue as text.
func (id *Identity) String() string { return id.LogValue().String() }
