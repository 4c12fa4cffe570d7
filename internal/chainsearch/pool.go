package chainsearch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
)

// Pool is an immutable set of CA certificates with an index by the key of the subject.
type Pool struct {
	Origin string // names the source of the certificates in texts

	certs     []*x509.Certificate
	bySubject map[string][]*candidate
	spelled   map[string]string // keys of the subjects by their DER, so that most names need no folding
}

// NewPool returns the set of these certificates. A certificate that is not that of a CA, or has a key
// that may not be used, is an error, as is an empty list.
func NewPool(certs []*x509.Certificate, origin string) (Pool, error) {
	pool := Pool{Origin: origin, bySubject: map[string][]*candidate{}, spelled: map[string]string{}}
	var mistakes []error
	for i, cert := range certs {
		if !cert.BasicConstraintsValid || !cert.IsCA {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s) is not a CA certificate; to trust that certificate alone, pin it", i, dn.Quote(cert.RawSubject)))
			continue
		}
		if err := keycheck.Check(cert); err != nil {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s): %w", i, dn.Quote(cert.RawSubject), err))
			continue
		}
		made := newCandidate(cert)
		if holds(pool.bySubject[made.name], cert) {
			continue
		}
		pool.certs = append(pool.certs, cert)
		pool.bySubject[made.name] = append(pool.bySubject[made.name], made)
		pool.spelled[string(cert.RawSubject)] = made.name
	}
	if len(pool.certs) == 0 && len(mistakes) == 0 {
		mistakes = append(mistakes, errors.New("no certificate"))
	}
	for _, same := range pool.bySubject {
		slices.SortStableFunc(same, func(a, b *candidate) int { return b.cert.NotBefore.Compare(a.cert.NotBefore) })
	}
	return pool, errors.Join(mistakes...)
}

// Contains reports whether the set has this certificate.
func (p *Pool) Contains(cert *x509.Certificate) bool {
	return holds(p.bySubject[p.spelled[string(cert.RawSubject)]], cert)
}

// Certificates returns the certificates of the set, and none for nil.
func (p *Pool) Certificates() []*x509.Certificate {
	if p == nil {
		return nil
	}
	return p.certs
}

func holds(list []*candidate, cert *x509.Certificate) bool {
	return slices.ContainsFunc(list, func(c *candidate) bool { return c.cert.Equal(cert) })
}

// CAs are the configured CAs of a search.
type CAs struct {
	Roots         *Pool // nil with the system's roots
	Intermediates *Pool
}

// KeyOf returns a key of a distinguished name in DER: two names have the same key only if they are
// equal by RFC 5280, section 7.1. A name that is written as in one of the CAs costs a look-up.
func (c CAs) KeyOf(name []byte) string {
	if key, ok := c.Intermediates.spelled[string(name)]; ok {
		return key
	}
	if c.Roots != nil {
		if key, ok := c.Roots.spelled[string(name)]; ok {
			return key
		}
	}
	return nameKey(name)
}

// Have reports whether a CA has the name with this key.
func (c CAs) Have(key string) bool {
	return c.Roots != nil && c.Roots.bySubject[key] != nil || c.Intermediates.bySubject[key] != nil
}
