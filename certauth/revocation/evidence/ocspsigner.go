package evidence

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

var oidNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// maxVerifications bounds the signature checks for one response.
const maxVerifications = 3

// signer is the established signer of a response.
type signer struct {
	cert      *x509.Certificate
	delegate  bool
	unchecked bool // a delegate that is trusted while it is valid, whatever its own revocation status
}

// findSigner tries all possible signers by checks 7 to 11: name or key, authority, signature.
func (r *basicResponse) findSigner(algorithm x509.SignatureAlgorithm, cert, issuer *x509.Certificate, o *VerifyOptions) (signer, error) {
	candidates := r.candidates(issuer, o)
	refused := ErrNoSigner
	if r.byName == nil && !sha1sum.Available() {
		refused = fmt.Errorf("%w: the responder is named by its key, and %w", ErrNoSigner, sha1sum.ErrUnavailable)
	}
	verifications := 0
	for _, candidate := range candidates {
		found, err := r.authorize(candidate, cert, issuer, o)
		if err != nil {
			refused = err
			continue
		}
		if verifications++; verifications > maxVerifications {
			break
		}
		if candidate.CheckSignature(algorithm, r.tbs, r.signature) == nil {
			return found, nil
		}
		refused = ErrBadSignature
	}
	return signer{}, refused
}

// candidates returns those of the issuer, the trusted responders, and the embedded certificates at
// any position that have the responder's name or key, those that have expired last. Certificates that
// cannot be parsed are skipped.
func (r *basicResponse) candidates(issuer *x509.Certificate, o *VerifyOptions) []*x509.Certificate {
	all := append([]*x509.Certificate{issuer}, o.TrustedResponders...)
	for _, der := range r.embedded {
		if cert, err := x509.ParseCertificate(der); err == nil {
			all = append(all, cert)
		}
	}
	var current, ended []*x509.Certificate
	for _, cert := range all {
		switch {
		case cert == nil || !r.names(cert) || slices.ContainsFunc(slices.Concat(current, ended), cert.Equal):
		case hasEnded(cert, o):
			ended = append(ended, cert)
		default:
			current = append(current, cert)
		}
	}
	return append(current, ended...)
}

func (r *basicResponse) names(cert *x509.Certificate) bool {
	if r.byName != nil {
		return dn.Match(r.byName, cert.RawSubject)
	}
	bits, ok := keyBits(cert.RawSubjectPublicKeyInfo)
	sum, err := sha1sum.Of(bits) // byKey is defined as SHA-1 (RFC 6960, section 4.2.1)
	return ok && err == nil && bytes.Equal(r.byKey, sum[:])
}

// authorize decides whether the candidate may speak for the issuer.
func (r *basicResponse) authorize(candidate, cert, issuer *x509.Certificate, o *VerifyOptions) (signer, error) {
	if err := checkSignerKey(candidate, o.minRSABits()); err != nil {
		return signer{}, err
	}
	if bytes.Equal(candidate.RawSubjectPublicKeyInfo, issuer.RawSubjectPublicKeyInfo) && dn.Match(candidate.RawSubject, issuer.RawSubject) {
		// The issuer that the caller gave counts; an embedded copy of it adds nothing.
		if !mayUse(issuer, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign|x509.KeyUsageCRLSign) {
			return signer{}, fmt.Errorf("%w: key usage of the issuer", ErrResponderNotAuthorized)
		}
		return signer{cert: candidate}, nil
	}
	if slices.ContainsFunc(o.TrustedResponders, candidate.Equal) {
		if !couldSign(candidate, r.producedAt, o) {
			return signer{}, fmt.Errorf("%w: trusted responder is not valid now", ErrResponderNotAuthorized)
		}
		if sameKey(candidate, cert) {
			return signer{}, fmt.Errorf("%w: trusted responder is the certificate in question, or has its key", ErrResponderNotAuthorized)
		}
		return signer{cert: candidate, delegate: true}, nil
	}
	err := r.checkDelegate(candidate, cert, issuer, o)
	return signer{cert: candidate, delegate: true, unchecked: !hasExtension(candidate, oidNoCheck)}, err
}

// checkDelegate is RFC 6960, section 4.2.2.2: a delegate is issued directly by this issuer, for
// this purpose, and is not the certificate in question. The signature shows which key issued it, as in
// list.findSigner.
func (r *basicResponse) checkDelegate(delegate, cert, issuer *x509.Certificate, o *VerifyOptions) error {
	refuse := func(why string) error { return fmt.Errorf("%w: delegate %s", ErrResponderNotAuthorized, why) }
	if !dn.Match(delegate.RawIssuer, issuer.RawSubject) {
		return refuse("has another issuer")
	}
	if err := certificateAlgorithm(delegate, o.AllowSHA1); err != nil {
		return err
	}
	if err := checkSignerKey(issuer, o.minRSABits()); err != nil {
		return err
	}
	if issuer.CheckSignature(delegate.SignatureAlgorithm, delegate.RawTBSCertificate, delegate.Signature) != nil {
		return refuse("is not signed by the issuer")
	}
	switch {
	case !slices.Contains(delegate.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return refuse("has no OCSPSigning usage")
	case delegate.IsCA:
		return refuse("is a CA")
	case !mayUse(delegate, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment):
		return refuse("may not sign by its key usage")
	case slices.ContainsFunc(delegate.UnhandledCriticalExtensions, func(id asn1.ObjectIdentifier) bool { return !id.Equal(oidNoCheck) }):
		return refuse("has a critical extension that is not understood")
	case !ValidAt(delegate, o.Now, o.Tolerance()) && !hasEnded(delegate, o) || !ValidAt(delegate, r.producedAt, o.Tolerance()):
		return refuse("is not valid now or was not when it signed")
	case sameKey(delegate, cert):
		return refuse("is the certificate in question, or has its key")
	case hasExtension(delegate, oidNoCheck): // otherwise its own revocation status is not known
	case o.RequireNoCheck:
		return fmt.Errorf("%w: no ocsp-nocheck", ErrDelegateRevocation)
	case o.MaxDelegateLifetime > 0 && delegate.NotAfter.Sub(delegate.NotBefore) > o.MaxDelegateLifetime:
		return fmt.Errorf("%w: valid for longer than %s", ErrDelegateRevocation, o.MaxDelegateLifetime)
	}
	return nil
}

// hasEnded reports whether a certificate has expired. What it signed before only counts against a
// certificate, like an expired response.
func hasEnded(cert *x509.Certificate, o *VerifyOptions) bool {
	return o.Now.Add(-o.Tolerance()).After(cert.NotAfter)
}

// couldSign reports whether a certificate is valid now or, if it has expired, was valid at that time.
func couldSign(cert *x509.Certificate, at time.Time, o *VerifyOptions) bool {
	return ValidAt(cert, o.Now, o.Tolerance()) || hasEnded(cert, o) && ValidAt(cert, at, o.Tolerance())
}

// sameKey compares the keys, not only their encodings.
func sameKey(a, b *x509.Certificate) bool {
	key, ok := a.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b.PublicKey) || bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo)
}

// ValidAt reports whether t lies within the certificate's validity, allowing for skew.
func ValidAt(cert *x509.Certificate, t time.Time, skew time.Duration) bool {
	return !t.Add(skew).Before(cert.NotBefore) && !t.Add(-skew).After(cert.NotAfter)
}
