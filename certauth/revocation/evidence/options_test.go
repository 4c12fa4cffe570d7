package evidence_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// The documented values: three modes of the nonce, and RSA keys of at most 8192 bits.
func TestVerifyOptions_CheckNamesEveryInvalidField(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options evidence.VerifyOptions
		says    []string
	}{
		{"the defaults", evidence.VerifyOptions{}, nil},
		{"a nonce that is sent", evidence.VerifyOptions{NonceMode: evidence.NonceSend}, nil},
		{"a nonce that is required", evidence.VerifyOptions{NonceMode: evidence.NonceRequire}, nil},
		{"no mode of the nonce", evidence.VerifyOptions{NonceMode: evidence.NonceRequire + 1}, []string{"NonceMode: 3 is not defined"}},
		{"the longest RSA key", evidence.VerifyOptions{MinRSABits: 8192}, nil},
		{"one bit more", evidence.VerifyOptions{MinRSABits: 8193}, []string{"MinRSABits: 8193, want at most 8192"}},
		{"a short RSA key", evidence.VerifyOptions{MinRSABits: 1}, nil},
		{"a negative length", evidence.VerifyOptions{MinRSABits: -1}, []string{"MinRSABits: -1, want"}},
		{"both", evidence.VerifyOptions{NonceMode: 9, MinRSABits: -2}, []string{"NonceMode: 9", "MinRSABits: -2"}},
	} {
		err := tc.options.Check()
		if tc.says == nil {
			assert.NoError(t, err, tc.name)
			continue
		}
		require.Error(t, err, tc.name)
		for _, part := range tc.says {
			assert.ErrorContains(t, err, part, tc.name)
		}
	}
}
