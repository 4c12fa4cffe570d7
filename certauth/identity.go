package certauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"log/slog"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Identity is a caller whose certificate passed the whole policy. Only the middleware
// makes one that [FromContext] returns.
//
// It is shared by everything that handles the request, and by other requests of the same
// caller while nothing about the caller changes: never write to it or to what it points
// to, like the certificates of a tls.ConnectionState. Copy it before you change anything.
// What was written to one is not handed on to later requests, and no policy or route is
// judged by it. Bind what you store about a caller to [Identity.Thumbprint], not to a
// name: a renewed or sibling certificate is another identity.
type Identity struct {
	// Leaf is the client's certificate.
	Leaf *x509.Certificate

	// Chains holds the verified chains, leaf first and root last, of every Chain that
	// the accepting path of the policy went through. It is empty under a pin alone.
	Chains [][]*x509.Certificate

	// Presented is what the source handed over, leaf first, unverified beyond the leaf,
	// without copies of the leaf and without what cannot be used.
	Presented []*x509.Certificate

	// Source names the source.
	Source string

	// Matched holds the names of the Named policies that accepted, in the order of the
	// policy: the caller's roles.
	Matched []string

	// Revocation is the evidence a NotRevoked rule accepted. Its zero value says that
	// none was asked for.
	Revocation Revocation

	verdict *verdict // what stands behind it; nil in an Identity that is nobody's
}

// verdict is what the library itself knows about an identity. Routes are judged by it, not
// by the exported fields, which anybody can write to.
type verdict struct {
	owner *Authenticator
	facts *facts
	sent  *sent // what Presented was made of
	established
}

// FromContext returns the identity that [Authenticator.Handler] put into the request's
// context. It is false for excluded routes and for anonymous callers (Config.Optional).
func FromContext(ctx context.Context) (*Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(*Identity)
	return id, ok && id != nil
}

type (
	identityKey struct{}
	judgedKey   struct{}
)

// identityContext is context.WithValue for the one key, in half the memory. Its identity was
// judged by the policy of its Authenticator alone.
type identityContext struct {
	context.Context
	id *Identity
}

// Value implements [context.Context].
func (c *identityContext) Value(key any) any {
	switch key.(type) {
	case identityKey:
		return c.id
	case judgedKey: // what an outer route was judged by says nothing of this identity
		return (*judged)(nil)
	}
	return c.Context.Value(key)
}

// routeContext is that of a route: its identity was judged by more.
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

// NamesVouched reports whether the names in the certificate can be relied on: the
// certificate itself was pinned, or chains to a root, here or by the word of a front end
// that the operator took for an anchor. Under a public-key pin alone the
// key is known and the names are whatever the sender wrote.
func (id *Identity) NamesVouched() bool {
	return id.verdict != nil && id.verdict.vouched == vouchedNames
}

// Thumbprint returns the SHA-256 of the certificate's DER in lower-case hex.
func (id *Identity) Thumbprint() string {
	sum := sha256.Sum256(id.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// ThumbprintSHA1 returns the SHA-1 of the certificate's DER in lower-case hex, the kind
// that Azure shows. Use it to find a certificate, not to recognise one. It is empty under
// GODEBUG=fips140=only, which forbids SHA-1.
func (id *Identity) ThumbprintSHA1() string {
	sum, err := sha1sum.Of(id.Leaf.Raw)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum[:])
}

// PublicKeyHash returns the SHA-256 of the certificate's SubjectPublicKeyInfo in padded
// standard base64, the form of RFC 7469 that [PublicKeys] takes.
func (id *Identity) PublicKeyHash() string {
	sum := sha256.Sum256(id.Leaf.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// X5TS256 returns the certificate's SHA-256 as RFC 8705, section 3.1, writes it in the
// x5t#S256 confirmation of a certificate-bound access token: unpadded base64url.
func (id *Identity) X5TS256() string {
	sum := sha256.Sum256(id.Leaf.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// SPIFFEID returns the workload's SPIFFE ID. It is false if the certificate is not an
// X.509-SVID (exactly one URI name, which is a valid SPIFFE ID) or its names are not
// vouched for.
func (id *Identity) SPIFFEID() (string, bool) {
	if !id.NamesVouched() {
		return "", false
	}
	return spiffeID(&id.verdict.facts.names().alt)
}

// Remaining returns how long the certificate is still valid at the given time. For a
// connection that outlives the request, a WebSocket, end it then.
func (id *Identity) Remaining(now time.Time) time.Duration { return id.Leaf.NotAfter.Sub(now) }

// LogValue implements [slog.LogValuer]: fingerprint, matched names, end of validity,
// and the subject where it is vouched for.
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
		attrs = append(attrs, slog.String("subject", quote(id.verdict.facts.names().subject.String())))
	}
	if len(id.Matched) > 0 {
		attrs = append(attrs, slog.Any("matched", id.Matched))
	}
	return slog.GroupValue(attrs...)
}
