package certauth_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Combinations within AcceptServerAuth were judged as if they were single rules: a refused member
// of Any left its chain behind, only the first member was tried with the rules after it, and a
// Named refused every caller.
func TestServerAuth_DecidesCombinationsAsTheyDecideWithoutIt(t *testing.T) {
	root := newRoot(t, "Root")
	leaf := root.newClient(t, bothUsages).Certificate
	elsewhere := certauth.DNSNames{"elsewhere.example"}
	pin := certauth.PublicKeys{spkiPin(leaf)}
	for _, tc := range []struct {
		name    string
		policy  certauth.Policy
		behind  []certauth.Policy
		roles   []string
		chains  int
		vouched bool
	}{
		{"a refused member leaves no chain", certauth.Any{certauth.All{root.roots(), elsewhere}, pin}, nil, nil, 0, false},
		{"a refused member within All leaves no chain", certauth.All{certauth.Any{certauth.All{root.roots(), elsewhere}, pin}}, nil, nil, 0, false},
		{"a role is given", certauth.Named{Name: "partner", Policy: root.roots()}, nil, []string{"partner"}, 1, true},
		{"a role is given to the rules after it", certauth.Named{Name: "partner", Policy: root.roots()}, []certauth.Policy{certauth.Matched{"partner"}}, []string{"partner"}, 1, true},
		{"roles of all members", certauth.Any{certauth.Named{Name: "a", Policy: root.roots()}, certauth.Named{Name: "b", Policy: pin}}, nil, []string{"a", "b"}, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for what, policy := range map[string]certauth.Policy{
				"without": tc.policy,
				"within":  certauth.AcceptServerAuth{Reason: "until they have a private CA", Policy: tc.policy},
				"twice":   certauth.AcceptServerAuth{Reason: "a", Policy: certauth.AcceptServerAuth{Reason: "b", Policy: tc.policy}},
			} {
				auth, err := certauth.New(certauth.Config{Source: fixedSource("s", leaf), Policy: append(certauth.All{policy}, tc.behind...)})
				require.NoError(t, err, what)
				for range 2 {
					id, err := auth.Check(request())
					require.NoError(t, err, what)
					assert.Equal(t, tc.roles, id.Matched, what)
					assert.Len(t, id.Chains, tc.chains, what)
					assert.Equal(t, tc.vouched, id.NamesVouched(), what)
				}
			}
		})
	}
}
