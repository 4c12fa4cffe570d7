package certauth

import (
	"crypto/x509"
	"slices"
)

// identity returns who the caller is, after the policy has accepted. Requests with the same
// certificate and the same outcome share one; whatever differs makes another. Handlers have a
// pointer to the one that was handed out last, and may have overwritten all of it.
func (e *evaluation) identity() *Identity {
	if known := e.facts.handedOut(); known != nil && known.isOf(e.facts) && e.same(&known.verdict.established) && known.intact() {
		return known
	}
	id := e.newIdentity(&e.established)
	e.facts.handOut(id)
	return id
}

// newIdentity copies what was established.
func (e *evaluation) newIdentity(found *established) *Identity {
	v := &verdict{owner: e.owner, facts: e.facts, sent: e.facts.sent(), established: established{
		roles: slices.Clone(found.roles), chains: slices.Clone(found.chains), vouched: found.vouched,
	}}
	id := &Identity{
		Leaf: e.facts.leaf, Presented: slices.Clone(v.sent.certs), Source: e.owner.source.Name,
		Matched: slices.Clone(found.roles), verdict: v,
	}
	if found.revocation != nil {
		id.Revocation = *found.revocation
		own := id.Revocation
		v.revocation = &own
	}
	for _, chain := range found.chains {
		id.Chains = append(id.Chains, slices.Clone(chain.certs))
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

// isOf reports whether the identity is still one that was made of these facts.
func (id *Identity) isOf(f *facts) bool { return id.verdict != nil && id.verdict.facts == f }

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
