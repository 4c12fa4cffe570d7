package mldsa_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/mldsa"
)

// The example certificates of RFC 9881, appendix C, are signed by their own keys.
func TestOf_NamesTheParameterSets(t *testing.T) {
	for _, set := range []string{"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"} {
		text, err := os.ReadFile("../../testdata/mldsa/rfc9881-" + strings.TrimPrefix(set, "ML-DSA-") + ".pem")
		require.NoError(t, err)
		block, _ := pem.Decode(text)
		require.NotNil(t, block)
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		assert.Equal(t, set, mldsa.OfSignature(cert.Raw))
		assert.Equal(t, set, mldsa.OfKey(cert.RawSubjectPublicKeyInfo))
		known := mldsa.Key != x509.UnknownPublicKeyAlgorithm
		assert.Equal(t, known, mldsa.IsKey(cert.PublicKey))
		assert.Equal(t, known, mldsa.IsSignature(cert.SignatureAlgorithm))
		assert.Equal(t, cert.SignatureAlgorithm, mldsa.Signature(set))
		for n := range 40 {
			assert.Empty(t, mldsa.OfSignature(cert.Raw[:n]))
			assert.Empty(t, mldsa.OfKey(cert.RawSubjectPublicKeyInfo[:n]))
		}
	}
	text, err := os.ReadFile("../../testdata/rfc8705/certificate.pem")
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	assert.Empty(t, mldsa.OfSignature(cert.Raw))
	assert.Empty(t, mldsa.OfKey(cert.RawSubjectPublicKeyInfo))
}

// Only ML-DSA is recognised as ML-DSA, because what is recognised passes the checks for weak
// algorithms.
func TestIs_NothingElse(t *testing.T) {
	for algorithm := x509.UnknownSignatureAlgorithm; algorithm <= x509.PureEd25519; algorithm++ {
		assert.False(t, mldsa.IsSignature(algorithm), algorithm)
	}
	assert.False(t, mldsa.IsKey(nil))
	assert.False(t, mldsa.IsKey("no key"))
	assert.Equal(t, x509.UnknownSignatureAlgorithm, mldsa.Signature("ML-DSA-99"))
}
