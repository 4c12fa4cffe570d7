package chainsearch

import (
	"bytes"
	"crypto/x509"
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// Whether one CA has signed the certificate of another does not depend on the leaf. Each candidate
// therefore remembers the CA that has signed it, once crypto/x509 has verified this. Afterwards
// crypto/x509 verifies only the leaf and its issuing CA. Dates, usages, path lengths and name
// constraints are checked each time.

// signedBy reports whether this CA's key is known to have signed the candidate. This depends only on
// the bytes of both, so it stays true when the configured CAs are replaced.
func (c *candidate) signedBy(ca *x509.Certificate) bool {
	signer := c.signer.Load()
	return signer != nil && bytes.Equal(signer.RawSubjectPublicKeyInfo, ca.RawSubjectPublicKeyInfo)
}

// learn remembers, for chains that crypto/x509 has verified, which CA has signed which. It does not
// remember signatures that were made by presented CAs.
func (s *search) learn(chains [][]*x509.Certificate) {
	for _, chain := range chains {
		for i := 2; i < len(chain); i++ {
			child, ca := s.shown[chain[i-1]], s.shown[chain[i]]
			if child != nil && ca != nil && !child.signedBy(ca.cert) && !slices.Contains(s.presented, ca) {
				child.signer.Store(ca.cert)
			}
		}
	}
}

// possible returns the candidates that are valid now and can have signed the leaf, or a CA that was
// found, as far as that is known. crypto/x509 would verify the signatures of the others again for each
// leaf.
func (s *search) possible(candidates []*candidate) []*candidate {
	return slices.DeleteFunc(slices.Clone(candidates), func(ca *candidate) bool {
		return s.System == nil && certcheck.Outside(ca.cert, s.now, s.Skew) || ca.name != s.leaf.Issuer && !slices.ContainsFunc(s.foundIntermediates, func(below *candidate) bool {
			return below.issuer == ca.name && (below.signer.Load() == nil || below.signedBy(ca.cert))
		})
	})
}

// knownWay returns the CAs from the issuing CA to the root, if no other path can verify, each except
// the root is known to be signed by the next, and crypto/x509 would not refuse any CA above the
// issuing CA. Then the chain of only the leaf and the issuing CA verifies if and only if the
// whole chain does, and if not, with an error of the same kind. In all other cases, and if there is
// a doubt, it returns nil.
//
// crypto/x509 makes these checks on the whole chain but not on the short one. Leaving them out
// changes nothing:
//
//   - It verifies the signatures on the CAs. They are known.
//   - It checks the basic constraints of the upper CAs. This is done here, and so are the dates, so that
//     the same reason is reported.
//   - It removes the extended key usages that an upper CA does not allow. All of them allow the
//     requested ones.
//   - It applies certificate policies. If no CA or leaf restricts or maps them, and Chain.Policies
//     is not set, every set of policies is valid.
//   - It refuses a chain in which the same name occurs twice with the same key. The names of the CAs
//     differ, and the view of the leaf has none.
//
// Critical extensions and weak keys of CAs are checked when the CAs are loaded or admitted. MaxDepth,
// path lengths and name constraints are checked later, on the whole chain.
func (s *search) knownWay() []*candidate {
	if s.System != nil || s.Policies != "" || restrictsPolicies(s.leaf.Certificate) {
		return nil
	}
	way := s.onlyWay()
	if len(way) < 2 {
		return nil
	}
	for i, ca := range way {
		if restrictsPolicies(ca.cert) || !ca.cert.BasicConstraintsValid || !ca.cert.IsCA || certcheck.Outside(ca.cert, s.now, s.Skew) {
			return nil
		}
		if i > 0 && (!way[i-1].signedBy(ca.cert) || !s.isForClients(ca.cert)) {
			return nil
		}
	}
	return way
}

// onlyWay returns the CAs that were found, from the issuer of the leaf to the root, if no name occurs
// twice and no other path verifies: each CA is the only one with the name and, except for the issuer of
// the leaf, the key that signed the CA below it. A root that is listed as an intermediate too does not
// count twice, if there is no other root that it could lead to.
func (s *search) onlyWay() []*candidate {
	var way []*candidate
	for issuer, below := s.leaf.Issuer, (*candidate)(nil); ; {
		fit := func(list []*candidate) (all []*candidate) {
			for _, c := range list {
				if c.name == issuer && (below == nil || below.signedBy(c.cert)) {
					all = append(all, c)
				}
			}
			return all
		}
		roots, others := fit(s.foundRoots), fit(s.foundIntermediates)
		if len(s.foundRoots) == 1 && len(roots) == 1 {
			others = slices.DeleteFunc(others, func(c *candidate) bool { return c.cert.Equal(roots[0].cert) })
		}
		if len(roots)+len(others) != 1 || slices.ContainsFunc(way, func(c *candidate) bool { return c.name == issuer }) {
			return nil
		}
		if len(roots) == 1 {
			return append(way, roots[0])
		}
		way = append(way, others[0])
		issuer, below = others[0].issuer, others[0]
	}
}

// isForClients reports whether crypto/x509 would accept the usages of an upper CA, whatever the leaf is.
func (s *search) isForClients(ca *x509.Certificate) bool {
	return len(ca.ExtKeyUsage)+len(ca.UnknownExtKeyUsage) == 0 || !s.ServerAuth && certcheck.IsForClients(ca, false)
}

// restrictsPolicies reports whether the certificate restricts or maps certificate policies, in
// addition to listing its own.
func restrictsPolicies(cert *x509.Certificate) bool {
	return cert.RequireExplicitPolicy > 0 || cert.RequireExplicitPolicyZero ||
		cert.InhibitPolicyMapping > 0 || cert.InhibitPolicyMappingZero ||
		cert.InhibitAnyPolicy > 0 || cert.InhibitAnyPolicyZero || len(cert.PolicyMappings) > 0
}
