package certauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
)

// CheckToken returns nil if an access token was issued to this caller's certificate, as RFC 8705
// defines for certificate-bound access tokens: a stolen token is useless without the key. claims
// are the token's claims in a map, as a JWT library returns them after it has checked signature,
// issuer, audience and dates, or the response of an introspection (RFC 7662). "cnf" must be an
// object whose member "x5t#S256" is the unpadded base64url of the SHA-256 of the certificate's
// DER (section 3.1).
//
// Otherwise it returns an [*Error] with [ReasonPolicyRefused]: if the token is not bound, is
// bound to another certificate, or only by another method, such as the "jkt" of RFC 9449; if the
// identity is nil; and if the policy vouches only for the caller's public key ([PublicKeys]
// without a Chain), because the holder of a key can make any certificate for it. To accept tokens
// without "cnf" as well, check for it first; if a key pin is sufficient, compare
// [Identity.X5TS256]. Answer 401 with the error code invalid_token (RFC 6750, section 3.1).
// CheckToken is safe for concurrent use.
func (id *Identity) CheckToken(claims map[string]any) error {
	const rule = "CheckToken"
	if id == nil || id.Leaf == nil {
		return refusal(ReasonPolicyRefused, rule, "no identity to compare the token with").
			withHint("the route is excluded or accepts anonymous callers; require an identity on it")
	}
	if !id.NamesVouched() {
		return refusal(ReasonPolicyRefused, rule, "only a pin on its key vouches for the certificate").
			withHint("put a Chain before the key pin, or pin the certificate")
	}
	const issue = "have the authorization server issue certificate-bound access tokens (tls_client_certificate_bound_access_tokens)"
	want, err := confirmation(claims)
	if err != nil {
		return refusal(ReasonPolicyRefused, rule, "%w", err).withHint(issue)
	}
	if have := sha256.Sum256(id.Leaf.Raw); subtle.ConstantTimeCompare(have[:], want) != 1 {
		return refusal(ReasonPolicyRefused, rule, "the token is bound to another certificate").
			withHint("a client that renews its certificate needs a new token; otherwise the token was stolen")
	}
	return nil
}

// confirmation returns the hash to which the token is bound.
func confirmation(claims map[string]any) ([]byte, error) {
	cnf, ok := claims["cnf"]
	if !ok {
		return nil, errors.New("the token is not bound to a certificate")
	}
	members, ok := cnf.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("cnf is a %T, want an object", cnf)
	}
	value, ok := members["x5t#S256"]
	if !ok {
		return nil, fmt.Errorf("cnf has %d members and no x5t#S256", len(members))
	}
	text, ok := value.(string)
	if !ok {
		return nil, fmt.Errorf("x5t#S256 is a %T, want a string", value)
	}
	// Not Strict, because the RFC's own example has bits after the last byte. The length check
	// excludes line ends, which the decoder would skip.
	hash, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(hash) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return nil, fmt.Errorf("x5t#S256 is not the unpadded base64url of %d bytes", sha256.Size)
	}
	return hash, nil
}
