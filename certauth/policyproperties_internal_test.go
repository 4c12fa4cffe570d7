package certauth

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/reload"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// treesPerProperty is the number of random policies on which each property is tried, unless the
// environment variable CERTAUTH_TREES gives another number: the mutation tool runs the properties
// once for every fault that they can detect.
const treesPerProperty = 20_000

// fewRoots is how many roots have certified the issuing CA of the random policies.
const fewRoots = 4

// policyWorld is one client below an issuing CA that several roots have certified, and the parts of
// random policies. Chains are given instead of searched: these tests concern the meaning of a
// policy once the facts are known.
type policyWorld struct {
	leaf    *x509.Certificate
	key     string // pin of the issuing CA's key
	issuing [fewRoots]*x509.Certificate
	roots   [fewRoots]string // pins of the roots' keys
	chains  [fewRoots]*verifiedChain
	auth    *Authenticator
}

func newPolicyWorld(t *testing.T) *policyWorld {
	t.Helper()
	w := &policyWorld{auth: &Authenticator{source: &source.Reader{Name: "test"}}}
	first := certauthtest.NewCA(t, "Root 0")
	issuing := first.NewIntermediate(t, "Issuing CA")
	w.leaf = issuing.Issue(t, "client", certauthtest.DNS("yes.example")).Certificate
	w.key = (&Identity{Leaf: issuing.Certificate}).PublicKeyHash()
	for i := range fewRoots {
		root := first
		w.issuing[i] = issuing.Certificate
		if i > 0 {
			root = certauthtest.NewCA(t, fmt.Sprintf("Root %d", i))
			w.issuing[i] = root.CrossSign(t, issuing)
		}
		w.roots[i] = (&Identity{Leaf: root.Certificate}).PublicKeyHash()
		w.chains[i] = newVerifiedChain([]*x509.Certificate{w.leaf, w.issuing[i], root.Certificate})
	}
	return w
}

// given is a Chain whose search has found these chains, or none.
type given struct {
	roots  []int
	chains []*verifiedChain
}

func (p given) compile(c *compilation, at place) (rule, standing) {
	c.anchors++
	at.standing.vouched, at.standing.chain = vouchedNames, true
	return givenRule{p, at.path}, at.standing
}

type givenRule struct {
	given
	path string
}

func (r givenRule) judge(e *evaluation) *Error {
	if len(r.chains) == 0 {
		return refusal(ReasonChainUntrusted, r.path, "none")
	}
	e.path.anchor(vouchedNames, r.chains)
	return nil
}

func (r givenRule) describe(*printer) {}

func (w *policyWorld) chain(roots ...int) given {
	p := given{roots: roots}
	for _, i := range roots {
		p.chains = append(p.chains, w.chains[i])
	}
	return p
}

// checks is a checker that finds CAs below some roots revoked, or has no status for them.
type checks struct {
	revoked, silent [fewRoots]bool
	leaf            bool // is revoked
}

func (c *checks) status(root int) (Revocation, error) {
	switch {
	case c.leaf:
		return Revocation{Status: RevocationRevoked}, nil
	case c.revoked[root]:
		return Revocation{Status: RevocationRevoked, Depth: 1}, nil
	case c.silent[root]:
		return Revocation{}, nil
	}
	return Revocation{Status: RevocationGood}, nil
}

func (c *checks) CheckChain(_ context.Context, chain []*x509.Certificate) (Revocation, error) {
	root, err := strconv.Atoi(chain[2].Subject.CommonName[len("Root "):])
	if err != nil {
		return Revocation{}, err
	}
	return c.status(root)
}

// verdictOn is the result of a policy.
type verdictOn struct {
	accepted bool
	roles    []string // sorted
	roots    []int    // of Identity.Chains, sorted
}

func (w *policyWorld) compile(policy Policy, outer *compilation, start standing) (*compilation, rule, standing) {
	c := &compilation{material: reload.New(time.Hour, nil, nil), chains: &chainNodes{}}
	if outer != nil {
		c.roles = outer.roles.clone()
	}
	compiled, end := c.compilePolicy(policy, "Policy", start)
	return c, compiled, end
}

