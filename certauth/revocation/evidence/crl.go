package evidence

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// VerifyCRL verifies a complete CRL, in DER or as one PEM block, for cert, which issuer has
// issued, and returns the status of cert. Both certificates must come from a chain that has been
// verified. It follows RFC 5280, section 6.3.3, for direct CRLs: structure, issuer, signature,
// freshness, critical extensions of the list and of every entry, and whether the list's scope
// covers this certificate. The issuing distribution point must contain, byte for byte, a name in
// one of the certificate's distribution points, because otherwise one validly signed shard could
// replace another.
//
// VerifyCRL reads the whole list for one certificate; for many certificates use [ParseCRL], which
// keeps an index. Both give the same status and error for certificates of issuer.
//
// Indirect CRLs ([ErrIndirectCRL]) and delta CRLs ([ErrCRLScope]) are refused. A list that covers
// only some revocation reasons and does not contain the certificate gives [ErrCRLIncomplete] and
// Result.ReasonsCovered.
//
// The error is non-nil exactly if the Status is Unavailable; it wraps one of the package's
// sentinel errors. VerifyCRL is a pure function and safe for concurrent use.
func VerifyCRL(der []byte, cert, issuer *x509.Certificate, o VerifyOptions) (Result, error) {
	if cert == nil || issuer == nil || len(cert.Raw) == 0 || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return Result{}, ErrArgument
	}
	if !dn.Match(cert.RawIssuer, issuer.RawSubject) {
		return Result{}, ErrIssuerMismatch
	}
	s, err := NewSubject(cert)
	if err != nil {
		return Result{}, err
	}
	l, err := openList(der, false, issuer, &o)
	if err != nil {
		return Result{}, err
	}
	found, as, err := l.find(s.serial)
	if err != nil {
		return Result{}, err
	}
	reasons, err := l.scope(&s, issuer)
	if err != nil {
		return Result{}, err
	}
	result, err := l.decide(as, reasons, &s, &o)
	if err != nil {
		return result.refused(err), err
	}
	if result.Status == Revoked {
		result.Reason, result.RevokedAt = found.reason, found.revokedAt
	}
	return rollBack(result, l.Edition, o.Previous)
}

// openList reads a list up to its entries and establishes its signer: rules C2, C3 and C5.
// Nothing here depends on the certificate in question or on the time.
func openList(der []byte, isDelta bool, issuer *x509.Certificate, o *VerifyOptions) (*list, error) {
	if issuer == nil || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return nil, ErrArgument
	}
	l, err := parseList(der)
	if err != nil {
		return nil, err
	}
	if err := cmp.Or(l.checkKind(isDelta), l.checkForm(o)); err != nil {
		return nil, err
	}
	by, err := l.findSigner(issuer, o)
	if err != nil {
		return nil, err
	}
	l.responder, l.signerKey = dn.Quote(by.RawSubject), by.RawSubjectPublicKeyInfo
	if e, named := find(l.extensions, oidFreshestCRL); named {
		points, _ := readPoints("", e.Value, l.issuer)
		l.freshest = firstURLs(points)
	}
	endless := !l.hasNextUpdate() && o.AllowNoNextUpdate
	if by != issuer && (endless || l.hasNextUpdate() && by.NotAfter.Before(l.NextUpdate)) {
		l.NextUpdate, l.endsWithSigner = by.NotAfter, true
	}
	return l, nil
}

// unwrapPEM accepts DER, or text that ends with its only PEM block, which must be an X509 CRL.
// Explanatory text may precede the block (RFC 7468, section 2), as openssl crl -text writes it,
// and a byte order mark before that.
func unwrapPEM(content []byte) ([]byte, error) {
	begin := []byte("-----BEGIN")
	if bytes.HasPrefix(content, []byte{byte(cbasn1.SEQUENCE)}) || !bytes.Contains(content, begin) {
		return content, nil // reading anything else as DER will explain the fault
	}
	block, rest := pem.Decode(bytes.TrimSpace(bytes.TrimPrefix(content, []byte("\xEF\xBB\xBF"))))
	// encoding/pem skips a broken block
	if bytes.Count(content, begin) > 1 || block == nil || block.Type != "X509 CRL" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, malformed("not one PEM block of an X509 CRL")
	}
	return block.Bytes, nil
}

