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