// judge returns the result of a policy, and false if New refuses it.
func (w *policyWorld) judge(t *testing.T, policy Policy) (verdictOn, bool) {
	t.Helper()
	c, compiled, _ := w.compile(policy, nil, standing{})
	if len(c.mistakes) > 0 {
		return verdictOn{}, false
	}
	return w.run(t, newJudged(allRule{compiled}, len(c.roles.given) > 0)), true
}

// judgeRoute returns the result of a Require behind a Handler.
func (w *policyWorld) judgeRoute(t *testing.T, policy, required Policy) (verdictOn, bool) {
	t.Helper()
	outer, compiled, end := w.compile(policy, nil, standing{})
	inner, more, _ := w.compile(required, outer, end)
	if len(outer.mistakes)+len(inner.mistakes) > 0 {
		return verdictOn{}, false
	}
	handler := newJudged(allRule{compiled}, len(outer.roles.given) > 0)
	if v := w.run(t, handler); !v.accepted {
		return v, true
	}
	return w.run(t, (&route{rule: more, named: len(inner.roles.given) > len(outer.roles.given)}).behind(handler)), true
}

func (w *policyWorld) run(t *testing.T, by *judged) verdictOn {
	t.Helper()
	f, refused := newFacts([]*x509.Certificate{w.leaf})
	require.Nil(t, refused)
	e := &evaluation{ctx: t.Context(), now: w.leaf.NotBefore.Add(time.Hour), owner: w.auth, facts: f}
	if refused := e.judge(by, "Policy"); refused != nil {
		require.NotEqual(t, ReasonInternalError, refused.Reason, "%v", refused)
		return verdictOn{}
	}
	id := e.newIdentity(&e.established)
	v := verdictOn{accepted: true, roles: slices.Sorted(slices.Values(id.Matched))}
	for _, chain := range id.Chains {
		v.roots = append(v.roots, slices.Index(w.issuing[:], chain[1]))
	}
	slices.Sort(v.roots)
	return v
}

// generator makes random policies.
type generator struct {
	*rand.Rand
	w        *policyWorld
	checkers []*checks
	plain    bool // no revocation
}

func (g *generator) newCheckers() {
	g.checkers = nil
	for range 2 {
		c := &checks{leaf: g.IntN(20) == 0}
		for i := range fewRoots {
			c.revoked[i], c.silent[i] = g.IntN(4) == 0, g.IntN(6) == 0
		}
		g.checkers = append(g.checkers, c)
	}
}

func (g *generator) anyChain() Policy {
	roots := []int{g.IntN(fewRoots)}
	for g.IntN(2) == 0 && len(roots) < fewRoots {
		if i := g.IntN(fewRoots); !slices.Contains(roots, i) {
			roots = append(roots, i)
		}
	}
	if g.IntN(12) == 0 {
		roots = nil
	}
	return g.w.chain(roots...)
}

func (g *generator) notRevoked() Policy {
	return NotRevoked{Checker: g.checkers[g.IntN(len(g.checkers))]}
}

// name returns a rule that Not accepts.
func (g *generator) name(depth int) Policy {
	switch n := g.IntN(9); {
	case n < 2:
		return DNSNames{"yes.example"}
	case n < 4:
		return DNSNames{"no.example"}
	case n < 5:
		return IssuedBy{PublicKeys: []string{g.w.key}}
	case n < 6:
		return IssuedBy{PublicKeys: []string{g.w.roots[0]}}
	case depth <= 0:
		return CommonNames{"client"}
	case n < 7:
		return Not{g.name(depth - 1)}
	case n < 8:
		return All(g.list(depth, g.name))
	}
	return Any(g.list(depth, g.name))
}

func (g *generator) list(depth int, of func(int) Policy) []Policy {
	var list []Policy
	for range 1 + g.IntN(3) {
		list = append(list, of(depth-1))
	}
	return list
}

