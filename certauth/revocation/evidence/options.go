package revocation

import (
	"crypto/x509"
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

// NonceMode says what the nonce of a request means for its response.
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

// DelegatePolicy says how the revocation of a delegated responder itself is settled where
// its certificate has no ocsp-nocheck extension (RFC 6960, section 4.2.2.2.1).
type DelegatePolicy uint8

const (
	// TrustForLifetime believes the delegate while it is valid and sets
	// Result.DelegateUnchecked.
	TrustForLifetime DelegatePolicy = iota
	// RequireNoCheck refuses delegates without ocsp-nocheck.
	RequireNoCheck
	// CheckCRL asks VerifyOptions.DelegateCRL. OCSP is never used for a delegate: it
	// would go on for ever.
	CheckCRL
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

	// MinRSABits is the smallest RSA key of a signer. The default, and what a negative value
	// means, is 2048; less than that accepts signers whose key can be broken.
	MinRSABits int

	// Nonce is what the request carried, for NonceMode other than NonceOff.
	Nonce     []byte
	NonceMode NonceMode

	// Delegate settles the delegate's own revocation; MaxDelegateLifetime bounds the
	// validity of a delegate without ocsp-nocheck, 0 does not.
	Delegate            DelegatePolicy
	MaxDelegateLifetime time.Duration
	DelegateCRL         []byte

	// TrustedResponders may sign OCSP responses for this issuer although it did not
	// certify them; CRLIssuers, certificates of the issuer's name, may sign its CRLs with
	// another key. Both are verified by the caller.
	TrustedResponders, CRLIssuers []*x509.Certificate

	// Previous is what is known from earlier evidence of the same kind, OCSP or a CRL of the
	// same scope, about the same certificate. Older evidence never replaces it, and a
	// revocation for good stays. Of two CRLs the smaller number is the older one; without
	// numbers, as in OCSP, thisUpdate decides.
	Previous *Result

	// delegate settles a delegate for CheckCRL instead of DelegateCRL.
	delegate func(*x509.Certificate) (Result, error)
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

func (o *VerifyOptions) skew() time.Duration { return withDefault(o.Skew, DefaultSkew) }

// maxAge returns the bound for a certificate, and whether there is one.
func (o *VerifyOptions) maxAge(isCA bool, otherwise time.Duration) (time.Duration, bool) {
	age, limit := o.MaxAge, otherwise
	if isCA {
		age, limit = o.MaxAgeCA, DefaultMaxAgeCA
	}
	return withDefault(age, limit), age >= 0
}

func (o *VerifyOptions) minRSABits() int {
	if o.MinRSABits <= 0 {
		return DefaultMinRSABits
	}
	return o.MinRSABits
}
