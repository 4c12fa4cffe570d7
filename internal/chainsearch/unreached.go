package chainsearch

import (
	"crypto/x509"
	"maps"
	"slices"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// maxUnreachedChecks bounds the number of signature checks for one set: a hundred CAs of one name and
// as many roots of that name would need ten thousand.
const maxUnreachedChecks = 2000

// Unreached returns the CAs of the set that chain to none of the roots, by signatures and regardless
// of dates. A CA that would take too many signature checks is not among them.
func (p *Pool) Unreached(roots []*x509.Certificate) []*x509.Certificate {
	open := map[string][]*x509.Certificate{} // by the key of the issuer's name
	for _, cert := range p.certs {
		issuer := nameKey(cert.RawIssuer)
		open[issuer] = append(open[issuer], cert)
	}
	checks := 0
	for reached := slices.Clone(roots); len(reached) > 0; {
		parent := reached[0]
		reached = reached[1:]
		subject := nameKey(parent.RawSubject)
		open[subject] = slices.DeleteFunc(open[subject], func(child *x509.Certificate) bool {
			if checks++; checks > maxUnreachedChecks {
				return true // not known, so do not report it
			}
			if !certcheck.CanHaveSigned(parent, child) || child.CheckSignatureFrom(parent) != nil {
				return false
			}
			reached = append(reached, child)
			return true
		})
	}
	var unreached []*x509.Certificate
	for _, issuer := range slices.Sorted(maps.Keys(open)) {
		unreached = append(unreached, open[issuer]...)
	}
	return unreached
}
