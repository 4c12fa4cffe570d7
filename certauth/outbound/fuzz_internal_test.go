package outbound

import (
	"crypto"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Files that require more than this are parsed but not opened here, because the engine counts every
// iteration.
const fuzzedCost = 25_000

func FuzzDecode(f *testing.F) {
	names, err := filepath.Glob(filepath.Join("testdata", "pkcs12", "*"))
	require.NoError(f, err)
	require.NotEmpty(f, names)
	for _, name := range names {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(content, "changeit")
	}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	everything, mistakes := Select{}.compile()
	require.Empty(f, mistakes)
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		if file, err := parsePKCS12(data); err == nil {
			total := file.macCost
			for _, c := range append(file.keyCosts, file.partCosts...) {
				total += c * maxParts
			}
			if total > maxParts*fuzzedCost {
				return
			}
		}
		p, err := decodeAll(t.Context(), []blob{{name: "fuzzed", data: data}}, password)
		if err != nil {
			assert.NotEmpty(t, asError(err, "").Reason)
			return
		}
		for _, failure := range p.failures {
			assert.NotEmpty(t, failure.Reason)
			assert.NotContains(t, failure.Error(), "-----BEGIN")
		}
		p.nextDate(now)
		chosen, err := p.choose(everything, false, now)
		if err != nil {
			assert.NotEmpty(t, asError(err, "").Reason)
			return
		}
		// The chosen certificate can be presented: its key matches, and the chain starts with it.
		public, ok := chosen.leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		require.True(t, ok)
		assert.True(t, public.Equal(chosen.key.Public()))
		chain := p.chain(chosen.leaf, now)
		assert.LessOrEqual(t, len(chain), maxChain)
		assert.Equal(t, chosen.leaf.Raw, chain[0])
	})
}