// checkForm is rule C2 of RULES.md, as far as options determine it.
func (l *list) checkForm(o *VerifyOptions) error {
	if l.version != 2 && !o.AllowV1CRL {
		return advice.New(helpV1, ErrMalformed, "a CRL of version 1, and AllowV1CRL is not set")
	}
	if l.hasEntries && len(l.entries) == 0 && !o.AllowEmptyRevokedList {
		return advice.New(helpEmpty, ErrMalformed, "revokedCertificates is there and empty, and AllowEmptyRevokedList is not set")
	}
	return nil
}

// maxListKeys bounds the signature checks for one list.
const maxListKeys = 8

// ErrSignedBySubject reports that the list is signed by the key of the certificate in question.
// errors.Is also finds ErrCRLIssuer. RFC 6960, section 4.2.2.2, has this rule for responders: the
// holder of the key of a revoked CA certificate must not be able to clear it.
var ErrSignedBySubject = fmt.Errorf("%w: signed by the key of the certificate in question", ErrCRLIssuer)

// findSigner is rule C3: the signer is the issuer's key or, after a change of key, that of a
// certificate with the issuer's name that the caller has verified. Key identifiers determine only
// which key is tried first, and the signature decides, because tools compute identifiers in
// several ways (RFC 7093).
func (l *list) findSigner(issuer *x509.Certificate, o *VerifyOptions) (*x509.Certificate, error) {
	if !dn.Match(l.issuer, issuer.RawSubject) {
		return nil, ErrCRLIssuer
	}
	algorithm, err := l.algorithm.signatureAlgorithm("signed", o.AllowSHA1)
	if err != nil {
		return nil, err
	}
	refused := ErrBadSignature
	var tried [][]byte
	for _, candidate := range l.candidates(issuer, o) {
		if candidate != issuer && !couldSign(candidate, l.ThisUpdate, o) {
			refused = fmt.Errorf("%w: its certificate is not valid now, or was not when it signed", ErrCRLIssuer)
			continue
		}
		if !mayUse(candidate, x509.KeyUsageCRLSign) {
			refused = fmt.Errorf("%w: its key usage does not allow to sign CRLs", ErrCRLIssuer)
			continue
		}
		if err := checkSignerKey(candidate, o.minRSABits()); err != nil {
			refused = err
			continue
		}
		key := candidate.RawSubjectPublicKeyInfo
		if slices.ContainsFunc(tried, func(other []byte) bool { return bytes.Equal(key, other) }) {
			continue
		}
		if len(tried) == maxListKeys {
			break
		}
		if candidate.CheckSignature(algorithm, l.tbs, l.signature) == nil {
			return candidate, nil
		}
		tried = append(tried, key)
	}
	return nil, refused
}

// candidates returns the certificates with the name of the list's issuer. Those with the key
// identifier that the list names come first, those that have expired last.
func (l *list) candidates(issuer *x509.Certificate, o *VerifyOptions) []*x509.Certificate {
	var named, others, ended []*x509.Certificate
	for _, candidate := range append([]*x509.Certificate{issuer}, o.CRLIssuers...) {
		switch {
		case candidate == nil || !dn.Match(l.issuer, candidate.RawSubject):
		case candidate != issuer && hasEnded(candidate, o):
			ended = append(ended, candidate)
		case len(l.keyID) > 0 && len(candidate.SubjectKeyId) > 0 && !bytes.Equal(l.keyID, candidate.SubjectKeyId):
			others = append(others, candidate)
		default:
			named = append(named, candidate)
		}
	}
	return slices.Concat(named, others, ended)
}
