package chainsearch

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding S56: for each new caller below an issuing CA that has two certificates, crypto/x509 verified
// its signatures with every root of that name, even if it was known which one has signed them.
func TestChain_KeysThatHaveNotSignedAreNotTriedAgain(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	roots := newPool(t, root.Certificate, certauthtest.NewCA(t, "Root").Certificate, certauthtest.NewCA(t, "Root").Certificate)
	intermediates := newPool(t, issuing.Certificate, root.CrossSign(t, issuing))
	now := time.Now()
	shown := func(leaf *x509.Certificate) (subjects map[string]int) {
		s := &search{CAs: CAs{roots, intermediates}, Settings: Settings{MaxDepth: defaultMaxDepth}, now: now, span: newSpan(now), leaf: leafOf(leaf)}
		s.run(MaxCertificates)
		require.Nil(t, s.knownWay(), "there are two")
		s.options(nil)
		subjects = map[string]int{}
		for _, c := range s.shown {
			subjects[c.cert.Subject.CommonName]++
		}
		return subjects
	}
	first, second := issuing.Issue(t, "first").Certificate, issuing.Issue(t, "second").Certificate
	assert.Equal(t, map[string]int{"Issuing": 2, "Root": 3}, shown(first))
	assert.Len(t, find(Settings{MaxDepth: defaultMaxDepth}, roots, intermediates, now, first).Chains, 2)
	assert.Equal(t, map[string]int{"Issuing": 2, "Root": 1}, shown(second))
	assert.Len(t, find(Settings{MaxDepth: defaultMaxDepth}, roots, intermediates, now, second).Chains, 2)
	assert.Len(t, find(Settings{MaxDepth: defaultMaxDepth}, roots, &Pool{}, now, root.Issue(t, "of the root").Certificate).Chains, 1)
}
