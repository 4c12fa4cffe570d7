package evidence

import (
	"errors"
	"math/big"
	"time"
)

// Status is the revocation status according to the evidence.
type Status uint8

const (
	// Unavailable means that there is no authentic, fresh, applicable evidence. It is the
	// zero value and denies.
	Unavailable Status = iota
	// Good means that authentic, fresh evidence finds the certificate not revoked.
	Good
	// Revoked means that authentic evidence finds the certificate revoked, for any reason,
	// a hold included.
	Revoked
	// Unknown means that an authorised responder says it does not know the certificate.
	Unknown
	// NotApplicable means that no evidence is asked for, by an explicit rule: a short-lived
	// certificate, or noRevAvail. Only a Checker says so.
	NotApplicable
)

// String returns the status in one word.
func (s Status) String() string {
	switch s {
	case Good:
		return "good"
	case Revoked:
		return "revoked"
	case Unknown:
		return "unknown"
	case NotApplicable:
		return "not applicable"
	case Unavailable:
	}
	return "unavailable"
}

// Source is the kind of evidence that a Result is based on.
type Source uint8

const (
	// SourceNone is the zero value: no evidence.
	SourceNone Source = iota
	// SourceOCSP is an OCSP response.
	SourceOCSP
	// SourceCRL is a certificate revocation list.
	SourceCRL
)

// String returns the source in one word.
func (s Source) String() string {
	switch s {
	case SourceOCSP:
		return "ocsp"
	case SourceCRL:
		return "crl"
	case SourceNone:
	}
	return "none"
}

// Reason codes of RFC 5280, section 5.3.1, that matter here.
const (
	// ReasonUnspecified is used where no reason is given.
	ReasonUnspecified = -1
	// ReasonCertificateHold is the one reason that a CA may take back.
	ReasonCertificateHold = 6
	// ReasonRemoveFromCRL occurs only in delta CRLs.
	ReasonRemoveFromCRL = 8
)

// Result is the verified revocation status of one certificate. With an error its Status
// is Unavailable and the rest is empty, except for the fields that the error's documentation names.
type Result struct {
	Status Status
	Source Source

	// Reason is the reason code of RFC 5280, section 5.3.1, of a revocation, or
	// ReasonUnspecified where none is given or kept; a [CRL] keeps ReasonCertificateHold
	// alone.
	Reason int

	// RevokedAt is the time of the revocation, zero where it is not kept, as in a [CRL].
	RevokedAt time.Time

	// ThisUpdate and NextUpdate bound the evidence; NextUpdate is zero where it has none.
	// ProducedAt is when an OCSP response was signed.
	ThisUpdate, NextUpdate, ProducedAt time.Time

	// UsableUntil is the moment from which the evidence must not be used again, but for
	// Config.StaleGrace.
	UsableUntil time.Time

	// RefreshAfter is the moment from which newer evidence is looked for while this is
	// still used. The checker sets it; it is zero in results of the Verify functions.
	RefreshAfter time.Time

	// Stale says that the checker used the evidence past UsableUntil, within the grace
	// that it was configured with.
	Stale bool

	// Responder names the signer: the subject of the signing certificate.
	Responder string

	// DelegateUnchecked says that a delegate without ocsp-nocheck signed and was trusted
	// for its lifetime.
	DelegateUnchecked bool

	// StaleRevoked says, with ErrNotFresh, that the evidence is authentic, only too
	// old, and called the certificate revoked for good; or that a delta which is not too old
	// calls it revoked or on hold, and only its base is.
	StaleRevoked bool

	// ReasonsCovered is the set of revocation reasons that a CRL answers for, bit n for
	// reason flag n of RFC 5280, section 4.2.1.13; AllReasons for an OCSP response.
	ReasonsCovered uint16

	// CRLNumber is the number of the CRL (RFC 5280, section 5.2.3), nil where it has none
	// and for OCSP. With a delta CRL it is the delta's. It may be shared: do not change it.
	CRLNumber *big.Int

	// DeltaMissing says that there should be a delta CRL and that the complete one speaks
	// alone: the list or the certificate names one, and it could not be fetched or used, is named
	// only by a URL that is never fetched, as with LDAP, or is no longer fresh. A revocation since
	// the complete list was issued may not be seen yet.
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
