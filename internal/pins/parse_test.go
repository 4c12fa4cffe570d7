package pins

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every accepted pin has the length of its kind, and its spelling in plain hex is the same pin: all
// spellings of one pin are equal.
func FuzzPin(f *testing.F) {
	const pin = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	for _, seed := range []string{
		pin, strings.ToUpper(pin), pin[:40], "\u200e" + pin, pin + " ", ":" + pin, pin[:3] + ":" + pin[3:],
		"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg=",
		"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgh=", // not the canonical padding bits
		"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "", " ", "::", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range []Kind{Thumbprint, ThumbprintSHA1, PublicKey} {
			pin, err := Parse(kind, text)
			if err != nil {
				require.Nil(t, pin)
				continue
			}
			require.Len(t, pin, kind.Size)
			assert.False(t, isDigestOfNothing(pin))
			again, err := Parse(kind, hex.EncodeToString(pin))
			require.NoError(t, err)
			assert.Equal(t, pin, again)
		}
	})
}
