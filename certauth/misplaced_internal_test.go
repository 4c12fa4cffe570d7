package certauth

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// These rules are never judged: New refuses a policy with a part that it could not compile, and
// evaluation.walk and askStatus do the work of the others. If a later change judges one, it must
// refuse.
func TestMisplacedRules_Refuse(t *testing.T) {
	assert.Equal(t, ReasonNotConfigured, invalidRule{path: "Policy"}.judge(nil).Reason)
	assert.Equal(t, ReasonInternalError, namedRule{name: "x"}.judge(nil).Reason)
	assert.Equal(t, ReasonInternalError, (&notRevokedRule{}).settle(nil, nil).Reason)
}

// New refuses a policy that can accept without an anchor, and no rule on the leaf alone ends a
// request. If a later change permits either, the result is a refusal.
func TestMisplacedRules_NothingAcceptsForThem(t *testing.T) {
	refused := (&evaluation{ctx: t.Context()}).judge(&judged{}, "Policy")
	if assert.NotNil(t, refused) {
		assert.Equal(t, ReasonInternalError, refused.Reason)
	}
	e := &evaluation{}
	refused = newAnyRule([]rule{namedRule{name: "x"}, allRule{}}).judge(e)
	if assert.NotNil(t, refused, "a final refusal ends the request, whatever the other members would answer") {
		assert.Equal(t, ReasonInternalError, refused.Reason)
	}
	assert.Zero(t, e.quiet)
	assert.Empty(t, e.branchRefusals)
}
