package certauth_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
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

// finding R36: of such a key only its number in crypto/x509 was named.
func TestChain_AKeyForRSAPSSAloneIsNamedInAnErrorOfNew(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ca, err := x509.ParseCertificate(overwritten(t, newRoot(t, "Root").unparsed(t, key.Public(), certauthtest.AsCA()), rsaEncryption, idRSASSAPSS))
	require.NoError(t, err)
	_, err = certauth.New(certauth.Config{Source: fixedSource("test"), Policy: certauth.Chain{Roots: certauth.Certificates(ca)}})
	assert.ErrorContains(t, err, `Policy.Chain.Roots: certificate 0 ("CN=odd client"): public key for RSA-PSS alone (id-RSASSA-PSS) is not supported`)
}
