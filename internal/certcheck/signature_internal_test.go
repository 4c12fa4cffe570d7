package certcheck

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Signatures that crypto/x509 checks, by the kind of the signing key; for all other kinds no
// signature is checked at all.
func TestCanHaveSigned_ByTheKindOfKey(t *testing.T) {
	kinds := map[x509.SignatureAlgorithm]x509.PublicKeyAlgorithm{
		x509.SHA256WithRSA: x509.RSA, x509.SHA384WithRSA: x509.RSA, x509.SHA512WithRSA: x509.RSA,
		x509.SHA256WithRSAPSS: x509.RSA, x509.SHA384WithRSAPSS: x509.RSA, x509.SHA512WithRSAPSS: x509.RSA,
		x509.ECDSAWithSHA256: x509.ECDSA, x509.ECDSAWithSHA384: x509.ECDSA, x509.ECDSAWithSHA512: x509.ECDSA,
		x509.PureEd25519: x509.Ed25519,
	}
	for algorithm := x509.UnknownSignatureAlgorithm; algorithm <= x509.PureEd25519; algorithm++ {
		child := &x509.Certificate{SignatureAlgorithm: algorithm}
		kind := kinds[algorithm]
		assert.Equal(t, kind, SignatureKind(child), "%v", algorithm)
		for _, key := range []x509.PublicKeyAlgorithm{x509.RSA, x509.ECDSA, x509.Ed25519, x509.DSA, x509.UnknownPublicKeyAlgorithm} {
			want := key == kind && key != x509.UnknownPublicKeyAlgorithm
			assert.Equal(t, want, CanHaveSigned(&x509.Certificate{PublicKeyAlgorithm: key}, child), "%v by a key of %v", algorithm, key)
		}
	}
}
