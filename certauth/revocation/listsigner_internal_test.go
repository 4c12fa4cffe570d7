package revocation

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// A CA may have any number of chains, for example because another partner certifies it again and
// again: only the latest are remembered.
func TestListSigner_TheChainsThatAreRememberedAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	chain := func(n int) []*x509.Certificate {
		return []*x509.Certificate{{Raw: []byte("CA")}, {Raw: []byte{byte(n)}}, {Raw: []byte("anchor")}}
	}
	var a authority
	for n := range 20 {
		looked := seenIn(chain(n))
		looked.at = now
		a.remember(looked)
		a.remember(looked) // and no chain takes two places
	}
	assert.Len(t, *a.seen.Load(), 8)
	for n := range 20 {
		assert.Equal(t, n >= 12, a.hasSeen(chain(n), now), n)
	}
	assert.False(t, a.hasSeen(chain(19), now.Add(-time.Second)), "the clock was put back")
	elsewhere := chain(19)
	elsewhere[2] = &x509.Certificate{Raw: []byte("another anchor")}
	assert.False(t, a.hasSeen(elsewhere, now))
}