// part returns any rule; one on chains or names needs an anchor before it, otherwise New refuses
// it.
func (g *generator) part(depth int) Policy {
	switch n := g.IntN(20); {
	case n < 4:
		return g.anyChain()
	case n < 6:
		return IssuedBy{Certificates: Certificates(g.w.issuing[g.IntN(fewRoots)])}
	case n < 8:
		return Denied{PublicKeys: []string{g.w.roots[g.IntN(fewRoots)]}}
	case n < 10 && !g.plain:
		return g.notRevoked()
	case n < 12:
		return g.name(1)
	case n < 13:
		return Certificates(g.w.leaf)
	case n < 16 && depth > 0:
		return Named{Name: string(rune('a' + g.IntN(4))), Policy: g.tree(depth - 1)}
	case n < 18 && depth > 0:
		return Any(g.list(depth, g.tree))
	case depth > 0:
		return All(g.list(depth, g.part))
	}
	return g.name(0)
}

// tree returns a policy with an anchor. Some are inside an AcceptServerAuth, which changes nothing
// for a client that has clientAuth.
func (g *generator) tree(depth int) Policy {
	if g.IntN(8) == 0 {
		return AcceptServerAuth{Reason: "no other", Policy: g.tree(depth)}
	}
	if depth > 0 && g.IntN(3) == 0 {
		return Any(g.list(depth, g.tree))
	}
	parts := All{g.anyChain()}
	if depth > 0 {
		for range g.IntN(4) {
			parts = append(parts, g.part(depth-1))
		}
	}
	return parts
}

// shuffled permutes the members of every All and Any.
func (g *generator) shuffled(policy Policy) Policy {
	list := func(members []Policy) []Policy {
		var mixed []Policy
		for _, i := range g.Perm(len(members)) {
			mixed = append(mixed, g.shuffled(members[i]))
		}
		return mixed
	}
	switch p := policy.(type) {
	case All:
		return All(list(p))
	case Any:
		return Any(list(p))
	case Named:
		p.Policy = g.shuffled(p.Policy)
		return p
	case AcceptServerAuth:
		p.Policy = g.shuffled(p.Policy)
		return p
	case Not:
		return Not{g.shuffled(p.Policy)}
	}
	return policy
}

// deepen returns the policy with one member added to an Any, or one part to an All, that is not
// below a Not; it returns nil if there is none.
func (g *generator) deepen(policy Policy, anyMember bool) Policy {
	at := func(members []Policy) []Policy {
		for _, i := range g.Perm(len(members)) {
			if changed := g.deepen(members[i], anyMember); changed != nil {
				copied := slices.Clone(members)
				copied[i] = changed
				return copied
			}
		}
		return nil
	}
	switch p := policy.(type) {
	case All:
		if changed := at(p); changed != nil && g.IntN(2) == 0 {
			return All(changed)
		}
		if !anyMember {
			return slices.Insert(slices.Clone(p), 1+g.IntN(len(p)), g.part(1))
		}
		if changed := at(p); changed != nil {
			return All(changed)
		}
	case Any:
		if changed := at(p); changed != nil && g.IntN(2) == 0 {
			return Any(changed)
		}
		if anyMember {
			return slices.Insert(slices.Clone(p), g.IntN(len(p)+1), g.tree(1))
		}
		if changed := at(p); changed != nil {
			return Any(changed)
		}
	case Named:
		if changed := g.deepen(p.Policy, anyMember); changed != nil {
			p.Policy = changed
			return p
		}
	case AcceptServerAuth:
		if changed := g.deepen(p.Policy, anyMember); changed != nil {
			p.Policy = changed
			return p
		}
	}
	return nil
}

