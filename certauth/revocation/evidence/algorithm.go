package evidence

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"strings"

	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

var (
	oidRSAPSS = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidMGF1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
)

// hashes are those of SHA-2 that are accepted.
var hashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

var pssAlgorithms = map[crypto.Hash]x509.SignatureAlgorithm{
	crypto.SHA256: x509.SHA256WithRSAPSS, crypto.SHA384: x509.SHA384WithRSAPSS, crypto.SHA512: x509.SHA512WithRSAPSS,
}

// The signature algorithms that are accepted in addition to RSA-PSS and ML-DSA. For RSA the
// parameters are NULL, but absent ones must be accepted (RFC 4055, section 5); the others have none
// (RFC 5758, RFC 8410).
var algorithms = map[string]x509.SignatureAlgorithm{
	pkcs1 + "5": x509.SHA1WithRSA, pkcs1 + "11": x509.SHA256WithRSA, pkcs1 + "12": x509.SHA384WithRSA, pkcs1 + "13": x509.SHA512WithRSA,
	"1.2.840.10045.4.1": x509.ECDSAWithSHA1, "1.2.840.10045.4.3.2": x509.ECDSAWithSHA256,
	"1.2.840.10045.4.3.3": x509.ECDSAWithSHA384, "1.2.840.10045.4.3.4": x509.ECDSAWithSHA512,
	"1.3.101.112": x509.PureEd25519,
}

const pkcs1 = "1.2.840.113549.1.1."

// algorithmIdentifier is a parsed AlgorithmIdentifier.
type algorithmIdentifier struct {
	oid        asn1.ObjectIdentifier
	parameters []byte // the whole element, nil if there is none
}

var derNull = []byte{0x05, 0x00}

func (r *reader) algorithm(what string) (a algorithmIdentifier) {
	in := r.inside(cbasn1.SEQUENCE, what)
	a.oid = in.oid(what)
	if in.more() {
		a.parameters = in.anyElement(what)
	}
	in.end(what)
	return a
}

// hasNoParameters reports whether the parameters are absent or NULL.
func (a algorithmIdentifier) hasNoParameters() bool {
	return a.parameters == nil || bytes.Equal(a.parameters, derNull)
}

// signatureAlgorithm returns the algorithm for crypto/x509. It accepts only its exact parameters.
func (a algorithmIdentifier) signatureAlgorithm(signed string, allowSHA1 bool) (x509.SignatureAlgorithm, error) {
	if a.oid.Equal(oidRSAPSS) {
		return pssAlgorithm(a.parameters)
	}
	id, absent := a.oid.String(), a.parameters == nil
	if known, ok := algorithms[id]; ok && (absent || strings.HasPrefix(id, pkcs1) && a.hasNoParameters()) {
		return known, checkSHA1(signed, known, allowSHA1)
	}
	if name := algorithmNames[id]; absent && strings.HasPrefix(name, "ML-DSA") { // RFC 9881, section 2
		if known := mldsa.Signature(name); known != x509.UnknownSignatureAlgorithm {
			return known, nil
		}
		return x509.UnknownSignatureAlgorithm, advice.New(mldsa.Help, ErrWeakAlgorithm, "%w", mldsa.Unsupported(signed+" with", name))
	}
	return x509.UnknownSignatureAlgorithm, fmt.Errorf("%w: signature algorithm %s", ErrWeakAlgorithm, a.name())
}

// checkSHA1 returns why a signature is refused because it is with SHA-1, or nil.
func checkSHA1(signed string, with x509.SignatureAlgorithm, allowed bool) error {
	if with != x509.SHA1WithRSA && with != x509.ECDSAWithSHA1 {
		return nil
	}
	if !allowed {
		return advice.New(helpSHA1, ErrWeakAlgorithm, "%s with SHA-1 (%s), and AllowSHA1 is not set", signed, with)
	}
	if !sha1sum.Available() {
		return fmt.Errorf("%w: %w", ErrWeakAlgorithm, sha1sum.ErrUnavailable)
	}
	return nil
}

func (a algorithmIdentifier) name() string {
	text := a.oid.String()
	if known := algorithmNames[text]; known != "" {
		return known + " (" + text + ")"
	}
	return text
}

// algorithmNames are the algorithms that CAs use or used and that are not accepted, and ML-DSA
// (RFC 9881), which is accepted if crypto/x509 supports it.
var algorithmNames = map[string]string{
	"1.2.840.113549.1.1.2":    "MD2 with RSA",
	"1.2.840.113549.1.1.4":    "MD5 with RSA",
	"1.2.840.113549.1.1.14":   "SHA-224 with RSA",
	"1.2.840.10045.4.3.1":     "SHA-224 with ECDSA",
	"1.2.840.10040.4.3":       "SHA-1 with DSA",
	"2.16.840.1.101.3.4.3.2":  "SHA-256 with DSA",
	"1.3.101.113":             "Ed448",
	"1.2.156.10197.1.501":     "SM3 with SM2",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44",
	"2.16.840.1.101.3.4.3.18": "ML-DSA-65",
	"2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}

// pssAlgorithm reads RSASSA-PSS-params (RFC 4055, section 3.1). It accepts only a hash, a mask
// hash and a salt length that belong together; everything else is unusual enough to refuse.
func pssAlgorithm(parameters []byte) (x509.SignatureAlgorithm, error) {
	in := readSequence(parameters, "")
	hashPart, maskPart, saltPart := in.inside(tagExplicit0, ""), in.inside(tagExplicit1, ""), in.inside(tagExplicit2, "")
	hash, mask, salt := hashPart.algorithm(""), maskPart.algorithm(""), saltPart.number("")
	maskHashPart := in.of(mask.parameters)
	maskHash := maskHashPart.algorithm("")
	for _, part := range []*reader{in, hashPart, maskPart, saltPart, maskHashPart} {
		part.end("")
	}
	belong := mask.oid.Equal(oidMGF1) && maskHash.oid.Equal(hash.oid) && hash.hasNoParameters() && maskHash.hasNoParameters()
	if known, ok := hashes[hash.oid.String()]; ok && *in.err == nil && belong && salt == known.Size() {
		return pssAlgorithms[known], nil
	}
	return x509.UnknownSignatureAlgorithm, fmt.Errorf("%w: RSA-PSS parameters", ErrWeakAlgorithm)
}

// certificateAlgorithm applies the same rules to the signature on a certificate.
func certificateAlgorithm(cert *x509.Certificate, allowSHA1 bool) error {
	whole := readSequence(cert.Raw, "certificate")
	whole.sequence("certificate")
	algorithm := whole.algorithm("certificate")
	if !algorithm.oid.Equal(oidRSAPSS) {
		algorithm.parameters = nil // crypto/x509 ignores them
	}
	_, err := algorithm.signatureAlgorithm("certificate signed", allowSHA1)
	return cmp.Or(*whole.err, err)
}

// checkSignerKey checks the key before it is used.
func checkSignerKey(cert *x509.Certificate, minRSABits int) error {
	err := keycheck.CheckFrom(cert, minRSABits)
	if err == nil {
		return nil
	}
	help := ""
	if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSABits {
		help = helpRSA
	} else if mldsa.OfKey(cert.RawSubjectPublicKeyInfo) != "" {
		help = mldsa.Help
	}
	return advice.New(help, ErrWeakAlgorithm, "%w", err)
}
