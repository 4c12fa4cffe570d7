package certauth_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// says returns a rule of the test that returns the error.
func says(err error) certauth.PolicyFunc {
	return certauth.PolicyFunc{Name: "says", Func: func(context.Context, *certauth.Identity) error { return err }}
}

func panics() certauth.PolicyFunc {
	return certauth.PolicyFunc{Name: "panics", Func: func(context.Context, *certauth.Identity) error { panic("rule") }}
}

func TestPolicyFunc_IsCalledAfterTheAnchor(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	var typedNil *certauth.Error
	runVerdicts(t, []verdict{
		{"nil accepts", w.behind(says(nil)), leaf, certauth.ReasonNone},
		{"an error refuses", w.behind(says(errors.New("no"))), leaf, certauth.ReasonPolicyRefused},
		{"an Error keeps its reason", w.behind(says(&certauth.Error{Reason: certauth.ReasonCertificateDenied})), leaf, certauth.ReasonCertificateDenied},
		{"an Error without a reason refuses", w.behind(says(&certauth.Error{})), leaf, certauth.ReasonPolicyRefused},
		{"a typed nil is an error too", w.behind(says(typedNil)), leaf, certauth.ReasonPolicyRefused},
		{"it is not asked where the anchor refuses", certauth.All{chainOf(certauthtest.NewCA(t, "Other")), panics()}, leaf, certauth.ReasonChainUntrusted},
	})
	t.Run("what it does to its copy stays there", func(t *testing.T) {
		meddling := certauth.PolicyFunc{Name: "meddling", Func: func(_ context.Context, id *certauth.Identity) error {
			id.Matched[0] = "admin"
			id.Matched = append(id.Matched, "root")
			id.Chains, id.Leaf = nil, nil
			return nil
		}}
		id, err := judge(t, certauth.All{certauth.Named{Name: "partner", Policy: w.chain()}, meddling}, leaf)
		require.NoError(t, err)
		assert.Equal(t, []string{"partner"}, id.Matched)
		assert.Len(t, id.Chains, 1)
		assert.True(t, id.Leaf.Equal(leaf))
	})
	const before = ": comes before any anchor; put a Chain or a pin before it"
	runMisconfigured(t, []misconfigured{
		{"alone", says(nil), []string{`Policy.PolicyFunc("says")` + before}},
		{"zero", w.behind(certauth.PolicyFunc{}), []string{"Policy.All[1].PolicyFunc.Name: empty", "Policy.All[1].PolicyFunc.Func: nil"}},
	})
}
