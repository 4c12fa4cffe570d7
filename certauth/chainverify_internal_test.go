package certauth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// A CA certificate that has ended is replaced by the operator, one that is not valid yet is not, and
// the leaf is renewed by its owner. The text is made later than the answer, at the time of a request.
func TestDatesInChain_TheHintIsForTheOneWhoCanAct(t *testing.T) {
	const minute = time.Minute
	ca := certauthtest.NewCA(t, "CA")
	leaf := ca.Issue(t, "orders").Certificate
	skew := minute
	before, after := ca.Certificate.NotBefore.Add(-2*minute), ca.Certificate.NotAfter.Add(2*minute)

	ended := datesInChain("Policy.Chain", ca.Certificate, leaf, after, skew)
	assert.Equal(t, ReasonCertificateExpired, ended.Reason)
	assert.Contains(t, ended.Hint, "Chain.Intermediates")

	early := datesInChain("Policy.Chain", ca.Certificate, leaf, before, skew)
	assert.Equal(t, ReasonCertificateNotYetValid, early.Reason)
	assert.NotContains(t, early.Hint, "Chain.Intermediates")

	own := datesInChain("Policy.Chain", leaf, leaf, leaf.NotAfter.Add(2*minute), skew)
	assert.Equal(t, ReasonCertificateExpired, own.Reason)
	assert.NotContains(t, own.Hint, "Chain.Intermediates")

	assert.Nil(t, datesInChain("Policy.Chain", ca.Certificate, leaf, leaf.NotBefore.Add(minute), skew), "all are valid again")
}
