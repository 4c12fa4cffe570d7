package certauth

import (
	"crypto/x509"
	"slices"
)

// identity returns the caller's identity after the policy has accepted. Requests with the same
// certificate and the same outcome share one. Handlers have a pointer to the one that was made last
// and may have overwritten all of it.
func (e *evaluation) identity() *Identity {
	if known := e.facts.handedOut(); known != nil && known.verdict != nil && known.verdict.facts == e.facts && e.same(&known.verdict.established) && known.intact() {
		return known
	}
	id := e.newIdentity(&e.established)
	e.facts.handOut(id)
	return id
}

// newIdentity makes an identity of copies, because users may write to it. Its slices have no
// capacity beyond their length, where two handlers that append would write to the same place.
func (e *evaluation) newIdentity(found *established) *Identity {
	made := &struct { // most identities fit into it
		Identity
		stands    verdict
		presented [1]*x509.Certificate
		chains    [1][]*x509.Certificate
		chain     [3]*x509.Certificate
		verified  [1]*verifiedChain
	}{}
	id, v := &made.Identity, &made.stands
	*v = verdict{owner: e.owner, facts: e.facts, sent: e.facts.sent(), established: established{
		roles: slices.Clone(found.roles), chains: append(made.verified[:0], found.chains...), vouched: found.vouched,
	}}
	*id = Identity{
		Leaf: e.facts.leaf, Presented: slices.Clip(append(made.presented[:0], v.sent.certs...)), Source: e.owner.source.Name,
		Matched: slices.Clone(found.roles), verdict: v,
	}
	if found.revocation != nil {
		id.Revocation = *found.revocation
		own := id.Revocation
		v.revocation = &own
	}
	id.Chains = made.chains[:0]
	for i, chain := range found.chains {
		var room []*x509.Certificate
		if i == 0 {
			room = made.chain[:0]
		}
		id.Chains = append(id.Chains, slices.Clip(append(room, chain.certs...)))
	}
	if id.Chains = slices.Clip(id.Chains); len(id.Chains) == 0 {
		id.Chains = nil
	}
	return id
}

func (s *established) same(known *established) bool {
	return s.vouched == known.vouched && sameRevocation(s.revocation, known.revocation) &&
		slices.Equal(s.chains, known.chains) && slices.Equal(s.roles, known.roles)
}

func sameRevocation(a, b *Revocation) bool { return a == b || a != nil && b != nil && *a == *b }

// sameRevocation reports whether the exported field still has the checker's answer.
func (id *Identity) sameRevocation() bool {
	if found := id.verdict.revocation; found != nil {
		return id.Revocation == *found
	}
	return id.Revocation.isZero()
}

// isZero reports whether no field is set. It compares field by field, because a comparison with
// Revocation{} would construct one on every request.
func (r *Revocation) isZero() bool {
	return r.Status == 0 && r.Source == "" && r.Responder == "" && r.Depth == 0 && r.Why == "" && !r.Stale &&
		r.ThisUpdate.IsZero() && r.NextUpdate.IsZero() && r.RevokedAt.IsZero()
}

// intact reports whether the identity has not been changed since it was made.
func (id *Identity) intact() bool {
	v := id.verdict
	return id.Leaf == v.facts.leaf && id.Source == v.owner.source.Name && id.sameRevocation() &&
		slices.Equal(id.Matched, v.roles) && slices.Equal(id.Presented, v.sent.certs) &&
		slices.EqualFunc(id.Chains, v.chains, func(chain []*x509.Certificate, known *verifiedChain) bool {
			return slices.Equal(chain, known.certs)
		})
}
