package evidence

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

var oidNameConstraints = asn1.ObjectIdentifier{2, 5, 29, 30}

// Edition identifies one issue of a list: its issuer, its signer, its distribution point, its number
// and its times. It can be kept after the list was dropped. OCSP responses only have times.
type Edition struct {
	ThisUpdate, NextUpdate time.Time // NextUpdate is zero if there is none

	endsWithSigner bool     // NextUpdate is when the certificate of the list's signer expires
	issuer         []byte   // the name in DER
	signerKey      []byte   // SubjectPublicKeyInfo, nil before it is verified
	pointDER       []byte   // the issuing distribution point unchanged, nil if absent
	number         *big.Int // cRLNumber, nil if absent
}

// Edition returns the edition of the list with its delta.
func (l *CRL) Edition() Edition {
	if l == nil {
		return Edition{}
	}
	e := l.newest().Edition
	e.NextUpdate = l.NextUpdate()
	return e
}

// CheckNewer returns nil if next may replace the list. It returns [ErrRollback] if next has a
// smaller cRLNumber or, if there are no two different numbers, an earlier thisUpdate. Lists of
// different issuers ([ErrCRLIssuer]) or issuing distribution points ([ErrCRLScope]) are not
// comparable.
func (e Edition) CheckNewer(next Edition) error {
	switch {
	case e.issuer == nil || next.issuer == nil || !dn.Match(e.issuer, next.issuer):
		return fmt.Errorf("%w: not comparable", ErrCRLIssuer)
	case !sameExtension(e.pointDER, next.pointDER):
		return fmt.Errorf("%w: another issuing distribution point", ErrCRLScope)
	case next.compare(e) < 0:
		return ErrRollback
	}
	return nil
}

// CheckBegun returns [ErrFuture] for a list whose thisUpdate is in the future, allowing for skew.
func (e Edition) CheckBegun(now time.Time, skew time.Duration) error {
	if e.isAhead(now, skew) {
		return fromFuture("the CRL", e.ThisUpdate, now)
	}
	return nil
}

// Current returns [ErrFuture] for a list whose thisUpdate is in the future, and [ErrNotFresh] for
// one whose nextUpdate has passed, allowing for skew. Such a list is kept for its revocations, but
// another is needed.
func (e Edition) Current(now time.Time, skew time.Duration) error {
	if err := e.CheckBegun(now, skew); err != nil {
		return err
	}
	if e.IsOver(now, skew) {
		return advice.New(helpOver, ErrNotFresh, "the CRL of %s expired at its nextUpdate, %s", instant(e.ThisUpdate), instant(e.NextUpdate))
	}
	return nil
}

// IsOver reports whether the nextUpdate has passed, allowing for skew.
func (e Edition) IsOver(now time.Time, skew time.Duration) bool {
	return e.hasNextUpdate() && now.After(e.NextUpdate.Add(skew))
}

func (e Edition) isAhead(now time.Time, skew time.Duration) bool {
	return e.ThisUpdate.After(now.Add(skew))
}

func (e Edition) hasNextUpdate() bool { return !e.NextUpdate.IsZero() }

// MayCoverLess reports whether a list with this issuing distribution point may cover fewer certificates or reasons than another
// one of the CA.
func (e Edition) MayCoverLess(other Edition) bool {
	return e.pointDER != nil && !bytes.Equal(e.pointDER, other.pointDER)
}

// SignedBy reports whether the certificate's own key has signed the list.
func (e Edition) SignedBy(s *Subject) bool { return bytes.Equal(e.signerKey, s.key) }

// Issuer returns the issuer's name in DER.
func (e Edition) Issuer() []byte { return e.issuer }

// ReadEdition reads a CRL, in DER or as one PEM block, up to its entries and verifies nothing. It is for
// selecting a list to verify.
func ReadEdition(content []byte) (there Edition, isDelta bool, err error) {
	l, err := parseList(content)
	if err != nil {
		return Edition{}, false, err
	}
	return l.Edition, l.isDelta(), nil
}

// MaySignLists reports whether a certificate is that of a CA, or of a signer of its CRLs, and may
// sign CRLs at that time, allowing for skew. Critical name constraints do not matter, even in forms
// that crypto/x509 does not know, because they concern only certificates.
func MaySignLists(cert *x509.Certificate, at time.Time, skew time.Duration) bool {
	isUnknown := func(id asn1.ObjectIdentifier) bool { return !id.Equal(oidNameConstraints) }
	return mayUse(cert, x509.KeyUsageCRLSign) && (cert.IsCA || cert.KeyUsage&x509.KeyUsageCRLSign != 0) &&
		!slices.ContainsFunc(cert.UnhandledCriticalExtensions, isUnknown) && ValidAt(cert, at, skew)
}

// Following combines the result with a previous one, by the rules of VerifyOptions.Previous. If the
// previous one is a revocation that continues to count, it is returned; otherwise a result that is
// older than the previous one gives [ErrRollback].
func (r *Result) Following(previous *Result) (Result, error) {
	return rollBack(*r, r.edition(), previous)
}

func (r *Result) edition() Edition { return Edition{ThisUpdate: r.ThisUpdate, number: r.CRLNumber} }

// compare is rule C9: the evidence with the larger cRLNumber is newer; if there are no two
// different numbers, the one with the later thisUpdate.
func (e Edition) compare(other Edition) int {
	if e.number != nil && other.number != nil {
		if order := e.number.Cmp(other.number); order != 0 {
			return order
		}
	}
	return e.ThisUpdate.Compare(other.ThisUpdate)
}

// rollBack is check 19 and rule C9: known evidence is never replaced by older evidence, and a
// permanent revocation never ends. If the known status is a revocation it remains the answer; in
// other cases older evidence is an error. at is the position of the evidence, which usually
// follows from the result.
func rollBack(result Result, at Edition, previous *Result) (Result, error) {
	if previous == nil || previous.Status == Unavailable || result.RevokedForGood() {
		return result, nil
	}
	order := at.compare(previous.edition())
	switch {
	case previous.RevokedForGood(), previous.Status == Revoked && (order <= 0 || result.Status != Good && result.Status != Revoked):
		return *previous, nil // only a newer Good ends a hold
	case order < 0:
		return Result{}, ErrRollback
	}
	return result, nil
}

// RevokedForGood reports whether this is a revocation that cannot be lifted: any but certificateHold.
func (r *Result) RevokedForGood() bool {
	return r.Status == Revoked && r.Reason != ReasonCertificateHold
}
