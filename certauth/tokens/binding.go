// Package tokens checks that an access token belongs to the caller whose client certificate the
// request presents (RFC 8705). It reads no token: a JWT library does that.
package tokens

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Binding checks that an access token was issued to the caller whose certificate the
// request presents, as RFC 8705 defines for certificate-bound access tokens: a stolen token is
// of no use without the key. The token's signature, issuer, audience and dates are for a JWT
// library to check before; this is about one claim of it. The zero value is the strict one.
type Binding struct {
	// AllowUnbound accepts a token that is bound to nothing, for a transition period.
	// What can happen: a thief of such a token can use it, with any certificate that the policy
	// accepts. A token that is bound, to this or in another way, is never unbound.
	AllowUnbound bool

	// InsecureKeyPin accepts a caller of whom the policy knows no more than the public key
	// ([certauth.PublicKeys] without a Chain). What can happen: the holder of that key writes any
	// certificate for it; the token is compared with whichever was shown.
	InsecureKeyPin bool
}

// Check returns nil if the claims of a token, as a JWT library parsed them into a map or the
// introspection of RFC 7662 answered, are bound to the caller's certificate: "cnf" is an object
// whose member "x5t#S256" is the unpadded base64url of the SHA-256 of its DER (RFC 8705,
// section 3.1). Otherwise it returns an [*certauth.Error] with [certauth.ReasonPolicyRefused], also for a nil
// identity, for a confirmation in another form, and for one that names another method in place
// of the certificate, such as the "jkt" of RFC 9449, which is not checked here. Answer 401 with
// the error code invalid_token (RFC 6750, section 3.1). It is safe for concurrent use.
func (b Binding) Check(id *certauth.Identity, claims map[string]any) error {
	if id == nil || id.Leaf == nil {
		return refusal(errors.New("no identity to compare the token with"), "the route is excluded, or lets anonymous callers in")
	}
	if !id.NamesVouched() && !b.InsecureKeyPin {
		return refusal(errors.New("nothing vouches for the certificate but a pin on its key"), "put the key pin behind a Chain, or pin the certificate")
	}
	want, bound, err := confirmation(claims)
	if err != nil {
		return refusal(fmt.Errorf("cnf: %w", err), "does the authorization server issue certificate-bound access tokens (tls_client_certificate_bound_access_tokens)?")
	}
	if !bound {
		if b.AllowUnbound {
			return nil
		}
		return refusal(errors.New("the token is not bound to a certificate"), "have the authorization server issue certificate-bound access tokens (tls_client_certificate_bound_access_tokens)")
	}
	if have := sha256.Sum256(id.Leaf.Raw); subtle.ConstantTimeCompare(have[:], want) != 1 {
		return refusal(errors.New("the token is bound to another certificate"), "a client that renews its certificate needs a new token; otherwise the token was stolen")
	}
	return nil
}

func refusal(err error, hint string) error {
	return &certauth.Error{Reason: certauth.ReasonPolicyRefused, Rule: "tokens.Binding", Err: err, Hint: hint}
}

// confirmation returns the hash that the token is bound to.
func confirmation(claims map[string]any) (hash []byte, bound bool, err error) {
	cnf, ok := claims["cnf"]
	if !ok {
		return nil, false, nil
	}
	members, ok := cnf.(map[string]any)
	if !ok {
		return nil, false, fmt.Errorf("a %T, want an object", cnf)
	}
	value, ok := members["x5t#S256"]
	if !ok {
		return nil, false, fmt.Errorf("%d members and no x5t#S256", len(members))
	}
	text, ok := value.(string)
	if !ok {
		return nil, false, fmt.Errorf("x5t#S256 is a %T, want a string", value)
	}
	// Not Strict: the RFC's own example has bits behind the last byte. The length keeps line
	// ends out, which the decoder passes over.
	hash, err = base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(hash) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return nil, false, fmt.Errorf("x5t#S256 is not the unpadded base64url of %d bytes", sha256.Size)
	}
	return hash, true, nil
}
