package certauth

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// ways lists the paths through a policy in full: for each choice of a member of every Any, the
// single policies on the path, negated below an odd number of Not. It follows the documentation of
// All, Any and Not literally, and takes exponential time.
func ways(policy Policy, negated bool) [][]modelRule {
	switch p := policy.(type) {
	case Not:
		return ways(p.Policy, !negated)
	case Named:
		if negated {
			return ways(p.Policy, negated)
		}
		var named [][]modelRule
		for _, way := range ways(p.Policy, negated) {
			named = append(named, append(slices.Clone(way), modelRule{Named{Name: p.Name}, false}))
		}
		return named
	case AcceptServerAuth: // concerns only the usages of a certificate
		return ways(p.Policy, negated)
	case All:
		return combined(p, negated, negated)
	case Any:
		return combined(p, negated, !negated)
	}
	return [][]modelRule{{{policy, negated}}}
}

// combined takes one of the members, or all of them.
func combined(members []Policy, negated, one bool) [][]modelRule {
	product := [][]modelRule{{}}
	var union [][]modelRule
	for _, member := range members {
		own := ways(member, negated)
		union = append(union, own...)
		var longer [][]modelRule
		for _, way := range product {
			for _, more := range own {
				longer = append(longer, slices.Concat(way, more))
			}
		}
		product = longer
	}
	if one {
		return union
	}
	return product
}

type modelRule struct {
	policy  Policy
	negated bool
}

// accepts judges one way by two sets of chains: those that verified, and those that were not
// excluded.
func (w *policyWorld) accepts(way []modelRule) (accepted bool, roles []string, standing []int) {
	var verified []int
	for _, r := range way {
		if chain, ok := r.policy.(given); ok {
			verified = append(verified, chain.roots...)
		}
	}
	slices.Sort(verified)
	verified = slices.Compact(verified)
	standing = slices.Clone(verified)
	for _, r := range way {
		revocation, ok := r.policy.(NotRevoked)
		if !ok {
			continue
		}
		checker, ok := revocation.Checker.(*checks)
		if !ok || checker.leaf {
			return false, nil, nil
		}
		standing = slices.DeleteFunc(standing, func(root int) bool { return !slices.Contains(rootsOf(checker), root) })
	}
	for _, r := range way {
		switch p := r.policy.(type) {
		case Named:
			roles = append(roles, p.Name)
		case given:
			if !slices.ContainsFunc(p.roots, func(root int) bool { return slices.Contains(standing, root) }) {
				return false, nil, nil
			}
		case IssuedBy:
			if r.negated && w.passes(p, verified) || !r.negated && !w.issued(p, way, verified, standing) {
				return false, nil, nil
			}
		case Denied:
			if slices.ContainsFunc(verified, func(root int) bool { return w.roots[root] == p.PublicKeys[0] }) {
				return false, nil, nil
			}
		case DNSNames:
			if (p[0] == "yes.example") == r.negated {
				return false, nil, nil
			}
		case CommonNames:
			if r.negated {
				return false, nil, nil
			}
		}
	}
	return true, roles, standing
}

// issued returns what an IssuedBy matches: by key every chain of the client, because they differ
// only in the issuing CA's certificate.
func (w *policyWorld) issued(p IssuedBy, way []modelRule, verified, standing []int) bool {
	if p.PublicKeys != nil {
		return p.PublicKeys[0] == w.key && len(verified) > 0
	}
	root := slices.Index(w.issuing[:], p.Certificates.(certificateSet).list[0]) //nolint:forcetypeassert // the generator makes no other
	return slices.Contains(standing, root) && !slices.ContainsFunc(way, func(r modelRule) bool {
		chain, ok := r.policy.(given)
		return ok && !slices.Contains(chain.roots, root)
	})
}

// passes reports whether a chain of the client passes through the CA that an IssuedBy under Not
// excludes: the issuing CA, or a root.
func (w *policyWorld) passes(p IssuedBy, verified []int) bool {
	return slices.ContainsFunc(verified, func(root int) bool { return p.PublicKeys[0] == w.key || p.PublicKeys[0] == w.roots[root] })
}

// The engine decides as the documentation says, taken literally.
func TestPolicyMeaning_AgreesWithTheModel(t *testing.T) {
	accepted := 0
	eachTree(t, func(g *generator) bool {
		policy := g.tree(2)
		if g.IntN(2) == 0 {
			policy = All{policy, g.notRevoked()}
		}
		paths := ways(policy, false)
		if len(paths) > 500 {
			return false
		}
		have, ok := g.w.judge(t, policy)
		if !ok {
			return false
		}
		var want verdictOn
		for _, way := range paths {
			accepts, roles, standing := g.w.accepts(way)
			if accepts {
				want.accepted = true
				want.roles = append(want.roles, roles...)
				want.roots = append(want.roots, standing...)
			}
		}
		slices.Sort(want.roles)
		slices.Sort(want.roots)
		want.roles, want.roots = slices.Compact(want.roles), slices.Compact(want.roots)
		assert.Equal(t, want.accepted, have.accepted, "%#v", policy)
		assert.Equal(t, append([]string{}, want.roles...), append([]string{}, have.roles...), "%#v", policy)
		if len(have.roles) > 0 {
			assert.Equal(t, want.roots, have.roots, "%#v", policy)
		} else {
			assert.Subset(t, want.roots, have.roots, "%#v", policy)
		}
		if have.accepted {
			accepted++
		}
		return true
	})
	t.Logf("%d accepted", accepted)
	assert.Positive(t, accepted)
}
