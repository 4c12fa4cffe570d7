package chainsearch

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

const (
	// maxKeys bounds the configured keys with the issuer's name that are tried for one leaf. There are a
	// few of CAs that were sent along at most, which take no place from them.
	maxKeys = 16
	// maxPaths bounds the paths that one search follows. They cost little until they are judged.
	maxPaths = 2000
	// maxWays bounds the chains of a leaf.
	maxWays = 200
)

// search walks upwards from a leaf, from each certificate to those of the key that has signed it, and only
// then judges what it has found. crypto/x509 tries each CA with the issuer's name again on each path, and
// stops after a hundred signatures, so that chains could be hidden from rules that exclude CAs.
type search struct {
	Settings
	CAs

	leaf     Leaf
	now      time.Time
	span     span        // in which this search would find the same
	admitted *Admissions // of earlier searches, or nil

	presented []*candidate // CAs that were sent along and admitted
	admission signatures

	known      map[*candidate]issuers // that were looked for in this search
	ways       [][]*candidate         // from the leaf to a root, by names and signatures
	crowded    bool                   // there are more
	compared   int                    // names with name constraints, for all chains
	policyWork int                    // signatures that were verified again for certificate policies
}

// issuers are the certificates of a certificate's issuer, with the key that has signed it.
type issuers struct{ roots, others []*candidate }

// climb finds the ways from the leaf to a root, short ones first. A name does not occur twice with the
// same key, so a self-signed intermediate CA leads nowhere. Paths that do not reach a root yet take no
// place from those that do.
func (s *search) climb(leaf *candidate) {
	open := [][]*candidate{{leaf}}
	for at := 0; at < len(open); at++ {
		path := open[at]
		above := s.issuersOf(path[len(path)-1])
		for i, list := range [2][]*candidate{above.roots, above.others} {
			for _, ca := range list {
				switch longer := append(slices.Clip(path), ca); {
				case slices.ContainsFunc(path[1:], ca.isTwin):
				case i == 0 && len(s.ways) == maxWays:
					s.crowded = true
					return
				case i == 0:
					s.ways = append(s.ways, longer)
				case len(open) == maxPaths:
					s.crowded = true
				default:
					open = append(open, longer)
				}
			}
		}
	}
}

// everyone returns the leaf and all CAs above it up to the roots, by names and signatures.
func (s *search) everyone(leaf *candidate) []*candidate {
	all, roots := []*candidate{leaf}, []*candidate(nil)
	for at := 0; at < len(all); at++ {
		above := s.issuersOf(all[at])
		for _, root := range above.roots { // the system's are found anew each time
			if !holds(roots, root.cert) {
				roots = append(roots, root)
			}
		}
		for _, ca := range above.others {
			if !slices.Contains(all, ca) {
				all = append(all, ca)
			}
		}
	}
	return append(all, roots...)
}

// issuersOf returns the certificates with the name of the child's issuer and a key that has signed the
// child: those with the key identifier that the child names first, and valid ones before the others.
func (s *search) issuersOf(child *candidate) issuers {
	known, ok := s.known[child]
	if ok {
		return known
	}
	roots, others, sent := s.named(child.issuer)
	if child.cert == s.leaf.Certificate {
		all := byKinship(child.cert, slices.Concat(roots, others, sent))
		child.signer = (&signatures{most: maxKeys + len(sent)}).signer(child, all)
	}
	known.roots = s.signers(child, roots)
	known.others = append(s.signers(child, others), s.signers(child, sent)...)
	if s.System != nil {
		known.roots = s.systemRoots(child)
	}
	s.known[child] = known
	return known
}

// named returns the CAs with that name: roots, intermediate CAs, and those that were sent along.
func (s *search) named(name string) (roots, others, sent []*candidate) {
	if s.Roots != nil {
		roots = s.Roots.bySubject[name]
	}
	for _, c := range s.presented {
		if c.name == name {
			sent = append(sent, c)
		}
	}
	return roots, s.Intermediates.bySubject[name], sent
}

// signers returns those of the CAs whose key has signed the child, in the order in which they are used.
// Of a certificate that has arrived with the request one such key is known. With ECDSA, other keys can be
// computed for which a signature holds, so all keys of configured CAs are tried for a configured one.
func (s *search) signers(child *candidate, cas []*candidate) []*candidate {
	var all []*candidate
	for _, ca := range cas {
		var signed bool
		if child.arrived {
			signed = child.signer != nil && haveSameKey(child.signer, ca.cert)
		} else {
			signed = child.signedBy(ca)
		}
		if signed {
			s.span.watch(ca.cert, s.Skew)
			all = append(all, ca)
		}
	}
	if len(all) > 1 {
		slices.SortStableFunc(all, func(a, b *candidate) int { return s.staleness(a.cert) - s.staleness(b.cert) })
	}
	return byKinship(child.cert, all)
}

// byKinship orders CAs in place, those first whose key has probably signed the child.
func byKinship(child *x509.Certificate, cas []*candidate) []*candidate {
	if len(cas) > 1 {
		slices.SortStableFunc(cas, func(a, b *candidate) int { return kinship(child, a.cert) - kinship(child, b.cert) })
	}
	return cas
}

// kinship is 0 if the key identifiers of child and CA are equal, 1 if one of them has none, and 2 if
// they differ. A difference proves nothing, because several methods of making one are in use (RFC
// 7093).
func kinship(child, ca *x509.Certificate) int {
	switch {
	case len(child.AuthorityKeyId) == 0 || len(ca.SubjectKeyId) == 0:
		return 1
	case bytes.Equal(child.AuthorityKeyId, ca.SubjectKeyId):
		return 0
	}
	return 2
}

func (s *search) staleness(cert *x509.Certificate) int {
	if certcheck.Outside(cert, s.now, 0) {
		return 1
	}
	return 0
}