// eachTree runs a property on random policies that New accepts, until it was tried often enough.
// try reports whether the property could be tried.
func eachTree(t *testing.T, try func(g *generator) bool) {
	t.Helper()
	seed := rand.Uint64()
	if given, ok := os.LookupEnv("CERTAUTH_SEED"); ok {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("CERTAUTH_SEED=%d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), w: newPolicyWorld(t)}
	n := treesPerProperty
	if given, ok := os.LookupEnv("CERTAUTH_TREES"); ok {
		var err error
		n, err = strconv.Atoi(given)
		require.NoError(t, err)
		require.Positive(t, n)
	} else if testing.Short() || raceDetector {
		n /= 20
	}
	for tried, made := 0, 0; tried < n && !t.Failed(); made++ {
		require.Less(t, made, 200*n, "the generator makes too few policies that New accepts")
		g.newCheckers()
		if try(g) {
			tried++
		}
	}
}

// finding T6: a rule was judged differently before and after another one, and IssuedBy under two
// Not relied on an excluded chain.
func TestPolicyMeaning_OrderChangesNeitherDecisionNorRoles(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		policy := g.tree(3)
		mixed := g.shuffled(policy)
		one, ok1 := g.w.judge(t, policy)
		other, ok2 := g.w.judge(t, mixed)
		if !ok1 || !ok2 {
			return false
		}
		assert.Equal(t, one.accepted, other.accepted, "%#v\n%#v", policy, mixed)
		assert.Equal(t, one.roles, other.roles, "%#v\n%#v", policy, mixed)
		return true
	})
}

func TestPolicyMeaning_NotFollowsTheLawsOfLogic(t *testing.T) {
	negated := func(policies []Policy) []Policy {
		var not []Policy
		for _, p := range policies {
			not = append(not, Not{p})
		}
		return not
	}
	eachTree(t, func(g *generator) bool {
		x, list := g.name(2), g.list(2, g.name)
		behind := All{g.tree(1)}
		if g.IntN(2) == 0 {
			behind = append(behind, g.notRevoked())
		}
		tried := false
		for _, pair := range [][2]Policy{
			{x, Not{Not{x}}},
			{Not{All(list)}, Any(negated(list))},
			{Not{Any(list)}, All(negated(list))},
			{IssuedBy{Certificates: Certificates(g.w.issuing[1])}, Not{Not{IssuedBy{Certificates: Certificates(g.w.issuing[1])}}}},
		} {
			one, ok1 := g.w.judge(t, append(slices.Clone(behind), pair[0]))
			other, ok2 := g.w.judge(t, append(slices.Clone(behind), pair[1]))
			if ok1 && ok2 {
				tried = true
				assert.Equal(t, one, other, "%#v behind %#v", pair, behind)
			}
		}
		return tried
	})
}

// standing returns the policy over the chains that a checker finds good.
func (g *generator) standing(policy Policy, c *checks) Policy {
	list := func(members []Policy) (kept []Policy) {
		for _, member := range members {
			kept = append(kept, g.standing(member, c))
		}
		return kept
	}
	switch p := policy.(type) {
	case All:
		return All(list(p))
	case Any:
		return Any(list(p))
	case Named:
		p.Policy = g.standing(p.Policy, c)
		return p
	case AcceptServerAuth:
		p.Policy = g.standing(p.Policy, c)
		return p
	case given:
		return g.w.chain(slices.DeleteFunc(slices.Clone(p.roots), func(root int) bool {
			found, err := c.status(root)
			return err != nil || found.Status != RevocationGood
		})...)
	}
	return policy
}

// usesExcluded reports whether a rule of the policy also considers chains that revocation excludes:
// a Denied, or an IssuedBy under Not with the key of a root, through which only some chains pass.
func (w *policyWorld) usesExcluded(policy Policy) bool {
	return slices.ContainsFunc(ways(policy, false), func(way []modelRule) bool {
		return slices.ContainsFunc(way, func(r modelRule) bool {
			issued, isIssuedBy := r.policy.(IssuedBy)
			_, isDenied := r.policy.(Denied)
			return isDenied || isIssuedBy && r.negated && issued.PublicKeys[0] != w.key
		})
	})
}

// finding T1: a role, or a Chain next to others, relied on an excluded chain.
func TestPolicyMeaning_NotRevokedLeavesWhatThePolicySaysOfTheOtherChains(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		g.plain = true
		policy := g.tree(3)
		g.plain = false
		checker := g.checkers[0]
		over, ok1 := g.w.judge(t, policy)
		left, ok2 := g.w.judge(t, g.standing(policy, checker))
		both, ok3 := g.w.judge(t, All{policy, NotRevoked{checker}})
		if !ok1 || !ok2 || !ok3 || g.w.usesExcluded(policy) {
			return false
		}
		want := left
		if !over.accepted || checker.leaf {
			want = verdictOn{}
		}
		if len(both.roles) == 0 { // without a role, one of several ways in is sufficient, and its chains are shown
			assert.Equal(t, want.accepted, both.accepted, "%#v", policy)
			assert.Subset(t, rootsOf(checker), both.roots)
			return true
		}
		assert.Equal(t, want, both, "%#v", policy)
		return true
	})
}

