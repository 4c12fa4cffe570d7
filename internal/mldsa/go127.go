//go:build go1.27

package mldsa

import (
	"crypto"
	"crypto/mldsa"
	"crypto/x509"
)

// Key is the algorithm of such keys, or x509.UnknownPublicKeyAlgorithm where crypto/x509
// knows none.
const Key = x509.MLDSA

// IsKey reports whether crypto/x509 has read an ML-DSA key.
func IsKey(public crypto.PublicKey) bool {
	_, ok := public.(*mldsa.PublicKey)
	return ok
}

// Signature returns the algorithm of signatures with the named parameter set, or
// x509.UnknownSignatureAlgorithm.
func Signature(name string) x509.SignatureAlgorithm {
	switch name {
	case "ML-DSA-44":
		return x509.MLDSA44
	case "ML-DSA-65":
		return x509.MLDSA65
	case "ML-DSA-87":
		return x509.MLDSA87
	}
	return x509.UnknownSignatureAlgorithm
}

// IsSignature reports whether the algorithm is one of ML-DSA.
func IsSignature(algorithm x509.SignatureAlgorithm) bool {
	return algorithm == x509.MLDSA44 || algorithm == x509.MLDSA65 || algorithm == x509.MLDSA87
}
