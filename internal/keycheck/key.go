// Package keycheck determines which public keys may be used to check a signature.
package keycheck

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// MaxRSABits bounds the work of a signature check with an RSA key. Keys below minRSABits can be broken.
const (
	MaxRSABits = 8192
	minRSABits = 2048
)

// maxRSAExponent is the usual exponent. A larger one makes signature checks many times as
// expensive without making them safer.
const maxRSAExponent = 65537

// isPSS reports whether the key is restricted to RSA-PSS (RFC 4055, section 1.2).
func isPSS(cert *x509.Certificate) bool {
	const rsassaPSS = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a" // 1.2.840.113549.1.1.10
	key, _, _ := der.Read(cert.RawSubjectPublicKeyInfo)
	algorithm, _, _ := der.Read(key.Content)
	return bytes.HasPrefix(algorithm.Content, []byte(rsassaPSS))
}

// Check returns an error unless the public key of the certificate is of a known kind, strong, and
// cheap to use. Only such keys are used to check signatures.
func Check(cert *x509.Certificate) error { return CheckFrom(cert, minRSABits) }

// CheckFrom is Check with another minimum for the bits of an RSA key.
func CheckFrom(cert *x509.Certificate, minRSABits int) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > MaxRSABits {
			return fmt.Errorf("RSA key of %d bits, want %d to %d", bits, minRSABits, MaxRSABits)
		}
		if key.E < 3 || key.E&1 == 0 || key.E > maxRSAExponent {
			return fmt.Errorf("RSA exponent %d, want an odd number from 3 to %d", key.E, maxRSAExponent)
		}
		return checkEncoding(cert)
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() || key.Curve == elliptic.P521() {
			return checkEncoding(cert)
		}
		return fmt.Errorf("curve %s, want P-256, P-384 or P-521", key.Curve.Params().Name)
	case ed25519.PublicKey:
		return checkEncoding(cert)
	}
	if mldsa.IsKey(cert.PublicKey) {
		return checkEncoding(cert)
	}
	if name := mldsa.OfKey(cert.RawSubjectPublicKeyInfo); name != "" {
		return mldsa.Unsupported("public key of", name)
	}
	if isPSS(cert) {
		return errors.New("public key for RSA-PSS alone (id-RSASSA-PSS) is not supported")
	}
	return fmt.Errorf("public key algorithm %s is not supported", cert.PublicKeyAlgorithm)
}

// checkEncoding requires the canonical DER encoding of the key. crypto/x509 also reads others,
// and pins and deny lists hash the encoding.
func checkEncoding(cert *x509.Certificate) error {
	var room [maxUsualKey]byte
	canonical, err := appendSPKI(room[:0], cert.PublicKey)
	if err != nil || !bytes.Equal(canonical, cert.RawSubjectPublicKeyInfo) {
		return errors.New("public key is not in its canonical encoding")
	}
	return nil
}
