package chainsearch

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

const (
	// maxSameName bounds the candidates with the same subject that are tried for one child.
	maxSameName = 8
	// maxCandidates bounds the candidates of one search.
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

	// wide says that candidates with a key and a key identifier other than the child's are tried
	// too, because identifiers only determine the order, and signatures decide.
	wide   bool
	passed bool // a candidate was omitted that a wide search would try

	foundRoots         []*candidate
	foundIntermediates []*candidate
	shown              map[*x509.Certificate]*candidate // by the views that crypto/x509 gets
	dated              *x509.Certificate                // the certificate whose dates are the reason of the refusal
	compared           int                              // names with name constraints, for all chains
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

// skewThatMatters returns the skew if a CA that was found is outside its validity now by no more
// than that, and otherwise 0, because another time could not change the result.
func (s *search) skewThatMatters() time.Duration {
	if s.Skew == 0 {
		return 0
	}
	for _, c := range slices.Concat(s.foundIntermediates, s.foundRoots) {
		if s.staleness(c.cert) > 0 && !certcheck.Outside(c.cert, s.now, s.Skew) {
			return s.Skew
		}
	}
	if s.System != nil {
		return s.Skew
	}
	return 0
}

// run collects the candidates from the beginning.
func (s *search) run() {
	s.foundRoots, s.foundIntermediates, s.passed = nil, nil, false
	type child struct {
		cert   *x509.Certificate
		issuer string
	}
	level := []child{{s.leaf.Certificate, s.leaf.Issuer}}
	for depth := 0; depth < s.MaxDepth && len(level) > 0; depth++ {
		var next []child
		for _, one := range level {
			s.add(&s.foundRoots, s.choose(one.cert, s.rootsOf(one.issuer)))
			for _, found := range s.add(&s.foundIntermediates, s.choose(one.cert, s.issuers(one.issuer))) {
				next = append(next, child{found.cert, found.issuer})
			}
		}
		level = next
	}
}

// choose orders the candidates: first those whose key identifier is the child's, then those where
// one of the two has none, then the others. A search that is not wide takes the first of these
// kinds that occurs, as OpenSSL does, and of the others those that have a key of that kind: all
// certificates of a key can have signed the child, and each leads to chains of its own. The result
// may be the pool's own list and must not be changed.
func (s *search) choose(child *x509.Certificate, candidates []*candidate) []*candidate {
	switch {
	case len(candidates) == 0:
		return nil
	case len(candidates) == 1 && candidates[0].fault == certcheck.NoFault: // the usual case
		s.span.watch(candidates[0].cert, s.Skew)
		return candidates
	}
	var kinds [3][]*candidate
	for _, c := range candidates {
		s.span.watch(c.cert, s.Skew)
		if c.fault == certcheck.NoFault {
			kind := kinship(child, c.cert)
			kinds[kind] = append(kinds[kind], c)
		}
	}
	var chosen []*candidate
	for _, kind := range kinds {
		if len(chosen) > 0 && !s.wide {
			all := len(kind)
			kind = slices.DeleteFunc(kind, func(c *candidate) bool { return !sharesKey(c.cert, chosen) })
			s.passed = s.passed || len(kind) < all
		}
		// Certificates that are valid now come first; otherwise the order of the pool is kept.
		slices.SortStableFunc(kind, func(a, b *candidate) int { return s.staleness(a.cert) - s.staleness(b.cert) })
		chosen = append(chosen, kind...)
	}
	return chosen[:min(len(chosen), maxSameName)]
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
		if len(*to) >= maxCandidates || holds(*to, c.cert) {
			continue
		}
		*to = append(*to, c)
		added = append(added, c)
	}
	return added
}
