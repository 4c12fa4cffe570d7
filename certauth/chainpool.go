package certauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/keycheck"
)

// caPool is an immutable set of CA certificates with an index by the key of the subject.
type caPool struct {
	certs     []*x509.Certificate
	bySubject map[string][]*candidate
	spelled   map[string]string // keys of the subjects by their DER, so that most names need no folding
	origin    string
}

func newCAPool(certs []*x509.Certificate, origin string) (caPool, error) {
	pool := caPool{bySubject: map[string][]*candidate{}, spelled: map[string]string{}, origin: origin}
	var mistakes []error
	for i, cert := range certs {
		if !cert.BasicConstraintsValid || !cert.IsCA {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s) is not a CA certificate; to trust that certificate alone, pin it", i, quote(nameOf(cert.RawSubject))))
			continue
		}
		if err := keycheck.Check(cert); err != nil {
			mistakes = append(mistakes, fmt.Errorf("certificate %d (%s): %w", i, quote(nameOf(cert.RawSubject)), err))
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

func (p *caPool) contains(cert *x509.Certificate) bool {
	return holds(p.bySubject[p.spelled[string(cert.RawSubject)]], cert)
}

// all returns the certificates, and none of a pool that could not be loaded.
func (p *caPool) all() []*x509.Certificate {
	if p == nil {
		return nil
	}
	return p.certs
}

func holds(list []*candidate, cert *x509.Certificate) bool {
	return slices.ContainsFunc(list, func(c *candidate) bool { return c.cert.Equal(cert) })
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

// nameOf formats a DN for a log.
func nameOf(der []byte) string {
	name, err := dn.Parse(der)
	if err != nil {
		return "(unreadable name)"
	}
	return name.Brief(looked)
}
