package keycheck

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The encoding of every accepted key is that of crypto/x509.
func TestSPKI_IsWhatX509Writes(t *testing.T) {
	keys := map[string]crypto.PublicKey{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		keys[name] = key.Public()
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	keys["Ed25519"] = public
	for _, bits := range []uint{7, 8, 9, 63, 64, 127, 128, 1000, 1016, 2047, 2048, 2049, 2055, 2056, 3072, 4096, 8192} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		for _, e := range []int{1, 3, 127, 128, 255, 256, 65537, 1<<31 - 1} {
			keys[n.Text(16)+" and "+big.NewInt(int64(e)).String()] = &rsa.PublicKey{N: new(big.Int).SetBit(n, 0, 1), E: e}
		}
	}
	for name, key := range keys {
		want, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		got, err := appendSPKI(nil, key)
		require.NoError(t, err)
		assert.Equal(t, want, got, name)
	}
	_, err = appendSPKI(nil, ed25519.PublicKey{1, 2, 3})
	assert.Error(t, err)
	_, err = appendSPKI(nil, "no key")
	assert.Error(t, err)
	weak, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	require.NoError(t, err)
	_, err = appendSPKI(nil, weak.Public())
	assert.Error(t, err)
}

// All key lengths around the lengths at which the form of DER's own lengths changes.
func TestSPKI_LengthsChangeTheirForm(t *testing.T) {
	for bits := uint(800); bits < 2200; bits++ {
		key := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), int(bits), 1), E: 65537}
		want, err := x509.MarshalPKIXPublicKey(key)
		require.NoError(t, err)
		got, err := appendSPKI(nil, key)
		require.NoError(t, err)
		require.Equal(t, want, got, "%d bits", bits)
	}
}
