package chainsearch

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding C35: the leaf's key identifier named another CA than the one that has signed the leaf. The
// search found the latter above the former and therefore missed a chain that is as long as permitted.
func TestChain_KeyIdentifierOfTheLeafLeavesOutNoChain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	upper := root.NewIntermediate(t, "Upper")
	issuing := upper.NewIntermediate(t, "Issuing")
	named := issuing.NewIntermediate(t, "Issuing").Certificate
	intermediates := newPool(t, upper.Certificate, issuing.Certificate, named)
	search := func(leaf *x509.Certificate, roots ...*x509.Certificate) (chains int, wide bool) {
		now, pool := time.Now(), newPool(t, roots...)
		s := &search{CAs: CAs{pool, intermediates}, Settings: Settings{MaxDepth: 3}, now: now, span: newSpan(now), leaf: leafOf(leaf)}
		found, _, _ := s.chains()
		return len(found), s.wide
	}
	leaf := issuing.Issue(t, "client").Certificate
	chains, wide := search(leaf, root.Certificate)
	assert.Equal(t, 1, chains)
	assert.False(t, wide, "the key identifier selects the key that has signed it")
	chains, wide = search(leaf, root.Certificate, issuing.Certificate)
	assert.Equal(t, 2, chains)
	assert.False(t, wide, "the key identifier selects the key that has signed it")
	leaf.AuthorityKeyId = named.SubjectKeyId
	chains, wide = search(leaf, root.Certificate, issuing.Certificate)
	assert.Equal(t, 2, chains)
	assert.True(t, wide)
}
