package revocation

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// VerifyCRL verifies a complete CRL, in DER or as one PEM block, for cert, which issuer has
// issued, and returns what it says about it. Both certificates must come from a chain that
// has verified. It follows RFC 5280, section 6.3.3, for direct CRLs: structure, issuer,
// signature, freshness, critical extensions of the list and of every entry, and whether the
// list's scope covers this certificate. The issuing distribution point must hold, byte for
// byte, a name that stands in one of the certificate's distribution points: otherwise one
// validly signed shard could be put in place of another.
//
// Indirect CRLs and delta CRLs are refused ([ErrCRLScope]). A list that covers only some
// revocation reasons and does not hold the certificate gives [ErrCRLIncomplete] and
// Result.ReasonsCovered.
//
// The error is not nil exactly when the Status is Unavailable; it wraps one of the
// package's sentinels. VerifyCRL is a pure function and safe for concurrent use.
func VerifyCRL(der []byte, cert, issuer *x509.Certificate, o VerifyOptions) (Result, error) {
	if cert == nil || issuer == nil || len(cert.Raw) == 0 || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return Result{}, ErrArgument
	}
	if !equal(cert.RawIssuer, issuer.RawSubject) {
		return Result{}, ErrIssuerMismatch
	}
	der, err := unwrapPEM(der)
	if err != nil {
		return Result{}, err
	}
	l, err := parseList(der)
	if err != nil {
		return Result{}, err
	}
	if err := l.checkForm(&o); err != nil {
		return Result{}, err
	}
	by, err := l.findSigner(cert, issuer, &o)
	if err != nil {
		return Result{}, err
	}
	reasons, err := l.scope(cert)
	if err != nil {
		return Result{}, err
	}
	serial, ok := serialBytes(cert.Raw)
	if !ok {
		return Result{}, ErrArgument
	}
	found, listed, err := l.find(serial)
	if err != nil {
		return Result{}, err
	}
	if !l.isFresh(cert, &o) {
		past := !l.thisUpdate.After(o.Now.Add(o.skew()))
		return Result{StaleRevoked: listed && past && found.reason != ReasonCertificateHold}, ErrNotFresh
	}
	if !listed && reasons != AllReasons {
		return Result{Source: SourceCRL, ReasonsCovered: reasons}, ErrCRLIncomplete
	}
	return rollBack(l.result(found, listed, reasons, by, cert, &o), o.Previous)
}

// unwrapPEM accepts DER, or exactly one X509 CRL block and nothing else.
func unwrapPEM(content []byte) ([]byte, error) {
	begin := []byte("-----BEGIN")
	if !bytes.HasPrefix(content, begin) {
		return content, nil
	}
	if bytes.Count(content, begin) != 1 { // encoding/pem passes over a broken block
		return nil, malformed("not one PEM block of an X509 CRL")
	}
	block, rest := pem.Decode(content)
	if block == nil || block.Type != "X509 CRL" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, malformed("not one PEM block of an X509 CRL")
	}
	return block.Bytes, nil
}

// checkForm is rule C2, as far as options decide it.
func (l *list) checkForm(o *VerifyOptions) error {
	if l.version != 2 && !o.AllowV1CRL {
		return malformed("version 1")
	}
	if l.hasEntries && len(l.entries) == 0 && !o.AllowEmptyRevokedList {
		return malformed("revokedCertificates is there and empty")
	}
	return nil
}

