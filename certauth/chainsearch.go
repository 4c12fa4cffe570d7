package certauth

import (
	"bytes"
	"crypto/x509"
	"slices"
	"time"
)

const (
	// maxSameName bounds how many candidates of one subject are tried for one child.
	maxSameName = 8
	// maxCandidates bounds the candidates of one search.
	maxCandidates = 32
)

// search walks upwards from a leaf and collects the few CA certificates that can be
// part of its chain. crypto/x509 would try the signature of every CA of a name: with a
// hundred re-keyed CAs, a hundred signatures for each request.
type search struct {
	roots         *caPool        // nil with the system's roots
	system        *x509.CertPool // instead
	intermediates *caPool
	presented     []*candidate
	depth         int
	now           time.Time
	skew          time.Duration
	span          span // in which this search would find the same

	// wide says that candidates with another key and another key identifier than the child
	// names are tried as well. Identifiers say where to look first, signatures decide.
	wide   bool
	passed bool // over a candidate that a wide search would try

	leaf   *x509.Certificate
	issuer string // the key of its issuer's name

	foundRoots         []*candidate
	foundIntermediates []*candidate
	shown              []shown           // to crypto/x509
	dated              *x509.Certificate // the one whose dates refuse, if that is why
	admission          checkedSignatures
	admitted           *admissions // by earlier searches; nil if nothing is remembered
}

// rootsOf are the roots of the name that the child asks for.
func (s *search) rootsOf(issuer string) []*candidate {
	if s.roots == nil {
		return nil
	}
	return s.roots.bySubject[issuer]
}

// issuers are the intermediate CAs of that name.
func (s *search) issuers(issuer string) []*candidate {
	issuers := s.intermediates.bySubject[issuer]
	for _, c := range s.presented {
		if c.name == issuer {
			issuers = append(issuers[:len(issuers):len(issuers)], c)
		}
	}
	return issuers
}

// skewThatMatters is the skew if a CA that was found is outside its validity now by no more
// than that: only then can another moment help.
func (s *search) skewThatMatters() time.Duration {
	if s.skew == 0 {
		return 0
	}
	for _, c := range slices.Concat(s.foundIntermediates, s.foundRoots) {
		if s.staleness(c.cert) > 0 && !outside(c.cert, s.now, s.skew) {
			return s.skew
		}
	}
	if s.system != nil {
		return s.skew
	}
	return 0
}

// keyOf is nameKey of a name that is probably spelled as one that is known.
func (s *search) keyOf(name []byte) string {
	if s.leaf != nil && bytes.Equal(name, s.leaf.RawIssuer) {
		return s.issuer
	}
	if key, ok := s.intermediates.spelled[string(name)]; ok {
		return key
	}
	if s.roots != nil {
		if key, ok := s.roots.spelled[string(name)]; ok {
			return key
		}
	}
	return nameKey(name)
}

// run collects anew.
func (s *search) run() {
	s.foundRoots, s.foundIntermediates, s.passed = nil, nil, false
	type child struct {
		cert   *x509.Certificate
		issuer string
	}
	level := []child{{s.leaf, s.issuer}}
	for depth := 0; depth < s.depth && len(level) > 0; depth++ {
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

// choose orders the candidates: those whose key identifier the child names, then those
// where one of the two names none, then the others. A search that is not wide takes the
// first kind that there is, as OpenSSL does, and of the others those that have a key of that
// kind: what one certificate of a key has signed, each of them has, and each leads to chains
// of its own. The result may be the list of the pool: it is only read.
func (s *search) choose(child *x509.Certificate, candidates []*candidate) []*candidate {
	switch {
	case len(candidates) == 0:
		return nil
	case len(candidates) == 1 && candidates[0].fault == noFault: // as usual
		s.span.watch(candidates[0].cert, s.skew)
		return candidates
	}
	var kinds [3][]*candidate
	for _, c := range candidates {
		s.span.watch(c.cert, s.skew)
		if c.fault == noFault {
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
		// Those valid now come first; within that the order of the pool stays.
		slices.SortStableFunc(kind, func(a, b *candidate) int { return s.staleness(a.cert) - s.staleness(b.cert) })
		chosen = append(chosen, kind...)
	}
	return chosen[:min(len(chosen), maxSameName)]
}

// kinship is 0 if the child names the candidate's key identifier, 1 if one of them has none,
// and 2 if they differ: two methods of making one are in use (RFC 7093), so that this says
// little.
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
	if s.now.Before(cert.NotBefore) || s.now.After(cert.NotAfter) {
		return 1
	}
	return 0
}

// add appends what is new, within the bound, and returns it.
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
