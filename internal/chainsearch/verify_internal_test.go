package chainsearch

import (
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
