package evidence

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
)

// The defaults of VerifyOptions.
const (
	DefaultSkew               = 5 * time.Minute
	DefaultMaxAge             = 10 * 24 * time.Hour
	DefaultMaxAgeCA           = 400 * 24 * time.Hour
	DefaultMaxAgeCRL          = 30 * 24 * time.Hour
	DefaultNoNextUpdateMaxAge = time.Hour
	DefaultMinRSABits         = 2048
)

// NonceMode selects how the nonce of a response is checked.
type NonceMode uint8

const (
	// NonceOff means that no nonce was sent; one in the response is ignored.
	NonceOff NonceMode = iota
	// NonceSend means that a nonce was sent. If the response has one, it must be the same.
	NonceSend
	// NonceRequire means that a nonce was sent and must be returned. Responders that sign in
	// advance never return one.
	NonceRequire
)

// VerifyOptions are the terms for the verification of evidence. Now is required. For durations 0
// means the default; a negative age means no limit, and a negative Skew no tolerance.
type VerifyOptions struct {
	// Now is the time at which evidence is verified. Required.
	Now time.Time

	// Skew is the tolerated difference between clocks. The default is 5 minutes.
	Skew time.Duration

	// MaxAge is the maximum age of thisUpdate for an end-entity certificate. The default is 10
	// days for OCSP and 30 days for CRLs. MaxAgeCA is the maximum for a CA certificate. The
	// default is 400 days.
	MaxAge, MaxAgeCA time.Duration

	// NoNextUpdateMaxAge is the maximum age of an OCSP response without nextUpdate. The default
	// is 1 hour. For CRLs see AllowNoNextUpdate.
	NoNextUpdateMaxAge time.Duration

	// AllowSHA1 accepts SHA-1 signatures, for old responders.
	AllowSHA1 bool

	// AllowNoNextUpdate accepts CRLs without nextUpdate, within MaxAge.
	AllowNoNextUpdate bool

	// AllowV1CRL accepts CRLs of version 1.
	AllowV1CRL bool

	// AllowEmptyRevokedList accepts CRLs with an empty revokedCertificates, which RFC 5280,
	// section 5.1.2.6, forbids.
	AllowEmptyRevokedList bool

	// MinRSABits is the minimum size of a signer's RSA key. The default, also for a negative
	// value, is 2048; a smaller value accepts signers whose key can be broken.
	MinRSABits int

	// Nonce is the nonce of the request. It is required for NonceMode other than NonceOff.
	Nonce     []byte
	NonceMode NonceMode

	// RequireNoCheck refuses delegated responders whose certificate has no ocsp-nocheck extension
	// (RFC 6960, section 4.2.2.2.1). By default such a delegate is trusted while it is valid, and
	// Result.DelegateUnchecked is set, because its own revocation status is not looked up.
	RequireNoCheck bool
	// MaxDelegateLifetime is the maximum validity period of a delegate without ocsp-nocheck. 0
	// means no limit.
	MaxDelegateLifetime time.Duration

	// TrustedResponders may sign OCSP responses for this issuer although it did not certify them.
	// CRLIssuers, certificates with the issuer's name, may sign its CRLs with another key. The
	// caller must have verified both.
	TrustedResponders, CRLIssuers []*x509.Certificate

	// Previous is the result of earlier evidence of the same kind (OCSP, or a CRL of the same
	// scope) about the same certificate. Older evidence never replaces it, and a permanent
	// revocation stays. Of two CRLs the one with the smaller number is older; without numbers, as
	// in OCSP, thisUpdate decides.
	Previous *Result
}

// Tolerance returns Skew, or its default.
func (o *VerifyOptions) Tolerance() time.Duration { return max(cmp.Or(o.Skew, DefaultSkew), 0) }

// maxAge returns the bound for evidence about a certificate.
func (o *VerifyOptions) maxAge(of Source, isCA bool) time.Duration {
	switch {
	case isCA:
		return ageLimit(o.MaxAgeCA, DefaultMaxAgeCA)
	case of == SourceCRL:
		return ageLimit(o.MaxAge, DefaultMaxAgeCRL)
	}
	return ageLimit(o.MaxAge, DefaultMaxAge)
}

func (o *VerifyOptions) noNextUpdateMaxAge() time.Duration {
	return ageLimit(o.NoNextUpdateMaxAge, DefaultNoNextUpdateMaxAge)
}

// ageLimit returns the longest duration, 292 years, for no limit.
func ageLimit(age, otherwise time.Duration) time.Duration {
	if age < 0 {
		return math.MaxInt64
	}
	return cmp.Or(age, otherwise)
}

func (o *VerifyOptions) minRSABits() int {
	return cmp.Or(max(o.MinRSABits, 0), DefaultMinRSABits)
}

// Check reports every field with an invalid value, by its name.
func (o *VerifyOptions) Check() error {
	var mistakes []error
	if o.NonceMode > NonceRequire {
		mistakes = append(mistakes, fmt.Errorf("NonceMode: %d is not defined", o.NonceMode))
	}
	if o.MinRSABits < 0 || o.MinRSABits > keycheck.MaxRSABits {
		mistakes = append(mistakes, fmt.Errorf("MinRSABits: %d, want at most %d, and not less than 0", o.MinRSABits, keycheck.MaxRSABits))
	}
	return errors.Join(mistakes...)
}
