package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func good() certauth.NotRevoked {
	return certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood, Source: "test"}, nil}}
}

// A refused member of an Any leaves nothing behind (the doc of Any), including its evidence: the
// chain by which the caller is accepted was not checked.
func TestAny_EvidenceOfARefusedMemberIsForgotten(t *testing.T) {
	w := newTwoWays(t)
	for name, refusing := range map[string]certauth.Policy{
		"a function":                            certauth.All{w.onlyA, good(), says(errors.New("no"))},
		"IssuedBy of a chain that is taken out": certauth.All{w.both, revokedUnder("Root A"), certauth.IssuedBy{Certificates: certauth.Certificates(w.byA)}},
	} {
		for _, accepting := range []certauth.Policy{w.onlyB, certauth.Named{Name: "role", Policy: w.onlyB}} {
			id, err := judge(t, certauth.Any{refusing, accepting}, w.leaf)
			require.NoError(t, err, name)
			assert.Zero(t, id.Revocation, name)
			assert.Len(t, id.Chains, 1, name)
		}
	}
}

// Roles come from paths that accept at the end. Matched uses the names that are in Identity.Matched
// at the end, so a path that is refused late loses its roles, and with them the roles that depended
// on them.
func TestNamed_RoleOfAPathThatIsRefusedLateIsGone(t *testing.T) {
	w := newWorld(t)
	named := func(name string, p certauth.Policy) certauth.Policy { return certauth.Named{Name: name, Policy: p} }
	refused, accepted := named("a", w.behind(says(errors.New("no")))), named("b", w.chain())
	behindA, behindB := named("c", certauth.Matched{"a"}), named("d", certauth.Matched{"b"})
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   []string
	}{
		{"the first of two", certauth.Any{refused, accepted}, []string{"b"}},
		{"the last of two", certauth.Any{accepted, refused}, []string{"b"}},
		{"one of three", certauth.Any{accepted, refused, named("e", w.chain())}, []string{"b", "e"}},
		{"a role that another was given for", certauth.All{certauth.Any{refused, accepted}, certauth.Any{behindA, behindB}}, []string{"b", "d"}},
		{"in another order", certauth.All{certauth.Any{accepted, refused}, certauth.Any{behindB, behindA}}, []string{"b", "d"}},
		{"and nothing else", certauth.All{certauth.Any{refused, accepted}, behindA}, nil},
		{"all of them", certauth.Any{refused, refused}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := judge(t, tc.policy, w.leaf.Certificate)
			if tc.want == nil {
				assert.Equal(t, certauth.ReasonPolicyRefused, reasonOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, id.Matched)
		})
	}
}

// The doc of Any: a panic refuses the whole request, even if another member with a role has already
// accepted.
func TestAny_PanicOfACheckerRefusesDespiteAnAcceptedRole(t *testing.T) {
	w := newWorld(t)
	panicking := certauth.NotRevoked{Checker: asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) { panic("checker") })}
	accepted := certauth.Named{Name: "a", Policy: w.chain()}
	for _, policy := range []certauth.Any{{accepted, w.behind(panicking)}, {w.behind(panicking), accepted}, {accepted, certauth.Any{w.behind(panicking)}}} {
		id, err := judge(t, policy, w.leaf.Certificate)
		assert.Nil(t, id)
		assert.Equal(t, certauth.ReasonInternalError, reasonOf(err), "%v", err)
	}
}

// A request interrupted by a panic has no effect on the next one: the next caller is refused for
// its own reason.
func TestAny_RequestAfterAPanicIsJudgedAfresh(t *testing.T) {
	w := newWorld(t)
	calls := 0
	once := certauth.PolicyFunc{Name: "once", Func: func(context.Context, *certauth.Identity) error {
		if calls++; calls == 1 {
			panic("rule")
		}
		return &certauth.Error{Reason: certauth.ReasonCertificateDenied}
	}}
	auth := authOf(t, certauth.Any{w.behind(once)}, time.Time{}, w.leaf.Certificate)
	for _, want := range []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonCertificateDenied, certauth.ReasonCertificateDenied} {
		_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, want, reasonOf(err), "%v", err)
	}
}

// After a panic in a rule that follows a NotRevoked, the next request started with the chains that revocation had
// left instead of those that verified, and a Denied missed a chain.
func TestDenied_SeesEveryChainAfterAPanic(t *testing.T) {
	for _, root := range []string{"Root A", "Root B"} {
		w := newTwoWays(t)
		calls, revoked := 0, ""
		checker := certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
			if chain[len(chain)-1].Subject.CommonName == revoked {
				return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
			}
			return certauth.Revocation{Status: certauth.RevocationGood}, nil
		})}
		function := certauth.PolicyFunc{Name: "function", Func: func(_ context.Context, id *certauth.Identity) error {
			if calls++; len(id.Chains) == 1 && calls%2 == 0 {
				panic("rule")
			}
			return &certauth.Error{Reason: certauth.ReasonPolicyRefused}
		}}
		id, err := judge(t, w.both, w.leaf)
		require.NoError(t, err)
		at := slices.IndexFunc(id.Chains, func(chain []*x509.Certificate) bool { return chain[2].Subject.CommonName == root })
		require.GreaterOrEqual(t, at, 0)
		denied := certauth.Denied{PublicKeys: []string{spkiPin(id.Chains[at][2])}}
		auth := authOf(t, certauth.All{w.both, certauth.Any{certauth.All{checker, function}, denied}}, time.Time{}, w.leaf)
		for i := range 100 {
			if i > 0 {
				revoked = root
			}
			_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			assert.Contains(t, []certauth.Reason{certauth.ReasonInternalError, certauth.ReasonCertificateDenied}, reasonOf(err), "%v", err)
		}
	}
}