func rootsOf(c *checks) (good []int) {
	for i := range fewRoots {
		if found, err := c.status(i); err == nil && found.Status == RevocationGood {
			good = append(good, i)
		}
	}
	return good
}

// finding T8: a refused member was not forgotten. finding T9: a NotRevoked within one member
// refused the others.
func TestPolicyMeaning_EachMemberOfAnyIsJudgedAlone(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		x, y, behind := g.tree(2), g.tree(2), g.part(1)
		either, ok := g.w.judge(t, All{Any{x, y}, behind})
		one, ok1 := g.w.judge(t, All{x, behind})
		other, ok2 := g.w.judge(t, All{y, behind})
		if !ok || !ok1 || !ok2 {
			return false
		}
		roles := slices.Compact(slices.Sorted(slices.Values(slices.Concat(one.roles, other.roles))))
		assert.Equal(t, one.accepted || other.accepted, either.accepted, "%#v", All{Any{x, y}, behind})
		assert.Len(t, either.roles, len(roles))
		assert.Subset(t, either.roles, roles)
		return true
	})
}

// finding T10: a route forgot the chains that the Handler's policy had excluded.
func TestPolicyMeaning_RouteIsAllOfBoth(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		policy, required := g.tree(2), g.part(2)
		if g.IntN(2) == 0 {
			policy = All{policy, g.notRevoked()}
		}
		route, ok1 := g.w.judgeRoute(t, policy, required)
		both, ok2 := g.w.judge(t, All{policy, required})
		if !ok1 || !ok2 {
			return false
		}
		assert.Equal(t, both, route, "%#v\n%#v", policy, required)
		return true
	})
}

func TestPolicyMeaning_OneMoreRevocationLetsNobodyIn(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		policy := All{g.tree(3), g.notRevoked()}
		before, ok := g.w.judge(t, policy)
		if !ok {
			return false
		}
		checker := g.checkers[g.IntN(len(g.checkers))]
		kept := *checker
		switch g.IntN(5) {
		case 0:
			checker.leaf = true
		case 1, 2:
			checker.revoked[g.IntN(fewRoots)] = true
		default:
			checker.silent[g.IntN(fewRoots)] = true
		}
		after, _ := g.w.judge(t, policy)
		assert.False(t, after.accepted && !before.accepted, "%#v\n%+v, then %+v", policy, kept, *checker)
		assert.Subset(t, before.roles, after.roles, "%#v\n%+v, then %+v", policy, kept, *checker)
		return true
	})
}

func TestPolicyMeaning_OneMoreMemberOfAnyRefusesNobody(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		policy := g.tree(3)
		more := g.deepen(policy, true)
		if more == nil {
			return false
		}
		before, ok1 := g.w.judge(t, policy)
		after, ok2 := g.w.judge(t, more)
		if !ok1 || !ok2 {
			return false
		}
		assert.False(t, before.accepted && !after.accepted, "%#v\n%#v", policy, more)
		assert.Subset(t, after.roles, before.roles, "%#v\n%#v", policy, more)
		return true
	})
}

func TestPolicyMeaning_OneMorePartOfAllLetsNobodyIn(t *testing.T) {
	eachTree(t, func(g *generator) bool {
		policy := g.tree(3)
		more := g.deepen(policy, false)
		if more == nil {
			return false
		}
		before, ok1 := g.w.judge(t, policy)
		after, ok2 := g.w.judge(t, more)
		if !ok1 || !ok2 {
			return false
		}
		assert.False(t, !before.accepted && after.accepted, "%#v\n%#v", policy, more)
		return true
	})
}
