package evidence

import (
	"cmp"
	"errors"
	"math/big"
	"time"
)

// Status is the revocation status according to the evidence.
type Status uint8

const (
	// Unavailable means that there is no authentic, fresh, applicable evidence. It is the zero
	// value, and the caller is refused.
	Unavailable Status = iota
	// Good means that authentic, fresh evidence finds the certificate not revoked. It does not mean
	// that the certificate was ever issued; the verified chain shows that.
	Good
	// Revoked means that authentic evidence finds the certificate revoked, for any reason,
	// including a hold.
	Revoked
	// Unknown means that an authorised responder does not know the certificate.
	Unknown
	// NotApplicable means that an explicit rule exempts the certificate from the check: it is
	// short-lived, or has the extension noRevAvail (RFC 9608). Only a Checker of package
	// revocation returns it.
	NotApplicable
)

var statusNames = map[Status]string{Good: "good", Revoked: "revoked", Unknown: "unknown", NotApplicable: "not applicable"}

// String returns the status in one word.
func (s Status) String() string { return cmp.Or(statusNames[s], "unavailable") }

// Source is the kind of evidence that a Result is based on.
type Source uint8

// The values of Source.
const (
	SourceNone Source = iota // no evidence; the zero value
	SourceOCSP               // an OCSP response
	SourceCRL                // a certificate revocation list
)

// String returns the source in one word.
func (s Source) String() string {
	switch s {
	case SourceOCSP:
		return "ocsp"
	case SourceCRL:
		return "crl"
	}
	return "none"
}

// The reason codes of RFC 5280, section 5.3.1, that this package uses.
const (
	ReasonUnspecified     = -1 // no reason is given
	ReasonCertificateHold = 6  // the only reason that a CA may withdraw
	ReasonRemoveFromCRL   = 8  // occurs only in delta CRLs
)

// Result is the verified revocation status of one certificate. If there is an error, its
// Status is Unavailable and the other fields are empty, except those that the documentation
// of the error names.
type Result struct {
	Status Status
	Source Source

	// Reason is the reason code of RFC 5280, section 5.3.1, of a revocation, or
	// ReasonUnspecified if none is given or kept; a [CRL] keeps only
	// ReasonCertificateHold.
	Reason int

	// RevokedAt is the time of the revocation. It is zero if it is not kept, as in a [CRL].
	RevokedAt time.Time

	// ThisUpdate and NextUpdate are those of the evidence; NextUpdate is zero if it has
	// none. ProducedAt is the time at which an OCSP response was signed.
	ThisUpdate, NextUpdate, ProducedAt time.Time

	// UsableUntil is the time after which the evidence must not be used, except within
	// Config.StaleGrace of package revocation.
	UsableUntil time.Time

	// RefreshAfter is the time after which the Checker looks for newer evidence while it
	// still uses this. It is zero in results of the Verify functions, and for a list from a file,
	// which is read again when it changes.
	RefreshAfter time.Time

	// Stale reports that the Checker used the evidence after UsableUntil, within
	// Config.StaleGrace.
	Stale bool

	// Responder names the signer: the subject of the signing certificate.
	Responder string

	// DelegateUnchecked reports that the signer is a delegate without ocsp-nocheck, which
	// is trusted for its lifetime.
	DelegateUnchecked bool

	// StaleRevoked reports, together with ErrNotFresh, that the evidence is authentic but
	// too old, or the certificate of the responder that signed it has expired, and that it
	// called the certificate permanently revoked; or that a fresh delta
	// calls it revoked or on hold, and only the base is too old. For an OCSP response ThisUpdate
	// is set, too.
	StaleRevoked bool

	// ReasonsCovered is the set of revocation reasons that a CRL covers, bit n for
	// reason flag n of RFC 5280, section 4.2.1.13; AllReasons for an OCSP response.
	ReasonsCovered uint16

	// CRLNumber is the number of the CRL (RFC 5280, section 5.2.3), or nil if it has none
	// and for OCSP. With a delta CRL it is the delta's. It may be shared: do not change it.
	CRLNumber *big.Int

	// DeltaMissing reports that the complete CRL was used without the delta CRL that the
	// list or the certificate names, because the delta could not be fetched or used, is named
	// only by a URL that is never fetched, such as LDAP, or is no longer fresh. A revocation
	// after the complete list was issued may be missing.
	DeltaMissing bool
}

// refused is the result returned with an error.
func (r *Result) refused(because error) Result {
	if errors.Is(because, ErrCRLIncomplete) {
		return Result{Source: r.Source, ReasonsCovered: r.ReasonsCovered}
	}
	return *r
}

// AllReasons is every reason flag of RFC 5280, section 4.2.1.13, bits 1 to 8.
const AllReasons uint16 = 0x1FE
