package source_test

import (
	"crypto/x509"
	"hash/maphash"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

func offerOf(texts ...string) source.Offer {
	var offer source.Offer
	for _, text := range texts {
		offer.Add(text)
	}
	return offer
}

// With any number of texts, an offer has exactly its own key.
func TestOffer_IsItsOwnKeyAndNoOther(t *testing.T) {
	all := [][]string{{"a"}, {"b"}, {"ab"}, {"a", "b"}, {"a", ""}, {"", "a"}, {"a", "b", "c"}, {"a", "b", "c", "d"}, {"a", "b", "c", "e"}, {"a", "b", "c", "d", "e"}, {"1 a"}, {"", "1 a"}}
	for i, texts := range all {
		offer := offerOf(texts...)
		require.Equal(t, len(texts), offer.Len())
		for n, text := range texts {
			assert.Equal(t, text, offer.Text(n))
		}
		assert.EqualValues(t, texts, offer.Key())
		assert.EqualValues(t, texts, offer.Key().CloneTo(nil))
		again := offer.Key().Offer()
		assert.Equal(t, offer, again)
		assert.Equal(t, len(strings.Join(texts, "")), offer.Key().Size())
		for j, others := range all {
			assert.Equal(t, i == j, offer.Is(others), "%q and %q", texts, others)
			assert.Equal(t, i == j, offer.Key().Equal(others))
		}
	}
}

func TestOffer_CopiesAreIndependent(t *testing.T) {
	first := offerOf("a", "b", "c", "d")
	second := first
	first.Add("e")
	second.Add("f")
	assert.Equal(t, "e", first.Text(4))
	assert.Equal(t, "f", second.Text(4))
}

// Parsed certificates are identified by their DER.
func TestOffer_OfCertificates(t *testing.T) {
	offer := source.Offer{Certificates: []*x509.Certificate{{Raw: []byte("leaf")}, {Raw: []byte("ca")}}}
	assert.Equal(t, source.Key{"leaf", "ca"}, offer.Key())
	assert.True(t, offer.Is(source.Key{"leaf", "ca"}))
	assert.False(t, offer.Is(source.Key{"leaf", "cb"}))
	assert.False(t, offer.Is(source.Key{"leaf"}))
	assert.Zero(t, (&source.Offer{}).Len())
}

// Only the sample is hashed: with a poor one, two offers can share a place in a cache, but never a
// key.
func TestOffer_HashesItsSample(t *testing.T) {
	seed := maphash.MakeSeed()
	head := strings.Repeat("x", 100)
	a, b, c := offerOf(head+"1"), offerOf(head+"2"), offerOf("y"+head+"1")
	assert.NotEqual(t, a.Hash(seed), b.Hash(seed))
	assert.Equal(t, a.Hash(seed), c.Hash(seed), "only the end of the text is hashed")
	b.SetSample("s")
	c.SetSample("s")
	assert.Equal(t, b.Hash(seed), c.Hash(seed))
	assert.False(t, b.Is(c.Key()))
}
