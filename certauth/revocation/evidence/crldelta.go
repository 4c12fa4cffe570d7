package evidence

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// WithDelta verifies a delta CRL, in DER or as one PEM block, by the rules of [ParseCRL],
// and returns the list with the delta laid over it. The list itself stays as it is, and
// both share its memory. On a list that has a delta already the new one takes its place.
//
// A delta continues a list (RFC 5280, sections 5.2.4 and 6.3.3) of the same issuer, issuing
// distribution point, authority key identifier and signing key, whose number is not below
// the delta's BaseCRLNumber and is below the delta's own; else the error is
// [ErrDeltaMismatch]. It is [ErrRollback] as well if the list knows all of it already: the
// delta is no newer than the list, or older than the delta that the list has. Deltas are not
// put on each other; each must continue the complete list. A complete list is no delta
// ([ErrDeltaMismatch]). A delta whose indicator is not critical, that has no number, or
// that names a freshest CRL is malformed.
//
// What the delta lists counts before what the list says, but a revocation for good in
// either stays one: removeFromCRL lifts a hold and nothing else.
//
// Whether the delta is fresh depends on the moment, so a lookup decides. While it is not,
// the list speaks alone and Result.DeltaMissing is set; but where the delta knows of a
// revocation or a hold that the list does not, that is [ErrNotFresh] and never Good.
func (l *CRL) WithDelta(der []byte, issuer *x509.Certificate, o VerifyOptions) (*CRL, error) {
	if l == nil || issuer == nil || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return nil, ErrArgument
	}
	if l.by == nil || !dn.Match(l.by.RawSubject, issuer.RawSubject) {
		return nil, ErrIssuerMismatch
	}
	delta, err := ParseDelta(der, issuer, o)
	if err != nil {
		return nil, err
	}
	return l.With(delta)
}

// Delta is a verified delta CRL. Which list it continues is decided by [CRL.With].
type Delta struct {
	index
	issuer []byte // name
}

// ParseDelta verifies a delta CRL for itself, by the rules of [ParseCRL].
func ParseDelta(der []byte, issuer *x509.Certificate, o VerifyOptions) (*Delta, error) {
	if issuer == nil || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return nil, ErrArgument
	}
	parsed, by, err := openList(der, deltaList, issuer, &o)
	if err != nil {
		return nil, err
	}
	x, err := newIndex(parsed, by)
	if err != nil {
		return nil, err
	}
	return &Delta{*x, bytes.Clone(issuer.RawSubject)}, nil
}

// Edition tells it from other deltas.
func (d *Delta) Edition() Edition { return d.edition(d.issuer) }

// Size is about how many bytes of memory it holds.
func (d *Delta) Size() int { return d.size() }

// With lays a delta over the list, as [CRL.WithDelta] does.
func (l *CRL) With(delta *Delta) (*CRL, error) {
	if err := l.base.continuedBy(&delta.index); err != nil {
		return nil, err
	}
	if l.delta != nil && delta.standing().compare(l.delta.standing()) < 0 {
		return nil, fmt.Errorf("%w: %w: older than the delta that is known", ErrDeltaMismatch, ErrRollback)
	}
	merged := *l
	merged.delta = delta
	return &merged, nil
}

// Delta is the delta that is laid over the list, nil if there is none.
func (l *CRL) Delta() *Delta { return l.delta }

// ListedByDelta reports whether the list's delta calls the certificate revoked or on hold, and
// since when it says so.
func (l *CRL) ListedByDelta(s *Subject) (thisUpdate time.Time, listed bool) {
	if l.delta == nil || l.delta.find(s.serial) < listedHeld {
		return time.Time{}, false
	}
	return l.delta.thisUpdate, true
}

// continuedBy is rule C10, as far as it does not depend on the moment. That both are of one
// issuer has been settled with the signatures.
func (x *index) continuedBy(delta *index) error {
	var why string
	switch {
	case x.number == nil:
		why = "the list has no number"
	case !sameExtension(x.pointDER, delta.pointDER):
		why = "another issuing distribution point"
	case !sameExtension(x.keyIDDER, delta.keyIDDER):
		why = "another authority key identifier"
	case x.signerKey != delta.signerKey:
		why = "signed by another key"
	case delta.baseNumber.Cmp(x.number) > 0:
		why = "it continues a later list"
	case delta.number.Cmp(x.number) <= 0:
		return fmt.Errorf("%w: %w: no newer than the list", ErrDeltaMismatch, ErrRollback)
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDeltaMismatch, why)
}

// overlaid is what a list and its delta say together. removeFromCRL lifts a hold and never
// a revocation for good: that only an expired certificate is removed from, and nothing is
// lost by still calling it revoked.
func overlaid(base, delta listing) listing {
	switch {
	case base == listedRevoked || delta == notListed:
		return base
	case delta == listedRemoved:
		return notListed
	}
	return delta
}

// lookupWithDelta is rule C10 at one moment: both must be fresh, and the whole is as new as
// the delta and ends with the first of both.
func (l *CRL) lookupWithDelta(inBase listing, reasons uint16, s *Subject, o *VerifyOptions) (Result, error) {
	inDelta := l.delta.find(s.serial)
	why := l.delta.staleness(SourceCRL, s.isCA, o)
	found := overlaid(inBase, inDelta)
	if why != fresh {
		if inBase == notListed && found != notListed {
			return Result{StaleRevoked: found == listedRevoked && why != notBegun}, l.delta.staleError(why, SourceCRL, s.isCA, o)
		}
		found = inBase
	}
	result, err := l.base.decide(found.finding(), reasons, s, o)
	if why == fresh && errors.Is(err, ErrNotFresh) && found != notListed {
		result.StaleRevoked = true // the base has run out, what the delta says has not: also a hold
	}
	if err != nil && !errors.Is(err, ErrCRLIncomplete) {
		return result, err
	}
	if why == fresh {
		result.ThisUpdate, result.NextUpdate, result.CRLNumber = l.delta.thisUpdate, l.NextUpdate(), l.delta.number
		result.DeltaMissing = false
		if until := l.delta.usableUntil(SourceCRL, s.isCA, s.notAfter, o); !result.RevokedForGood() && until.Before(result.UsableUntil) {
			result.UsableUntil = until
		}
	} else {
		result.DeltaMissing = true
	}
	if err != nil {
		return result, err
	}
	return rollBack(result, l.standing(), o.Previous)
}
