package certcheck

import (
	"bytes"
	"crypto/x509"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// CanHaveSigned reports whether crypto/x509 accepts the signature's algorithm and the issuer's key
// can make such a signature. If not, the signature is not verified, so that an old
// cross-certificate with SHA-1 costs nothing.
func CanHaveSigned(issuer, child *x509.Certificate) bool {
	kind := SignatureKind(child)
	return kind != x509.UnknownPublicKeyAlgorithm && issuer.PublicKeyAlgorithm == kind
}

// SignatureKind returns the algorithm of the key that made the signature, or unknown if
// crypto/x509 would not verify it.
func SignatureKind(cert *x509.Certificate) x509.PublicKeyAlgorithm {
	switch cert.SignatureAlgorithm { //nolint:exhaustive // the others are handled below, or not accepted
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return x509.RSA
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return x509.ECDSA
	case x509.PureEd25519:
		return x509.Ed25519
	}
	if mldsa.IsSignature(cert.SignatureAlgorithm) {
		return mldsa.Key
	}
	return x509.UnknownPublicKeyAlgorithm
}

// UnknownSignature returns the refusal of a signature that crypto/x509 does not verify. who names
// the certificate.
func UnknownSignature(who string, cert *x509.Certificate) *Refusal {
	const hint = "ask the CA for a certificate that is signed with SHA-256 or better"
	switch cert.SignatureAlgorithm { //nolint:exhaustive // the others have no useful name
	case x509.SHA1WithRSA, x509.ECDSAWithSHA1:
		return Refuse(Untrusted, "%s is signed with SHA-1 (%s), which is broken", who, cert.SignatureAlgorithm).WithHint(hint)
	case x509.MD5WithRSA:
		return Refuse(Untrusted, "%s is signed with MD5, which is broken", who).WithHint(hint)
	case x509.UnknownSignatureAlgorithm:
		if isPSS(cert) {
			return Refuse(Untrusted, "%s is signed with RSA-PSS with parameters that are not supported; want the same hash throughout and a salt of the hash's length", who).
				WithHint("the CA must sign with a salt as long as the hash (openssl: rsa_pss_saltlen:digest), or with RSA PKCS #1 v1.5")
		}
		if name := mldsa.OfSignature(cert.Raw); name != "" {
			return Refuse(Untrusted, "%s: %w", who, mldsa.Unsupported("signed with", name)).WithHint(mldsa.Help)
		}
	}
	return Refuse(Untrusted, "the signature algorithm of %s is not supported", who).
		WithHint("ask the CA for a certificate that is signed with RSA, ECDSA, Ed25519 or ML-DSA")
}

// isPSS reports whether the certificate is signed with RSA-PSS (RFC 4055), with any parameters.
func isPSS(cert *x509.Certificate) bool {
	const rsassaPSS = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" // 1.2.840.113549.1.1.10
	whole, _, _ := der.Read(cert.Raw)
	_, behind, _ := der.Read(whole.Content)
	algorithm, _, _ := der.Read(behind)
	return bytes.HasPrefix(algorithm.Content, []byte(rsassaPSS))
}