// The doc of Any: one request tries at most 16384 members, and beyond that nobody is accepted.
func TestAny_TriesAtMost16384Members(t *testing.T) {
	w := newTwoWays(t)
	// The second Any is walked for each of two chains: twice 8191 members and the two before them
	// are 16384. Only the last member, after the last chain, accepts.
	policy := func(members int, last certauth.Policy) certauth.Policy {
		second := make(certauth.Any, members)
		for i := range second {
			second[i] = certauth.IssuedBy{PublicKeys: []string{pinOfNobody}}
		}
		second[members-1] = last
		return certauth.All{certauth.Any{w.onlyA, w.onlyB}, second}
	}
	// A chain of another CA between the two adds one member.
	between := func(members int, last certauth.Policy) certauth.Policy {
		all := policy(members, last).(certauth.All)
		return certauth.All{certauth.Any{w.onlyA, newWorld(t).chain(), w.onlyB}, all[1]}
	}
	byB, nobody := certauth.IssuedBy{Certificates: certauth.Certificates(w.byB)}, certauth.IssuedBy{PublicKeys: []string{pinOfNobody}}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   certauth.Reason
	}{
		{"the last of 16384 accepts", policy(8191, byB), certauth.ReasonNone},
		{"none of 16384 accepts", policy(8191, nobody), certauth.ReasonIssuerNotAllowed},
		{"the first that is not tried would accept", between(8191, byB), certauth.ReasonOverloaded},
		{"one after it would accept", policy(8192, byB), certauth.ReasonOverloaded},
	} {
		_, err := judge(t, tc.policy, w.leaf)
		assert.Equal(t, tc.want, reasonOf(err), "%s: %v", tc.name, err)
	}
}

// The doc of NotRevoked: nothing is fetched for a caller that another rule refuses anyway, and one
// request checks a chain once, however many paths it is on.
func TestNotRevoked_IsAskedOnceAndNotInVain(t *testing.T) {
	w := newTwoWays(t)
	count := map[string]int{}
	checker := certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		count[chain[len(chain)-1].Subject.CommonName]++
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
	_, err := judge(t, certauth.All{w.both, checker, certauth.IssuedBy{PublicKeys: []string{pinOfNobody}}}, w.leaf)
	assert.Equal(t, certauth.ReasonIssuerNotAllowed, reasonOf(err))
	assert.Empty(t, count, "another issuer was required")
	roles := certauth.Any{certauth.Named{Name: "a", Policy: w.onlyA}, certauth.Named{Name: "b", Policy: w.both}, certauth.Named{Name: "c", Policy: w.onlyB}}
	_, err = judge(t, certauth.All{roles, checker}, w.leaf)
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"Root A": 1, "Root B": 1}, count)
}

// Rules on the leaf alone are judged in place, without a walk. All and Any have the same meaning
// there.
func TestCombine_RulesOnTheLeafWithinOneAnother(t *testing.T) {
	w := newWorld(t, certauthtest.DNS("a.example"))
	yes, no := certauth.DNSNames{"a.example"}, certauth.DNSNames{"b.example"}
	short := certauth.Validity{MaxLifetime: time.Second}
	leaf := w.leaf.Certificate
	const name, lifetime = certauth.ReasonNameNotAllowed, certauth.ReasonLifetimeNotAllowed
	runVerdicts(t, []verdict{
		{"all in any: both", w.behind(certauth.Any{certauth.All{yes, yes}, no}), leaf, certauth.ReasonNone},
		{"all in any: the first refuses", w.behind(certauth.Any{certauth.All{no, yes}, no}), leaf, name},
		{"all in any: the last refuses", w.behind(certauth.Any{certauth.All{yes, no}, no}), leaf, name},
		{"all in any: alone", w.behind(certauth.Any{certauth.All{yes, no}}), leaf, name},
		{"any in all in any", w.behind(certauth.Any{certauth.All{certauth.Any{no, yes}, certauth.Any{no, no}}}), leaf, name},
		{"not any in any", w.behind(certauth.Any{certauth.Not{Policy: certauth.Any{no, yes}}}), leaf, certauth.ReasonPolicyRefused},
		{"an any that accepts hides no later refusal", w.behind(certauth.Any{no, yes}, no), leaf, name},
		{"a refusal in full words within any", w.behind(certauth.Any{short}), leaf, lifetime},
		{"two of them", w.behind(certauth.Any{short, short}), leaf, lifetime},
	})
}