// findSigner is rule C3: the issuer's key, or after a change of key a certificate of its
// name that the caller verified.
func (l *list) findSigner(cert, issuer *x509.Certificate, o *VerifyOptions) (*x509.Certificate, error) {
	if !sameName(l.issuer, cert.RawIssuer) {
		return nil, ErrCRLIssuer
	}
	algorithm, err := l.algorithm.signatureAlgorithm(o.AllowSHA1)
	if err != nil {
		return nil, err
	}
	refused := ErrBadSignature
	verifications := 0
	for _, candidate := range append([]*x509.Certificate{issuer}, o.CRLIssuers...) {
		if candidate == nil || !sameName(l.issuer, candidate.RawSubject) {
			continue
		}
		if len(l.keyID) > 0 && len(candidate.SubjectKeyId) > 0 && !equal(l.keyID, candidate.SubjectKeyId) {
			continue
		}
		if candidate.KeyUsage != 0 && candidate.KeyUsage&x509.KeyUsageCRLSign == 0 {
			refused = fmt.Errorf("%w: its key usage does not allow to sign CRLs", ErrCRLIssuer)
			continue
		}
		if err := checkSignerKey(candidate, o.minRSABits()); err != nil {
			refused = err
			continue
		}
		if verifications++; verifications > maxVerifications {
			break
		}
		if candidate.CheckSignature(algorithm, l.tbs, l.signature) == nil {
			return candidate, nil
		}
	}
	return nil, refused
}

// scope is rule C6. It returns the reasons that the list answers for.
func (l *list) scope(cert *x509.Certificate) (uint16, error) {
	p := l.point
	if p == nil {
		return AllReasons, nil
	}
	switch {
	case p.indirect:
		return 0, fmt.Errorf("%w: indirect CRL", ErrCRLScope)
	case p.onlyAttribute:
		return 0, fmt.Errorf("%w: attribute certificates only", ErrCRLScope)
	case p.onlyUser && (cert.IsCA || cert.Version != 3):
		return 0, fmt.Errorf("%w: user certificates only", ErrCRLScope)
	case p.onlyCA && !cert.IsCA:
		return 0, fmt.Errorf("%w: CA certificates only", ErrCRLScope)
	case !p.hasPoint:
		return p.reasons, nil
	}
	points, err := distributionPoints(cert)
	if err != nil {
		return 0, err
	}
	var reasons uint16
	for _, point := range points {
		if slices.ContainsFunc(point.names, func(name []byte) bool {
			return slices.ContainsFunc(p.names, func(other []byte) bool { return equal(name, other) })
		}) {
			reasons |= point.reasons
		}
	}
	if reasons == 0 {
		return 0, fmt.Errorf("%w: no distribution point of the certificate names it", ErrCRLScope)
	}
	return reasons & p.reasons, nil
}

// isFresh is rule C4.
func (l *list) isFresh(cert *x509.Certificate, o *VerifyOptions) bool {
	skew := o.skew()
	if l.thisUpdate.After(o.Now.Add(skew)) {
		return false
	}
	if limit, bounded := o.maxAge(cert, DefaultMaxAgeCRL); bounded && o.Now.Sub(l.thisUpdate) > limit {
		return false
	}
	if !l.hasNextUpdate {
		return o.AllowNoNextUpdate
	}
	return !l.nextUpdate.Before(l.thisUpdate) && !o.Now.After(l.nextUpdate.Add(skew))
}

func (l *list) result(found entry, listed bool, reasons uint16, by, cert *x509.Certificate, o *VerifyOptions) Result {
	result := Result{
		Status: Good, Source: SourceCRL, Reason: ReasonUnspecified, ThisUpdate: l.thisUpdate, NextUpdate: l.nextUpdate,
		Responder: nameText(by.RawSubject), ReasonsCovered: reasons,
	}
	if listed {
		result.Status, result.Reason, result.RevokedAt = Revoked, found.reason, found.revokedAt
	}
	result.UsableUntil = l.usableUntil(cert, o)
	if listed && found.reason != ReasonCertificateHold {
		result.UsableUntil = cert.NotAfter
	}
	return result
}

func (l *list) usableUntil(cert *x509.Certificate, o *VerifyOptions) time.Time {
	until := cert.NotAfter
	if l.hasNextUpdate && l.nextUpdate.Before(until) {
		until = l.nextUpdate
	}
	if limit, bounded := o.maxAge(cert, DefaultMaxAgeCRL); bounded && l.thisUpdate.Add(limit).Before(until) {
		until = l.thisUpdate.Add(limit)
	}
	return until
}

// nameText writes a DN for logs, quoted and bounded.
func nameText(der []byte) string {
	name, err := dn.Parse(der)
	if err != nil {
		return "(unreadable name)"
	}
	return logtext.Quote(name.String())
}
