package pins

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The same pins are found with an index and without one, including those at either end of the
// range.
func TestSet_IndexFindsTheSame(t *testing.T) {
	for _, n := range []int{1, 2, many - 1, many, many + 1, 2*many - 1, 5000} {
		first, last := make([]byte, 32), make([]byte, 32)
		for i := range last {
			last[i] = 0xFF
		}
		list := []string{hex.EncodeToString(first), hex.EncodeToString(last)}
		for i := len(list); i < n; i++ {
			sum := sha256.Sum256([]byte(strconv.Itoa(i)))
			list = append(list, hex.EncodeToString(sum[:]))
		}
		set, mistakes := NewSet(Thumbprint, "", list)
		require.Empty(t, mistakes)
		assert.Equal(t, n >= many, set.index != nil)
		assert.True(t, set.Contains(first))
		assert.True(t, set.Contains(last))
		for i := range 2 * n {
			sum := sha256.Sum256([]byte(strconv.Itoa(i)))
			assert.Equal(t, i >= 2 && i < n, set.Contains(sum[:]), "%d of %d", i, n)
		}
		first[31], last[0] = 1, 0xFE
		assert.False(t, set.Contains(first))
		assert.False(t, set.Contains(last))
	}
}

// Digests with the same beginning are distinguished by the rest.
func TestSet_OfOneBeginningAreToldApart(t *testing.T) {
	pin := func(last byte) []byte {
		all := []byte(strings.Repeat("\xab", 32))
		all[31] = last
		return all
	}
	var list []string
	for last := byte(10); last < 250; last += 10 {
		list = append(list, hex.EncodeToString(pin(last)))
	}
	set, mistakes := NewSet(Thumbprint, "", list)
	require.Empty(t, mistakes)
	for last := range 256 {
		assert.Equal(t, last >= 10 && last < 250 && last%10 == 0, set.Contains(pin(byte(last))), "%d", last)
	}
}
