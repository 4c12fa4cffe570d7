package chainsearch

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

const (
	// maxSameName bounds the configured candidates with the same subject that are tried for one child.
	// There are a few presented ones at most, which take no place from them.
	maxSameName = 8
	// maxCandidates bounds the configured candidates of one search.
	maxCandidates = 32
)

// search walks upwards from a leaf and collects the few CA certificates that can be part of its
// chain. crypto/x509 would try the signature of every CA with the issuer's name: with a hundred
// re-keyed CAs, a hundred signatures for each request.
type search struct {
	Settings
	CAs

	leaf     Leaf
	now      time.Time
	span     span        // in which this search would find the same
	admitted *Admissions // of earlier searches, or nil

	presented []*candidate // CAs that were sent along and admitted
	admission checkedSignatures

	// wide says that candidates for the leaf's issuer with a key and a key identifier other than the
	// leaf's are tried too, because identifiers only determine the order, and signatures decide.
	wide     bool
	cut      bool         // the candidates above the last level were omitted
	passed   bool         // a candidate was omitted that a wide search would try
	selected []*candidate // if so, those for the leaf's issuer that were not

	foundRoots         []*candidate
	foundIntermediates []*candidate
	shown              map[*x509.Certificate]*candidate // by the views that crypto/x509 gets
	dated              *x509.Certificate                // the certificate whose dates are the reason of the refusal
	deep               [][]*x509.Certificate            // chains that only MaxDepth refuses
	compared           int                              // names with name constraints, for the chains of these candidates
	final              *certcheck.Refusal               // refuses the leaf, whatever other chains it has
}

// rootsOf returns the roots with the name of the child's issuer.
func (s *search) rootsOf(issuer string) []*candidate {
	if s.Roots == nil {
		return nil
	}
	return s.Roots.bySubject[issuer]
}

// issuers returns the intermediate CAs with that name.
func (s *search) issuers(issuer string) []*candidate {
	issuers := s.Intermediates.bySubject[issuer]
	for _, c := range s.presented {
		if c.name == issuer {
			issuers = append(issuers[:len(issuers):len(issuers)], c)
		}
	}
	return issuers
}

// child is a certificate whose issuer is looked for.
type child struct {
	cert   *x509.Certificate
	issuer string // the key of its issuer's name
	narrow bool   // key identifiers select the candidates, as for the leaf
}

// run collects the candidates from the beginning, up to that many levels above the leaf.
func (s *search) run(levels int) {
	s.foundRoots, s.foundIntermediates, s.passed, s.compared, s.dated = nil, nil, false, 0, nil
	level := []child{{cert: s.leaf.Certificate, issuer: s.leaf.Issuer, narrow: !s.wide}}
	for depth := 0; depth < levels && len(level) > 0; depth++ {
		var next []child
		for _, one := range level {
			others := s.issuers(one.issuer)
			if slices.ContainsFunc(others, (*candidate).isSelfSigned) {
				others = slices.DeleteFunc(slices.Clone(others), (*candidate).isSelfSigned)
			}
			roots, others := s.choose(one, s.rootsOf(one.issuer), others)
			if s.passed && depth == 0 {
				s.selected = slices.Concat(roots, others)
			}
			s.add(&s.foundRoots, roots)
			for _, found := range s.add(&s.foundIntermediates, others) {
				next = append(next, child{cert: found.cert, issuer: found.issuer})
			}
		}
		level = next
	}
	s.cut = len(level) > 0
}

// choose orders the candidates, roots and others: first those whose key identifier is the child's, then
// those where one of the two has none, then the others. For the leaf, a search that is not wide takes
// the first of these kinds that occurs, as OpenSSL does, and of the others those that have a key of that
// kind: all certificates of a key can have signed the child, and each leads to chains of its own. If one
// of these keys has signed the leaf, no other one has. For a CA all candidates are taken, because the
// signatures on CAs are remembered. The results may be the pools' own lists and must not be changed.
func (s *search) choose(of child, roots, others []*candidate) (chosenRoots, chosenOthers []*candidate) {
	switch {
	case len(roots)+len(others) == 0:
		return nil, nil
	case len(others) == 0 && len(roots) == 1 && roots[0].fault == certcheck.NoFault: // the usual case
		s.span.watch(roots[0].cert, s.Skew)
		return roots, nil
	case len(roots) == 0 && len(others) == 1 && others[0].fault == certcheck.NoFault:
		s.span.watch(others[0].cert, s.Skew)
		return nil, others
	}
	var kinds [3][2][]*candidate
	for i, list := range [2][]*candidate{roots, others} {
		for _, c := range list {
			s.span.watch(c.cert, s.Skew)
			if c.fault == certcheck.NoFault {
				kind := kinship(of.cert, c.cert)
				kinds[kind][i] = append(kinds[kind][i], c)
			}
		}
	}
	var chosen [2][]*candidate
	var first []*candidate // of the first kind that occurs
	for _, kind := range kinds {
		for i, list := range kind {
			if len(first) > 0 && of.narrow {
				all := len(list)
				list = slices.DeleteFunc(list, func(c *candidate) bool { return !sharesKey(c.cert, first) })
				s.passed = s.passed || len(list) < all
			}
			// Certificates that are valid now come first; otherwise the order of the pool is kept.
			slices.SortStableFunc(list, func(a, b *candidate) int { return s.staleness(a.cert) - s.staleness(b.cert) })
			chosen[i] = append(chosen[i], list...)
		}
		if len(first) == 0 {
			first = slices.Concat(kind[0], kind[1])
		}
	}
	return chosen[0][:min(len(chosen[0]), maxSameName)], chosen[1][:min(len(chosen[1]), maxSameName+len(s.presented))]
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

// add appends the candidates that are new, within the bound, and returns them.
func (s *search) add(to *[]*candidate, candidates []*candidate) []*candidate {
	var added []*candidate
	for _, c := range candidates {
		if len(*to) >= maxCandidates+len(s.presented) || holds(*to, c.cert) {
			continue
		}
		*to = append(*to, c)
		added = append(added, c)
	}
	return added
}
