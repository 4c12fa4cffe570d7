package chainsearch

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// A CA certificate that has ended is replaced by the operator, one that is not valid yet is not, and
// the leaf is renewed by its owner. The text is made later than the answer, at the time of a request.
func TestDatesInChain_TheHintIsForTheOneWhoCanAct(t *testing.T) {
	const minute = time.Minute
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "orders").Certificate
	skew := minute
	before, after := ca.Certificate.NotBefore.Add(-2*minute), ca.Certificate.NotAfter.Add(2*minute)

	ended := Dates(ca.Certificate, leaf, after, skew)
	assert.Equal(t, certcheck.Expired, ended.Kind)
	assert.Contains(t, ended.Hint, "Chain.Intermediates")

	early := Dates(ca.Certificate, leaf, before, skew)
	assert.Equal(t, certcheck.NotYetValid, early.Kind)
	assert.NotContains(t, early.Hint, "Chain.Intermediates")

	own := Dates(leaf, leaf, leaf.NotAfter.Add(2*minute), skew)
	assert.Equal(t, certcheck.Expired, own.Kind)
	assert.NotContains(t, own.Hint, "Chain.Intermediates")

	assert.Nil(t, Dates(ca.Certificate, leaf, leaf.NotBefore.Add(minute), skew), "all are valid again")
}

// finding C47: of several chains, the longest was the one whose refusal was reported, so that an operator was to increase
// MaxDepth because of a name that no chain permits.
func TestChain_TheShortestChainIsTheReason(t *testing.T) {
	root, top := certauthtest.NewCA(t, "Root"), certauthtest.NewCA(t, "Top")
	issuing := root.NewIntermediate(t, "Issuing", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"partner.example"} })
	leaf := issuing.Issue(t, "client", certauthtest.DNS("elsewhere.example")).Certificate
	crossed := top.CrossSign(t, root)
	roots := newPool(t, root.Certificate, top.Certificate)
	for name, found := range map[string]Result{
		"configured": find(Settings{MaxDepth: 2}, roots, newPool(t, issuing.Certificate, crossed), time.Now(), leaf),
		"sent along": find(Settings{MaxDepth: 2}, roots, newPool(t, issuing.Certificate), time.Now(), leaf, crossed),
	} {
		assert.ErrorContains(t, textOf(found), "is outside the permitted subtrees", name)
	}
}
