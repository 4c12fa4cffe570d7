package certauth

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	// maxSameName bounds how many candidates of one subject are tried for one child.
	maxSameName = 8
	// maxCandidates bounds the candidates of one search.
	maxCandidates = 32
)

// caPool is an immutable set of CA certificates with an index by subject.
type caPool struct {
	certs     []*x509.Certificate
	bySubject map[string][]*x509.Certificate
	origin    string
	alone     *sync.Map // *x509.Certificate to the *x509.CertPool of it alone, where that was asked for
}

// poolOf returns the certificates for crypto/x509. The usual case is one of this pool; that
// is made once.
func (p *caPool) poolOf(certs []*x509.Certificate) *x509.CertPool {
	if p == nil || p.alone == nil || len(certs) != 1 || !p.holds(certs[0]) {
		return poolOf(certs)
	}
	if made, ok := p.alone.Load(certs[0]); ok {
		if pool, ok := made.(*x509.CertPool); ok {
			return pool
		}
	}
	pool := poolOf(certs)
	p.alone.Store(certs[0], pool)
	return pool
}

// holds reports whether this very certificate, not a copy, is one of the pool.
func (p *caPool) holds(cert *x509.Certificate) bool {
	for _, own := range p.bySubject[string(cert.RawSubject)] {
		if own == cert {
			return true
		}
	}
	return false
}

func newCAPool(certs []*x509.Certificate, origin string) (caPool, error) {
	pool := caPool{bySubject: map[string][]*x509.Certificate{}, origin: origin, alone: &sync.Map{}}
	var mistakes []error
	for i, cert := range certs {
		if !cert.BasicConstraintsValid || !cert.IsCA {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s) is not a CA certificate; to trust one certificate as it is, pin it", i, quote(nameOf(cert.RawSubject))))
			continue
		}
		if err := checkKey(cert); err != nil {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s): %w", i, quote(nameOf(cert.RawSubject)), err))
			continue
		}
		if pool.contains(cert) {
			continue
		}
		pool.certs = append(pool.certs, cert)
		subject := string(cert.RawSubject)
		pool.bySubject[subject] = append(pool.bySubject[subject], cert)
	}
	if len(pool.certs) == 0 && len(mistakes) == 0 {
		mistakes = append(mistakes, errors.New("no certificate"))
	}
	for _, same := range pool.bySubject {
		slices.SortStableFunc(same, func(a, b *x509.Certificate) int { return b.NotBefore.Compare(a.NotBefore) })
	}
	return pool, errors.Join(mistakes...)
}

func (p *caPool) contains(cert *x509.Certificate) bool {
	return slices.ContainsFunc(p.bySubject[string(cert.RawSubject)], cert.Equal)
}

func (p *caPool) describe(out *printer, kind string) {
	const most = 8
	for i, cert := range p.certs {
		if i == most {
			out.line("and %d more", len(p.certs)-most)
			break
		}
		out.line("%s: %s until %s (%s)", kind, quote(nameOf(cert.RawSubject)), cert.NotAfter.UTC().Format(time.DateOnly), p.origin)
	}
}

// search walks upwards from a leaf and collects the few CA certificates that can be
// part of its chain. crypto/x509 would try the signature of every CA of a name: with a
// hundred re-keyed CAs, a hundred signatures for each request.
type search struct {
	roots         *caPool        // nil with the system's roots
	system        *x509.CertPool // instead
	intermediates *caPool
	presented     []*x509.Certificate
	depth         int
	now           time.Time
	skew          time.Duration
	span          span // in which this search would find the same

	foundRoots         []*x509.Certificate
	foundIntermediates []*x509.Certificate
	sameNameOtherKey   bool
	dated              *x509.Certificate // the one whose dates refuse, if that is why
	admission          admission
}

// issuers are the intermediate CAs of the name that the child asks for.
func (s *search) issuers(child *x509.Certificate) []*x509.Certificate {
	issuers := s.intermediates.bySubject[string(child.RawIssuer)]
	for _, cert := range s.presented {
		if bytes.Equal(cert.RawSubject, child.RawIssuer) && cert.IsCA {
			issuers = append(issuers[:len(issuers):len(issuers)], cert)
		}
	}
	return issuers
}

// skewThatMatters is the skew if a CA that was found is outside its validity now: only
// then can another moment help.
func (s *search) skewThatMatters(skew time.Duration) time.Duration {
	for _, cert := range slices.Concat(s.foundIntermediates, s.foundRoots) {
		if s.staleness(cert) > 0 {
			return skew
		}
	}
	if s.system != nil {
		return skew
	}
	return 0
}

func (s *search) run(leaf *x509.Certificate) {
	level := []*x509.Certificate{leaf}
	for depth := 0; depth < s.depth && len(level) > 0; depth++ {
		var next []*x509.Certificate
		for _, child := range level {
			if s.roots != nil {
				s.add(&s.foundRoots, s.choose(child, s.roots.bySubject[string(child.RawIssuer)], depth))
			}
			next = append(next, s.add(&s.foundIntermediates, s.choose(child, s.issuers(child), depth))...)
		}
		level = next
	}
}

// choose keeps the candidates whose key identifier the child names; failing that, those
// that carry none, or all if the child names none. A candidate with another identifier
// is left out, as OpenSSL does.
func (s *search) choose(child *x509.Certificate, candidates []*x509.Certificate, depth int) []*x509.Certificate {
	var named, open []*x509.Certificate
	for _, candidate := range candidates {
		switch {
		case len(child.AuthorityKeyId) == 0 || len(candidate.SubjectKeyId) == 0:
			open = append(open, candidate)
		case bytes.Equal(child.AuthorityKeyId, candidate.SubjectKeyId):
			named = append(named, candidate)
		default:
			s.sameNameOtherKey = s.sameNameOtherKey || depth == 0
		}
	}
	if len(named) == 0 {
		named = open
	}
	for _, candidate := range named {
		s.span.watch(candidate, s.skew)
	}
	// Those valid now come first; within that the order of the pool stays.
	slices.SortStableFunc(named, func(a, b *x509.Certificate) int { return s.staleness(a) - s.staleness(b) })
	return named[:min(len(named), maxSameName)]
}

func (s *search) staleness(cert *x509.Certificate) int {
	if s.now.Before(cert.NotBefore) || s.now.After(cert.NotAfter) {
		return 1
	}
	return 0
}

// add appends what is new, within the bound, and returns it.
func (s *search) add(to *[]*x509.Certificate, candidates []*x509.Certificate) []*x509.Certificate {
	var added []*x509.Certificate
	for _, candidate := range candidates {
		if len(*to) >= maxCandidates || slices.ContainsFunc(*to, candidate.Equal) {
			continue
		}
		*to = append(*to, candidate)
		added = append(added, candidate)
	}
	return added
}

// onlyExpiredIssuers returns a configured issuer of the leaf that is outside its
// validity, if no issuer is within: then the date, not the signature, is what to tell the
// operator.
func (s *search) onlyExpiredIssuers(leaf *x509.Certificate, now time.Time) *x509.Certificate {
	var expired *x509.Certificate
	for _, cert := range slices.Concat(s.foundIntermediates, s.foundRoots) {
		if !bytes.Equal(cert.RawSubject, leaf.RawIssuer) {
			continue
		}
		if !now.Before(cert.NotBefore) && !now.After(cert.NotAfter) {
			return nil
		}
		configured := s.intermediates.contains(cert) || s.roots != nil && s.roots.contains(cert)
		if configured && leaf.CheckSignatureFrom(cert) == nil {
			expired = cert
		}
	}
	return expired
}

func poolOf(certs []*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}
