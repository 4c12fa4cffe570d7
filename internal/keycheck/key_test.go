package keycheck_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
)

// shifted returns the key with its BIT STRING shifted one bit to the left and the last bit marked
// as unused. encoding/asn1 shifts it back.
func shifted(t *testing.T, spki []byte) []byte {
	t.Helper()
	var whole struct {
		Algorithm asn1.RawValue
		Key       asn1.BitString
	}
	_, err := asn1.Unmarshal(spki, &whole)
	require.NoError(t, err)
	moved := make([]byte, len(whole.Key.Bytes))
	for i, b := range whole.Key.Bytes {
		moved[i] = b << 1
		if i+1 < len(moved) {
			moved[i] |= whole.Key.Bytes[i+1] >> 7
		}
	}
	whole.Key = asn1.BitString{Bytes: moved, BitLength: 8*len(moved) - 1}
	twin, err := asn1.Marshal(whole)
	require.NoError(t, err)
	return twin
}

// RFC 5280, section 4.1, requires DER, in which a key has one encoding. crypto/x509 reads a second
// one, with which the key would evade a deny list and a pin.
func TestCheck_AKeyHasOneEncoding(t *testing.T) {
	keys := map[string]crypto.PublicKey{}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	keys["RSA"] = private.Public()
	point, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys["P-256"] = point.Public()
	for keys["Ed25519"] == nil { // until its first bit is zero, so that it can be shifted
		public, _, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		if public[0] < 0x80 {
			keys["Ed25519"] = public
		}
	}
	for name, key := range keys {
		spki, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		assert.NoError(t, keycheck.Check(&x509.Certificate{PublicKey: key, RawSubjectPublicKeyInfo: spki}), name)
		twin := shifted(t, spki)
		read, err := x509.ParsePKIXPublicKey(twin)
		require.NoError(t, err, "%s: crypto/x509 reads it", name)
		require.Equal(t, key, read)
		assert.ErrorContains(t, keycheck.Check(&x509.Certificate{PublicKey: key, RawSubjectPublicKeyInfo: twin}), "canonical encoding", name)
	}
}
