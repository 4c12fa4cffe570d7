package certauth

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
)

// chainRuleOf returns a Chain of these roots, at Policy.Chain.
func chainRuleOf(t *testing.T, roots ...*x509.Certificate) *chainRule {
	t.Helper()
	nodes := &chainNodes{}
	pool := nodes.noCAs()
	if len(roots) > 0 {
		cas, err := chainsearch.NewPool(roots, "test")
		require.NoError(t, err)
		pool = reload.Fixed("Policy.Chain.Roots", cas)
	}
	settings := chainSettings{Settings: chainsearch.Settings{MaxDepth: defaultMaxDepth}, roots: pool, intermediates: nodes.noCAs()}
	return &chainRule{path: "Policy.Chain", chainNode: nodes.node(settings)}
}

// Failures on the way to an answer, or mistakes in one, accept nobody, and the refusal says where
// in the policy they occurred.
func TestChainRule_SlipsRefuse(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	ended, end := context.WithCancel(t.Context())
	end()
	for _, tc := range []struct {
		name  string
		roots []*x509.Certificate
		ctx   context.Context //nolint:containedctx // of the request in this row
		known func(*chainRule) *chainAnswer
		open  bool // another request is searching
		want  Reason
	}{
		{"as it should be", []*x509.Certificate{root.Certificate}, t.Context(), nil, false, ReasonNone},
		{"no roots", nil, t.Context(), nil, false, ReasonNotConfigured},
		{"an answer without a chain and without a reason", []*x509.Certificate{root.Certificate}, t.Context(), func(r *chainRule) *chainAnswer {
			return &chainAnswer{material: r.generations(), until: chainsearch.EndOfTime}
		}, false, ReasonInternalError},
		{"an answer that says something about a moment", []*x509.Certificate{root.Certificate}, t.Context(), func(r *chainRule) *chainAnswer {
			return &chainAnswer{material: r.generations(), until: chainsearch.EndOfTime, refused: refusal(ReasonOverloaded, "", "busy")}
		}, false, ReasonOverloaded},
		{"a request that ends while another searches", []*x509.Certificate{root.Certificate}, ended, nil, true, ReasonRequestCanceled},
	} {
		for _, quiet := range []int{0, 1} {
			rule := chainRuleOf(t, tc.roots...)
			f := factsIn(t, []*x509.Certificate{leaf})
			if tc.known != nil {
				f.remember(rule.chainNode, tc.known(rule))
			}
			work := newSearches()
			if tc.open {
				work.flights.Join(question{f, rule.chainNode, rule.generations()})
			}
			e := &evaluation{ctx: tc.ctx, now: time.Now(), owner: &Authenticator{searches: work}, facts: f, quiet: quiet}
			refused := rule.judge(e)
			if tc.want == ReasonNone {
				assert.Nil(t, refused, tc.name)
				continue
			}
			if assert.NotNil(t, refused, tc.name) {
				assert.Equal(t, tc.want, refused.Reason, tc.name)
				assert.Equal(t, "Policy.Chain", refused.Rule, tc.name)
			}
			assert.Empty(t, e.path.chains, tc.name)
		}
	}
}

// A refusal is formatted later, when its basis may be gone; it stays a refusal.
func TestChainRule_WordsAreARefusalWhateverIsLeft(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	now := time.Now()
	words := func(r *chainRule) *Error {
		e := &evaluation{ctx: t.Context(), now: now, facts: factsIn(t, []*x509.Certificate{leaf})}
		return r.refusal(e)
	}
	for name, tc := range map[string]struct {
		rule *chainRule
		want Reason
	}{
		"no roots any more":              {chainRuleOf(t), ReasonNotConfigured},
		"roots that would let it in now": {chainRuleOf(t, root.Certificate), ReasonChainUntrusted},
		"roots of somebody else":         {chainRuleOf(t, certauthtest.NewCA(t, "Other").Certificate), ReasonChainUntrusted},
	} {
		refused := words(tc.rule)
		if assert.NotNil(t, refused, name) {
			assert.Equal(t, tc.want, refused.Reason, name)
			assert.Equal(t, "Policy.Chain", refused.Rule, name)
		}
	}
	rule := chainRuleOf(t, root.Certificate)
	placed := refusal(ReasonOverloaded, rule.path, "busy")
	assert.Same(t, placed, rule.own(placed), "it already has its place")

	// The remembered refusal because of a date was found at another time than that of this request.
	e := &evaluation{ctx: t.Context(), now: leaf.NotAfter.Add(time.Hour), facts: factsIn(t, []*x509.Certificate{leaf})}
	refused := rule.words(e, &chainAnswer{refused: refusal(ReasonCertificateExpired, "", "before"), dated: leaf})
	assert.Equal(t, ReasonCertificateExpired, refused.Reason)
	assert.ErrorContains(t, refused, "now is "+e.now.UTC().Format(time.RFC3339))
}

// The answer of another search, found at another time, does not apply to this request, which
// searches again, and gives up rather than use it.
func TestChainRule_AnswerOfAnotherTimeIsNotBelieved(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	rule := chainRuleOf(t, root.Certificate)
	f := factsIn(t, []*x509.Certificate{leaf})
	now := time.Now()
	work := newSearches()
	call, _ := work.flights.Join(question{f, rule.chainNode, rule.generations()})
	work.flights.Finish(call, &chainAnswer{material: rule.generations(), until: now, chains: []*verifiedChain{newVerifiedChain([]*x509.Certificate{leaf, root.Certificate})}})
	e := &evaluation{ctx: t.Context(), now: now, owner: &Authenticator{searches: work}, facts: f}
	refused := rule.judge(e)
	if assert.NotNil(t, refused) {
		assert.Equal(t, ReasonOverloaded, refused.Reason)
	}
	assert.Empty(t, e.path.chains)
}

// The answer includes which certificate is outside its dates; the text is made for the request.
func TestChainNode_AnswerKnowsWhoseDatesRefuse(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	rule := chainRuleOf(t, root.Certificate)
	material, refused := rule.material()
	require.Nil(t, refused)
	answer := rule.search(factsIn(t, []*x509.Certificate{leaf}), material, leaf.NotAfter.Add(time.Hour))
	require.NotNil(t, answer.refused)
	assert.Equal(t, ReasonCertificateExpired, answer.refused.Reason)
	assert.Same(t, leaf, answer.dated)
}
