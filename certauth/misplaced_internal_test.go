package certauth

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Nothing judges these rules: New refuses a policy with a part that it could not compile, and
// evaluation.walk and askStatus do the work of the others. Should a later change judge one all
// the same, it must refuse.
func TestMisplacedRules_Refuse(t *testing.T) {
	assert.Equal(t, ReasonNotConfigured, denyRule{path: "Policy"}.judge(nil).Reason)
	assert.Equal(t, ReasonInternalError, namedRule{name: "x"}.judge(nil).Reason)
	assert.Equal(t, ReasonInternalError, (&notRevokedRule{}).settle(nil, nil, nil).Reason)
}

// New refuses a policy that can accept without an anchor, and no rule on the leaf alone ends a
// request. Should a later change let either happen, it is a refusal.
func TestMisplacedRules_NothingAcceptsForThem(t *testing.T) {
	refused := (&evaluation{ctx: t.Context()}).judge(&judged{}, "Policy")
	if assert.NotNil(t, refused) {
		assert.Equal(t, ReasonInternalError, refused.Reason)
	}
	e := &evaluation{}
	refused = newAnyRule([]rule{namedRule{name: "x"}, allRule{}}).judge(e)
	if assert.NotNil(t, refused, "what ends a request ends it, whatever the other members would say") {
		assert.Equal(t, ReasonInternalError, refused.Reason)
	}
	assert.Zero(t, e.quiet)
	assert.Empty(t, e.excuses)
}
