package certauth

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

// A CA's signature on the certificate of another CA holds or does not hold whoever the leaf
// is. Each candidate remembers the CA that has signed it, once crypto/x509 has verified that;
// afterwards crypto/x509 is asked about the leaf and its issuing CA alone. Dates, usages, path
// lengths and name constraints are looked at each time.

// signedBy reports whether this CA's key is known to have signed the candidate. That is a fact
// about the bytes of both, which no replacement of the configured CAs changes.
func (c *candidate) signedBy(ca *x509.Certificate) bool {
	signer := c.signer.Load()
	return signer != nil && bytes.Equal(signer.RawSubjectPublicKeyInfo, ca.RawSubjectPublicKeyInfo)
}

// learn remembers which CAs have signed which, by chains that crypto/x509 has verified. Nothing
// is remembered of the signatures of presented CAs.
func (s *search) learn(chains [][]*x509.Certificate) {
	for _, chain := range chains {
		for i := 2; i < len(chain); i++ {
			child, ca := s.candidateOf(chain[i-1]), s.candidateOf(chain[i])
			if child != nil && ca != nil && !child.signedBy(ca.cert) && !slices.Contains(s.presented, ca) {
				child.signer.Store(ca.cert)
			}
		}
	}
}

// knownWay returns the CAs from the issuing CA to the root, if their names make only this way,
// each but the root is known to be signed by the next, and crypto/x509 would object to nothing
// above the issuing CA. Then a chain of the leaf and the issuing CA verifies if and only if
// the whole chain does, with an error of the same kind if not. It returns nil otherwise, and
// wherever it is not plain that this is so.
//
// What crypto/x509 does to the whole chain and not to the short one, and why it changes
// nothing here:
//
//   - It verifies the signatures on the CAs, which are known.
//   - It looks at the dates, the basic constraints and the path lengths of the upper CAs, as
//     [unobjectionable] does.
//   - It takes out the extended key usages that an upper CA does not allow: they all allow
//     those that are asked for.
//   - It applies certificate policies: without a CA or a leaf that restricts or maps them, and
//     without Chain.Policies, every set of policies is valid.
//   - It lets no name with one key stand twice in a chain: the names of the CAs differ, and the
//     leaf has a key of its own.
//
// Critical extensions and weak keys of CAs are looked at when they are loaded or admitted.
// MaxDepth and name constraints are judged later, by the whole chain.
func (n *chainNode) knownWay(found *search, times []time.Time) []*candidate {
	if n.system != nil || n.policies != "" || len(times) != 1 || restrictsPolicies(found.leaf) {
		return nil
	}
	way := found.onlyWay()
	if len(way) < 2 || sharesKey(found.leaf, way) {
		return nil
	}
	for i, ca := range way {
		if restrictsPolicies(ca.cert) || !ca.cert.BasicConstraintsValid || !ca.cert.IsCA {
			return nil
		}
		if i > 0 && (!way[i-1].signedBy(ca.cert) || !n.unobjectionable(ca.cert, i, times[0])) {
			return nil
		}
	}
	return way
}

// onlyWay returns the CAs that were found, from the issuer of the leaf to the root, if there is
// one of each name and one way through them. A root that is listed as an intermediate as well
// leads nowhere else.
func (s *search) onlyWay() []*candidate {
	if len(s.foundRoots) != 1 {
		return nil
	}
	root := s.foundRoots[0]
	way := make([]*candidate, 0, len(s.foundIntermediates)+1)
	for _, c := range s.foundIntermediates {
		if root.issuer != root.name || !c.cert.Equal(root.cert) {
			way = append(way, c)
		}
	}
	way = append(way, root)
	issuer := s.issuer
	for i, ca := range way {
		if ca.name != issuer || slices.ContainsFunc(way[:i], func(c *candidate) bool { return c.name == ca.name }) {
			return nil
		}
		issuer = ca.issuer
	}
	return way
}

// unobjectionable reports whether crypto/x509 has nothing against a CA, at that time and with so
// many CA certificates below it, that it would not say of every leaf.
func (n *chainNode) unobjectionable(ca *x509.Certificate, below int, at time.Time) bool {
	if at.Before(ca.NotBefore) || at.After(ca.NotAfter) || ca.MaxPathLen >= 0 && below > ca.MaxPathLen {
		return false
	}
	return len(ca.ExtKeyUsage)+len(ca.UnknownExtKeyUsage) == 0 || n.serverAuth == "" && inExtendedUsage(ca, false)
}

// restrictsPolicies reports whether the certificate says more of certificate policies than
// which it has.
func restrictsPolicies(cert *x509.Certificate) bool {
	return cert.RequireExplicitPolicy > 0 || cert.RequireExplicitPolicyZero ||
		cert.InhibitPolicyMapping > 0 || cert.InhibitPolicyMappingZero ||
		cert.InhibitAnyPolicy > 0 || cert.InhibitAnyPolicyZero || len(cert.PolicyMappings) > 0
}
