package chaingen_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/chaingen"
)

// A chain depends only on the seed and its number, not on the order of calls.
func TestChain_IsRepeatedBySeedAndNumber(t *testing.T) {
	a, err := chaingen.New(7)
	require.NoError(t, err)
	b, err := chaingen.New(7)
	require.NoError(t, err)
	seen := map[string]bool{}
	for i := range 100 {
		one, err := a.Chain(i)
		require.NoError(t, err)
		again, err := b.Chain(i)
		require.NoError(t, err)
		assert.Equal(t, one.Traits, again.Traits)
		assert.Len(t, again.Others, len(one.Others))
		assert.Equal(t, one.Leaf.RawSubject, again.Leaf.RawSubject)
		for _, trait := range one.Traits {
			assert.True(t, one.Has(trait))
			seen[trait] = true
		}
	}
	assert.Greater(t, len(seen), 30, "the chains are too much alike")
}
