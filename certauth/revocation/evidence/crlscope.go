package evidence

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
)

// header is what a list says about itself: which certificates it covers, and for how long. A
// parsed list and its index share it, and thereby the rules.
type header struct {
	Edition
	point      *issuingPoint
	keyIDDER   []byte   // the authority key identifier unchanged, nil if absent
	baseNumber *big.Int // of a delta: the number of the oldest list that it continues
	namesDelta bool     // delta CRLs exist, whether or not they can be fetched
	freshest   []string // the URLs of those that can be
	responder  string   // the signer's name
}

// The reasons why a list does not cover a certificate.
var (
	errAttributesOnly = fmt.Errorf("%w: attribute certificates only", ErrCRLScope)
	errUsersOnly      = fmt.Errorf("%w: user certificates only", ErrCRLScope)
	errCAsOnly        = fmt.Errorf("%w: CA certificates only", ErrCRLScope)
	errOtherPoint     = fmt.Errorf("%w: another distribution point", ErrCRLScope)
)

// scope is reasonsFor with an error that names the distribution points, for a list of the issuer. The
// certificate's own key clears it only if it is the issuer's.
func (h *header) scope(s *Subject, issuer *x509.Certificate) (uint16, error) {
	if bytes.Equal(h.signerKey, s.key) && !bytes.Equal(h.signerKey, issuer.RawSubjectPublicKeyInfo) {
		return 0, ErrSignedBySubject
	}
	reasons, err := h.reasonsFor(s)
	if err == errOtherPoint { //nolint:errorlint // exactly this one
		err = s.outOfScope(h.point)
	}
	return reasons, err
}

// reasonsFor is rule C6. It returns the reasons that the list covers. It allocates nothing, because a
// CA may have thousands of lists of which one covers the certificate.
func (h *header) reasonsFor(s *Subject) (uint16, error) {
	p := h.point
	if p == nil {
		return AllReasons, nil
	}
	switch {
	case p.onlyAttribute:
		return 0, errAttributesOnly
	case p.onlyUser && (s.isCA || !s.v3):
		return 0, errUsersOnly
	case p.onlyCA && !s.isCA:
		return 0, errCAsOnly
	case !p.hasPoint:
		return p.reasons, nil
	case s.pointsErr != nil:
		return 0, s.pointsErr
	case p.namesCA(s.rawIssuer):
		return p.reasons, nil
	}
	var reasons uint16
	for _, point := range s.points {
		if slices.ContainsFunc(point.names, p.hasName) {
			reasons |= point.reasons
		}
	}
	if reasons == 0 {
		return 0, errOtherPoint
	}
	return reasons & p.reasons, nil
}

// decide is rules C4 and C1: the result for a certificate that the list contains like that, at this time
// and for the reasons that the list covers.
func (h *header) decide(as listing, reasons uint16, s *Subject, o *VerifyOptions) (Result, error) {
	if why := h.staleness(SourceCRL, s.isCA, o); why != fresh {
		return Result{StaleRevoked: as == listedRevoked && why != notBegun}, h.staleError(why, SourceCRL, s.isCA, o)
	}
	result := Result{
		Source: SourceCRL, Reason: ReasonUnspecified, ThisUpdate: h.ThisUpdate, NextUpdate: h.NextUpdate,
		UsableUntil: h.usableUntil(SourceCRL, s.isCA, s.notAfter, o), Responder: h.responder, ReasonsCovered: reasons, CRLNumber: h.number,
		DeltaMissing: h.namesDelta || s.namesDelta, // unless it is combined with a delta
	}
	switch {
	case as == listedRevoked:
		result.Status, result.UsableUntil = Revoked, s.notAfter
	case as == listedHeld:
		result.Status, result.Reason = Revoked, ReasonCertificateHold
	case reasons != AllReasons:
		return result, ErrCRLIncomplete
	default:
		result.Status = Good
	}
	return result, nil
}
