//go:build !go1.27

package mldsa

import (
	"crypto"
	"crypto/x509"
)

// Key is the algorithm of such keys, or x509.UnknownPublicKeyAlgorithm where crypto/x509
// knows none.
const Key = x509.UnknownPublicKeyAlgorithm

// IsKey reports whether crypto/x509 has read an ML-DSA key.
func IsKey(crypto.PublicKey) bool { return false }

// Signature returns the algorithm of signatures with the named parameter set, or
// x509.UnknownSignatureAlgorithm.
func Signature(string) x509.SignatureAlgorithm { return x509.UnknownSignatureAlgorithm }

// IsSignature reports whether the algorithm is one of ML-DSA.
func IsSignature(x509.SignatureAlgorithm) bool { return false }
