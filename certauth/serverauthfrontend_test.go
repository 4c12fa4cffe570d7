package certauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// finding EKU sunset: AcceptServerAuth behind a front end that verifies was accepted without an
// error, although the front end as the anchor refused every certificate for which it was meant.
func TestServerAuth_IsAMistakeBehindAFrontEndThatVerifies(t *testing.T) {
	root := newRoot(t, "Root")
	server := root.newClient(t, serverOnly).Certificate
	accepting := certauth.AcceptServerAuth{Reason: "no private CA before 2027", Policy: root.roots()}
	pinned := certauth.AcceptServerAuth{Reason: "no private CA before 2027", Policy: certauth.Certificates(server)}
	const why = "AcceptServerAuth: has no effect together with FrontEndVerifies, whose anchor requires clientAuth; remove FrontEndVerifies and name the CA in a Chain here"
	for name, tc := range map[string]struct {
		policy certauth.Policy
		path   string
	}{
		"as the policy":         {accepting, "Policy."},
		"of a pin":              {pinned, "Policy."},
		"in an All":             {certauth.All{certauth.Validity{}, accepting}, "Policy.All[1]."},
		"after a Chain":         {certauth.All{root.roots(), accepting}, "Policy.All[1]."},
		"in an Any":             {certauth.Any{certauth.CommonNames{"x"}, accepting}, "Policy.Any[1]."},
		"after an Any":          {certauth.All{certauth.Any{root.roots(), certauth.CommonNames{"x"}}, pinned}, "Policy.All[1]."},
		"in a Named":            {certauth.Named{Name: "a", Policy: accepting}, `Policy.Named("a").`},
		"within one of its own": {certauth.AcceptServerAuth{Reason: "x", Policy: accepting}, "Policy.AcceptServerAuth."},
	} {
		_, err := certauth.New(certauth.Config{Source: verifying{server, true}, Policy: tc.policy})
		require.ErrorContains(t, err, tc.path+why, name)
		_, err = certauth.New(certauth.Config{Source: verifying{server, false}, Policy: certauth.All{root.roots(), tc.policy}})
		if err != nil {
			assert.NotContains(t, err.Error(), "FrontEndVerifies", name)
		}
	}

	auth, err := certauth.New(certauth.Config{Source: verifying{server, true}, Policy: certauth.CommonNames{"client"}})
	require.NoError(t, err)
	assert.PanicsWithValue(t, "certauth: 1 mistake in Config:\nRequire."+why, func() { auth.Require(accepting) })
	_, err = auth.Check(request())
	assert.Equal(t, certauth.ReasonUsageNotAllowed, reasonOf(err), "without it the certificate of a server is refused")

	auth, err = certauth.New(certauth.Config{Source: verifying{server, false}, Policy: accepting})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, through(t, auth.Handler, request()).status, "the advice of the mistake works")
}
