package certauth_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// A signature algorithm that crypto/x509 does not support is refused, and the hint lists the
// supported ones; the advice about unusual RSA-PSS is given only for RSA-PSS.
func TestChain_UnknownSignatureAlgorithmIsRefusedWithTheOnesThatAreKnown(t *testing.T) {
	w := newWorld(t)
	known := []byte("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")   // ECDSA with SHA-256, RFC 5758, section 3.2
	unknown := []byte("\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x01") // with SHA-224, of the same section
	leaf := w.leaf.Certificate
	require.Equal(t, 2, bytes.Count(leaf.Raw, known))
	_, err := judge(t, w.chain(), parse(t, bytes.ReplaceAll(leaf.Raw, known, unknown)))
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
	assert.ErrorContains(t, err, "the signature algorithm of the leaf is not supported")
	assert.Equal(t, "ask the CA for a certificate that is signed with RSA, ECDSA, Ed25519 or ML-DSA", refusedAs(t, err).Hint)
}
