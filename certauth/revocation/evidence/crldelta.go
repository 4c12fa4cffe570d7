package evidence

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// WithDelta verifies a delta CRL, in DER or as one PEM block, by the rules of [ParseCRL], and
// returns the list combined with the delta. The list itself does not change; both share its
// memory. If the list already has a delta, the new one replaces it.
//
// A delta continues a list (RFC 5280, sections 5.2.4 and 6.3.3) if both have the same issuer,
// issuing distribution point, authority key identifier and signing key, and the list's number is
// not below the delta's BaseCRLNumber and is below the delta's own number. Otherwise the error is
// [ErrDeltaMismatch]; it is also [ErrRollback] if the delta is not newer than the list, or older
// than the delta that the list has. Deltas do not continue each other; each must continue the
// complete list. A complete list is not a delta ([ErrDeltaMismatch]). A delta is malformed if its
// indicator is not critical, if it has no number, or if it names a freshest CRL.
//
// An entry of the delta replaces that of the list, except that a permanent revocation in either
// stays: removeFromCRL only lifts a hold.
//
// Whether the delta is fresh depends on the time, so look-ups check it. If it is not fresh, the
// list is used alone and Result.DeltaMissing is set; but if the delta contains a revocation or a
// hold that the list does not, the error is [ErrNotFresh], and the status is never Good. If the
// list contains a hold and the delta confirms it, the ThisUpdate of the hold is that of the delta.
func (l *CRL) WithDelta(der []byte, issuer *x509.Certificate, o VerifyOptions) (*CRL, error) {
	if l == nil {
		return nil, ErrArgument
	}
	delta, err := ParseDelta(der, issuer, o)
	if err != nil {
		return nil, err
	}
	return l.With(delta)
}

// Delta is a verified delta CRL. [CRL.With] decides which lists it continues.
type Delta struct{ index }

// ParseDelta verifies a delta CRL on its own, by the rules of [ParseCRL].
func ParseDelta(der []byte, issuer *x509.Certificate, o VerifyOptions) (*Delta, error) {
	parsed, err := openList(der, true, issuer, &o)
	if err != nil {
		return nil, err
	}
	x, err := newIndex(parsed)
	if err != nil {
		return nil, err
	}
	return &Delta{*x}, nil
}

// Edition identifies the delta among others.
func (d *Delta) Edition() Edition { return d.index.Edition }

// Size returns the approximate memory that it takes, in bytes.
func (d *Delta) Size() int { return d.size() }

// Scope is [CRL.Scope].
func (d *Delta) Scope() string { return d.scopeKey() }

// Replaces reports whether the delta continues every list that other continues, and is not older.
func (d *Delta) Replaces(other *Delta) bool {
	return d.isOfKind(&other.index) == "" && d.baseNumber.Cmp(other.baseNumber) <= 0 && d.number.Cmp(other.number) >= 0
}

// With returns the list combined with a delta, like [CRL.WithDelta].
func (l *CRL) With(delta *Delta) (*CRL, error) {
	if err := l.base.continuedBy(&delta.index); err != nil {
		return nil, err
	}
	if l.delta != nil && delta.compare(l.delta.Edition()) < 0 {
		return nil, fmt.Errorf("%w: %w: older than the known delta", ErrDeltaMismatch, ErrRollback)
	}
	merged := *l
	merged.delta = delta
	return &merged, nil
}

// Delta returns the delta with which the list was combined, nil if there is none.
func (l *CRL) Delta() *Delta { return l.delta }

// ListedByDelta reports whether the list's delta calls the certificate revoked or on hold, and
// returns the delta's thisUpdate.
func (l *CRL) ListedByDelta(s *Subject) (thisUpdate time.Time, listed bool) {
	if l.delta == nil || l.delta.find(s.serial) < listedHeld {
		return time.Time{}, false
	}
	return l.delta.ThisUpdate, true
}

// continuedBy is rule C10, as far as it does not depend on the time.
func (x *index) continuedBy(delta *index) error {
	why := x.isOfKind(delta)
	switch {
	case x.number == nil:
		why = "the list has no number"
	case why != "":
	case delta.baseNumber.Cmp(x.number) > 0:
		why = "it continues a later list"
	case delta.number.Cmp(x.number) <= 0:
		return fmt.Errorf("%w: %w: no newer than the list", ErrDeltaMismatch, ErrRollback)
	default:
		return nil
	}
	return mismatchError(why)
}

// mismatchError is ErrDeltaMismatch with the reason. To find the list of a delta, others are tried.
type mismatchError string

func (e mismatchError) Error() string { return ErrDeltaMismatch.Error() + ": " + string(e) }

func (mismatchError) Unwrap() error { return ErrDeltaMismatch }

// isOfKind returns why a delta cannot belong to a list, or to the lists of another delta, whatever
// their numbers, or "".
func (x *index) isOfKind(delta *index) string {
	switch {
	case !dn.Match(x.issuer, delta.issuer):
		return "another issuer"
	case !sameExtension(x.pointDER, delta.pointDER):
		return "another issuing distribution point"
	case !sameExtension(x.keyIDDER, delta.keyIDDER):
		return "another authority key identifier"
	case !bytes.Equal(x.signerKey, delta.signerKey):
		return "signed by another key"
	}
	return ""
}

// overlaid combines a list and its delta. removeFromCRL lifts a hold but not a permanent revocation:
// only an expired certificate is removed from those, and calling it revoked does no harm.
func overlaid(base, delta listing) listing {
	switch {
	case base == listedRevoked || delta == notListed:
		return base
	case delta == listedRemoved:
		return notListed
	}
	return delta
}

// lookupWithDelta is rule C10 at one time: both must be fresh, and the result is as new as the
// delta and ends with the first of the two.
func (l *CRL) lookupWithDelta(inBase listing, reasons uint16, s *Subject, o *VerifyOptions) (Result, error) {
	inDelta := l.delta.find(s.serial)
	why := l.delta.staleness(SourceCRL, s.isCA, o)
	found := overlaid(inBase, inDelta)
	accuses := found == listedRevoked && why != notBegun || found == listedHeld && why == fresh // if the base, or the delta, has expired
	if why != fresh {
		if inBase == notListed && found != notListed {
			return Result{StaleRevoked: accuses}, l.delta.staleError(why, SourceCRL, s.isCA, o)
		}
		found = inBase
	}
	result, err := l.base.decide(found, reasons, s, o)
	result.StaleRevoked = result.StaleRevoked || accuses && errors.Is(err, ErrNotFresh)
	if err != nil && !errors.Is(err, ErrCRLIncomplete) {
		return result, err
	}
	if why == fresh {
		result.ThisUpdate, result.NextUpdate, result.CRLNumber = l.delta.ThisUpdate, l.NextUpdate(), l.delta.number
		result.DeltaMissing = false
		if !result.RevokedForGood() {
			result.UsableUntil = earlier(result.UsableUntil, l.delta.usableUntil(SourceCRL, s.isCA, s.notAfter, o))
		}
	} else {
		result.DeltaMissing = true
		if inDelta >= listedHeld && why != notBegun && l.delta.ThisUpdate.After(result.ThisUpdate) {
			// Nothing from before the delta lifts a hold of the list that the delta confirms.
			result.ThisUpdate = l.delta.ThisUpdate
		}
	}
	if err != nil {
		return result, err
	}
	return rollBack(result, l.delta.Edition(), o.Previous)
}
