package evidence

import (
	"bytes"
	"cmp"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// harmlessSingle are single extensions that may be critical without changing the meaning of the
// answer: the CT list, the CRL reference, the archive cutoff.
var harmlessSingle = []asn1.ObjectIdentifier{
	{1, 3, 6, 1, 4, 1, 11129, 2, 4, 5},
	{1, 3, 6, 1, 5, 5, 7, 48, 1, 3},
	{1, 3, 6, 1, 5, 5, 7, 48, 1, 6},
}

// VerifyOCSP verifies an OCSP response about cert, which issuer has issued, and returns the
// status of cert. Both certificates must come from a chain that has been verified. The checks run
// in a fixed order, and the first failure decides (RFC 6960, section 3.2, and further checks):
//
// structure and status of the response; extensions; algorithm; the signer and its authorization
// (the issuer itself, a delegate that the issuer certified for OCSPSigning and that is not the
// certificate in question, or a trusted responder); the signature; the nonce; the times; and that
// an answer is about this certificate of this issuer, by its whole CertID. If there are several
// usable answers, the strictest counts, and of equally strict ones the first.
//
// The error is non-nil exactly if the Status is Unavailable; it wraps one of the package's
// sentinel errors. VerifyOCSP is a pure function and safe for concurrent use.
func VerifyOCSP(der []byte, cert, issuer *x509.Certificate, o VerifyOptions) (Result, error) {
	if cert == nil || issuer == nil || len(cert.Raw) == 0 || len(issuer.Raw) == 0 || o.Now.IsZero() {
		return Result{}, ErrArgument
	}
	if !dn.Match(cert.RawIssuer, issuer.RawSubject) {
		return Result{}, ErrIssuerMismatch
	}
	if len(der) > MaxResponse {
		return Result{}, fmt.Errorf("%w: %d bytes, want at most %d", ErrLimits, len(der), MaxResponse)
	}
	r, err := parseResponse(der)
	if err != nil {
		return Result{}, err
	}
	if err := checkCritical(r.extensions, oidNonce); err != nil {
		return Result{}, err
	}
	algorithm, err := r.algorithm.signatureAlgorithm("signed", o.AllowSHA1)
	if err != nil {
		return Result{}, err
	}
	by, err := r.findSigner(algorithm, cert, issuer, &o)
	if err != nil {
		return Result{}, err
	}
	if err := cmp.Or(r.checkNonce(&o), r.checkProducedAt(cert, &o)); err != nil {
		return Result{}, err
	}
	matching, err := r.matching(cert, issuer, o.Tolerance())
	if err != nil {
		return Result{}, err
	}
	chosen, err := strictest(matching, cert, &o)
	if err == nil && by.delegate && hasEnded(by.cert, &o) {
		err = fmt.Errorf("%w: %w: the responder's certificate has expired", ErrNotFresh, ErrResponderNotAuthorized)
	}
	if err != nil {
		if chosen.severity() == 4 && !errors.Is(err, ErrFuture) {
			return Result{StaleRevoked: true, ThisUpdate: chosen.ThisUpdate}, err
		}
		return Result{}, err
	}
	result := r.result(chosen, by, cert, &o)
	return rollBack(result, result.edition(), o.Previous)
}

// checkNonce is check 12. A nonce that was not requested is ignored, but must be well formed.
func (r *basicResponse) checkNonce(o *VerifyOptions) error {
	e, present := find(r.extensions, oidNonce)
	if !present {
		if o.NonceMode == NonceRequire {
			return fmt.Errorf("%w: missing", ErrNonce)
		}
		return nil
	}
	value := newReader(e.Value)
	nonce := value.content(cbasn1.OCTET_STRING, "nonce")
	value.end("nonce")
	if *value.err != nil || len(nonce) == 0 || len(nonce) > 128 {
		return fmt.Errorf("%w: not an octet string of 1 to 128 bytes", ErrNonce)
	}
	if o.NonceMode != NonceOff && (len(o.Nonce) == 0 || !bytes.Equal(nonce, o.Nonce)) {
		return fmt.Errorf("%w: not the one that was sent", ErrNonce)
	}
	return nil
}

// checkProducedAt is the first half of check 13; thisUpdate of the answer is checked with its
// freshness.
func (r *basicResponse) checkProducedAt(cert *x509.Certificate, o *VerifyOptions) error {
	skew := o.Tolerance()
	if r.producedAt.After(o.Now.Add(skew)) {
		return advice.New(helpClock, ErrProducedAt, "%s, which lies ahead of the clock, %s", instant(r.producedAt), instant(o.Now))
	}
	if !ValidAt(cert, r.producedAt, skew) {
		return fmt.Errorf("%w: %s", ErrProducedAt, r.producedAt.Format(time.RFC3339))
	}
	return nil
}

// matching returns the answers about this certificate of this issuer. A critical extension in one
// of them that is not understood makes the response unusable.
func (r *basicResponse) matching(cert, issuer *x509.Certificate, skew time.Duration) ([]answer, error) {
	serial, okSerial := serialBytes(cert.Raw)
	bits, okKey := keyBits(issuer.RawSubjectPublicKeyInfo)
	if !okSerial || !okKey {
		return nil, ErrArgument
	}
	var matching []answer
	for _, a := range r.answers {
		if !a.isOf(issuer.RawSubject, bits) && !a.isOf(cert.RawIssuer, bits) || !bytes.Equal(a.serial, serial) {
			continue
		}
		if a.ThisUpdate.After(r.producedAt.Add(skew)) {
			return nil, fmt.Errorf("%w: before thisUpdate", ErrProducedAt)
		}
		if err := checkCritical(a.extensions, harmlessSingle...); err != nil {
			return nil, err
		}
		matching = append(matching, a)
	}
	if len(matching) > 0 {
		return matching, nil
	}
	if !sha1sum.Available() && slices.ContainsFunc(r.answers, func(a answer) bool { return a.hash.oid.Equal(oidSHA1) }) {
		return nil, fmt.Errorf("%w: its CertID uses SHA-1, and %w", ErrNoMatch, sha1sum.ErrUnavailable)
	}
	return nil, ErrNoMatch
}

// isOf reports whether the answer names the issuer by this encoding of its name, and its key.
// The name is hashed as encoded in the certificate in question (RFC 6960, section 4.1.1) or,
// by responders that only have the CA's certificate, as encoded there.
func (a *answer) isOf(issuer, bits []byte) bool {
	name, key := a.sumOf(issuer), a.sumOf(bits)
	return name != nil && bytes.Equal(a.nameHash, name) && bytes.Equal(a.keyHash, key)
}

// sumOf returns the hash for the CertID, nil if the algorithm is not known.
func (a *answer) sumOf(data []byte) []byte {
	sha2, known := hashes[a.hash.oid.String()]
	switch {
	case !a.hash.hasNoParameters():
	case a.hash.oid.Equal(oidSHA1): // used by most responders; it only identifies
		if sum, err := sha1sum.Of(data); err == nil {
			return sum[:]
		}
	case known:
		sum := sha2.New()
		_, _ = sum.Write(data) // cannot fail
		return sum.Sum(nil)
	}
	return nil
}

// strictest is checks 16 and 17: of the fresh answers Revoked counts before Unknown and Unknown
// before Good, and the first of equals. If none is fresh it returns, with the error, the strictest
// one that has begun, because that one may revoke for good.
func strictest(answers []answer, cert *x509.Certificate, o *VerifyOptions) (answer, error) {
	var counts answer
	why := notBegun
	for _, a := range answers {
		is := a.staleness(SourceOCSP, cert.IsCA, o)
		if cmp.Or(cmp.Compare(is.weight(), why.weight()), cmp.Compare(a.severity(), counts.severity())) > 0 {
			counts, why = a, is
		}
	}
	if why == fresh {
		return counts, nil
	}
	err := counts.staleError(why, SourceOCSP, cert.IsCA, o)
	return counts, err
}

// severity orders answers: a hold may be lifted, a revocation for good may not.
func (a *answer) severity() int {
	switch a.status {
	case Good:
		return 1
	case Unknown:
		return 2
	case Revoked:
		if a.reason == ReasonCertificateHold {
			return 3
		}
		return 4
	}
	return 0
}

func (r *basicResponse) result(a answer, by signer, cert *x509.Certificate, o *VerifyOptions) Result {
	result := Result{
		Status: a.status, Source: SourceOCSP, Reason: ReasonUnspecified,
		ThisUpdate: a.ThisUpdate, NextUpdate: a.NextUpdate, ProducedAt: r.producedAt,
		Responder: dn.Quote(by.cert.RawSubject), DelegateUnchecked: by.unchecked, ReasonsCovered: AllReasons,
	}
	if a.status == Revoked {
		result.Reason, result.RevokedAt = a.reason, a.revokedAt
	}
	result.UsableUntil = a.usableUntil(SourceOCSP, cert.IsCA, cert.NotAfter, o)
	if by.delegate {
		result.UsableUntil = earlier(result.UsableUntil, by.cert.NotAfter)
	}
	if result.RevokedForGood() {
		result.UsableUntil = cert.NotAfter
	}
	return result
}
