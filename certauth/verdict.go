package certauth

import (
	"crypto/x509"
	"slices"
)

// identity returns who the caller is, after the policy has accepted. Requests with the same
// certificate and the same outcome share one; whatever differs makes another.
func (e *evaluation) identity() *Identity {
	if known := e.facts.handedOut(); known != nil && known.verdict.owner == e.owner && e.same(&known.verdict.established) && known.intact() {
		return known
	}
	id := e.newIdentity(&e.established)
	e.facts.handOut(id)
	return id
}

// newIdentity copies what was established. The slices of the Identity have no room behind their
// ends, where two handlers that append would write to one place.
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
		Leaf: e.facts.leaf, Presented: append(made.presented[:0:1], v.sent.certs...), Source: e.owner.source.Name,
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
	if s.vouched != known.vouched || len(s.roles) != len(known.roles) || len(s.chains) != len(known.chains) || !sameRevocation(s.revocation, known.revocation) {
		return false
	}
	for i, chain := range s.chains {
		if chain != known.chains[i] {
			return false
		}
	}
	return slices.Equal(s.roles, known.roles)
}

func sameRevocation(a, b *Revocation) bool { return a == b || a != nil && b != nil && *a == *b }

// sameRevocation reports whether the exported field is what was found.
func (id *Identity) sameRevocation() bool {
	if found := id.verdict.revocation; found != nil {
		return id.Revocation == *found
	}
	return id.Revocation.isZero()
}

// isZero reports whether nothing is set, field by field: a comparison with Revocation{} makes one
// first, on every request.
func (r *Revocation) isZero() bool {
	return r.Status == 0 && r.Source == "" && r.Responder == "" && r.Depth == 0 && r.Why == "" && !r.Stale &&
		r.ThisUpdate.IsZero() && r.NextUpdate.IsZero() && r.RevokedAt.IsZero()
}

// intact reports whether nobody has changed the identity since it was handed out first.
func (id *Identity) intact() bool {
	v := id.verdict
	if id.Leaf != v.facts.leaf || len(id.Chains) != len(v.chains) || len(id.Matched) != len(v.roles) ||
		id.Source != v.owner.source.Name || !id.sameRevocation() || !sameCertificates(id.Presented, v.sent.certs) {
		return false
	}
	for i, role := range v.roles {
		if id.Matched[i] != role {
			return false
		}
	}
	for i, chain := range v.chains {
		if !sameCertificates(id.Chains[i], chain.certs) {
			return false
		}
	}
	return true
}

func sameCertificates(a, b []*x509.Certificate) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
