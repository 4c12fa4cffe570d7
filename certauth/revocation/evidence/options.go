package evidence

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
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
	// NonceOff means that none was sent; one in the response is ignored.
	NonceOff NonceMode = iota
	// NonceSend means that one was sent; if the response has one it must be the same.
	NonceSend
	// NonceRequire means that one was sent and must come back. Responders that sign beforehand
	// never send it.
	NonceRequire
)

// VerifyOptions are the terms on which evidence is verified. Now is required. Of the
// durations 0 is the default; a negative age is no bound, and a negative Skew no tolerance.
type VerifyOptions struct {
	// Now is the moment to verify at. Required.
	Now time.Time

	// Skew is how far clocks may differ. The default is 5 minutes.
	Skew time.Duration

	// MaxAge is how old thisUpdate may be for an end-entity certificate: 10 days for
	// OCSP, 30 days for CRLs by default. MaxAgeCA is the same for a CA certificate, 400
	// days by default.
	MaxAge, MaxAgeCA time.Duration

	// NoNextUpdateMaxAge is how old an OCSP answer without nextUpdate may be. The default is
	// an hour. For CRLs see AllowNoNextUpdate.
	NoNextUpdateMaxAge time.Duration

	// AllowSHA1 accepts SHA-1 signatures. It is for old responders; off by default.
	AllowSHA1 bool

	// AllowNoNextUpdate accepts CRLs without nextUpdate, within MaxAge.
	AllowNoNextUpdate bool

	// AllowV1CRL accepts CRLs of version 1.
	AllowV1CRL bool

	// AllowEmptyRevokedList accepts CRLs whose revokedCertificates is there and empty,
	// which RFC 5280, section 5.1.2.6, forbids.
	AllowEmptyRevokedList bool

	// MinRSABits is the smallest RSA key of a signer. The default, also for a negative
	// value, is 2048; less than that accepts signers whose key can be broken.
	MinRSABits int

	// Nonce is the nonce of the request, for NonceMode other than NonceOff.
	Nonce     []byte
	NonceMode NonceMode

	// RequireNoCheck refuses delegated responders whose certificate has no ocsp-nocheck
	// extension (RFC 6960, section 4.2.2.2.1). By default such a delegate is believed while it
	// is valid, and Result.DelegateUnchecked is set: its own revocation is not looked up.
	RequireNoCheck bool
	// MaxDelegateLifetime bounds the validity of a delegate without ocsp-nocheck; 0 does not.
	MaxDelegateLifetime time.Duration

	// TrustedResponders may sign OCSP responses for this issuer although it did not
	// certify them; CRLIssuers, certificates of the issuer's name, may sign its CRLs with
	// another key. Both are verified by the caller.
	TrustedResponders, CRLIssuers []*x509.Certificate

	// Previous is the result of earlier evidence of the same kind, OCSP or a CRL of the
	// same scope, about the same certificate. Older evidence never replaces it, and a
	// revocation for good stays. Of two CRLs the smaller number is the older one; without
	// numbers, as in OCSP, thisUpdate decides.
	Previous *Result
}

func withDefault(d, otherwise time.Duration) time.Duration {
	switch {
	case d == 0:
		return otherwise
	case d < 0:
		return 0
	}
	return d
}

// Tolerance is Skew, or its default.
func (o *VerifyOptions) Tolerance() time.Duration { return withDefault(o.Skew, DefaultSkew) }

// maxAge returns the bound for evidence about a certificate, and whether there is one.
func (o *VerifyOptions) maxAge(of Source, isCA bool) (limit time.Duration, bounded bool) {
	switch {
	case isCA:
		return withDefault(o.MaxAgeCA, DefaultMaxAgeCA), o.MaxAgeCA >= 0
	case of == SourceCRL:
		return withDefault(o.MaxAge, DefaultMaxAgeCRL), o.MaxAge >= 0
	}
	return withDefault(o.MaxAge, DefaultMaxAge), o.MaxAge >= 0
}

func (o *VerifyOptions) noNextUpdateMaxAge() time.Duration {
	return withDefault(o.NoNextUpdateMaxAge, DefaultNoNextUpdateMaxAge)
}

func (o *VerifyOptions) minRSABits() int {
	if o.MinRSABits <= 0 {
		return DefaultMinRSABits
	}
	return o.MinRSABits
}

// Check reports every field with an undefined value, by its name.
func (o *VerifyOptions) Check() error {
	var mistakes []error
	if o.NonceMode > NonceRequire {
		mistakes = append(mistakes, fmt.Errorf("NonceMode: %d is not defined", o.NonceMode))
	}
	if o.MinRSABits < 0 || o.MinRSABits > maxRSABits {
		mistakes = append(mistakes, fmt.Errorf("MinRSABits: %d, want at most %d, and not less than 0", o.MinRSABits, maxRSABits))
	}
	return errors.Join(mistakes...)
}
