package certauth

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// candidate is a CA certificate that can stand in a chain.
//
// crypto/x509 compares issuer and subject byte for byte, refuses name constraints that it
// does not read, and goes through a name with one key again and again if only some of its
// certificates have alternative names. It is therefore shown a view: a copy of the certificate
// with the keys of its names for names, so that those which RFC 5280, section 7.1, holds for
// equal are, without alternative names, and without name constraints, which are judged here
// when a chain is found. Signature, signed bytes, key, dates, basic constraints, usages and
// policies are those of the certificate. Nothing of a view is handed out: chains are translated
// back.
type candidate struct {
	cert         *x509.Certificate
	name, issuer string // keys of subject and issuer
	view         *x509.Certificate
	fault        fault // why it may issue nothing

	alone  atomic.Pointer[x509.CertPool]    // of this view alone, once that was asked for
	signer atomic.Pointer[x509.Certificate] // whose key is known to have signed it, or nil
}

func newCandidate(cert *x509.Certificate, keyOf func([]byte) string) *candidate {
	c := &candidate{cert: cert, name: keyOf(cert.RawSubject), issuer: keyOf(cert.RawIssuer), fault: faultOfCA(cert)}
	c.view = withoutConstraints(cert)
	c.view.RawSubject, c.view.RawIssuer = []byte(c.name), []byte(c.issuer)
	c.view.Extensions = without(c.view.Extensions, oidSubjectAltName)
	return c
}

// nameKey returns a key of a distinguished name in DER: two names have the same only if
// RFC 5280, section 7.1, holds them for equal. A name that cannot be read equals itself.
func nameKey(der []byte) string {
	folded, err := dn.Fold(der)
	if err != nil {
		return "=" + string(der)
	}
	return "~" + folded
}

// withoutConstraints returns a copy of a CA certificate whose name constraints crypto/x509
// does not see. Every other critical extension that it does not know stays one.
func withoutConstraints(cert *x509.Certificate) *x509.Certificate {
	view := *cert
	view.PermittedDNSDomainsCritical = false
	view.PermittedDNSDomains, view.ExcludedDNSDomains = nil, nil
	view.PermittedIPRanges, view.ExcludedIPRanges = nil, nil
	view.PermittedEmailAddresses, view.ExcludedEmailAddresses = nil, nil
	view.PermittedURIDomains, view.ExcludedURIDomains = nil, nil
	view.Extensions = without(cert.Extensions, oidNameConstraints)
	view.UnhandledCriticalExtensions = nil
	for _, id := range cert.UnhandledCriticalExtensions {
		if !id.Equal(oidNameConstraints) {
			view.UnhandledCriticalExtensions = append(view.UnhandledCriticalExtensions, id)
		}
	}
	return &view
}

// without returns a copy of the extensions that lacks one.
func without(extensions []pkix.Extension, id asn1.ObjectIdentifier) []pkix.Extension {
	return slices.DeleteFunc(slices.Clone(extensions), func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// shown is a view with whose it is.
type shown struct {
	view *x509.Certificate
	of   *candidate
}

// leafView is what crypto/x509 sees of a leaf: the key of its issuer's name, and, where a CA has
// the same key, that of its own name and no alternative names, since a chain goes through no
// name with one key twice.
func (s *search) leafView() *x509.Certificate {
	view := *s.leaf
	view.UnhandledCriticalExtensions = unhandledExtensions(s.leaf)
	if s.system != nil {
		return &view
	}
	view.RawIssuer = []byte(s.issuer)
	if sharesKey(s.leaf, s.foundIntermediates) || sharesKey(s.leaf, s.foundRoots) {
		view.RawSubject = []byte(nameKey(s.leaf.RawSubject))
		view.Extensions = without(s.leaf.Extensions, oidSubjectAltName)
	}
	return &view
}

func sharesKey(cert *x509.Certificate, list []*candidate) bool {
	return slices.ContainsFunc(list, func(c *candidate) bool {
		return bytes.Equal(c.cert.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
	})
}

// viewOf is what crypto/x509 sees of a candidate. The system's roots are not ours to make
// views of: under them names are compared as they stand.
func (s *search) viewOf(c *candidate) *x509.Certificate {
	if s.system == nil {
		return c.view
	}
	return withoutConstraints(c.cert)
}

// views collects the candidates for crypto/x509, and remembers whose views they are.
func (s *search) views(list []*candidate) *x509.CertPool {
	if len(list) == 1 && s.system == nil {
		only := list[0]
		s.shown = append(s.shown, shown{only.view, only})
		if pool := only.alone.Load(); pool != nil {
			return pool
		}
		pool := x509.NewCertPool()
		pool.AddCert(only.view)
		only.alone.Store(pool)
		return pool
	}
	pool := x509.NewCertPool()
	for _, c := range list {
		view := s.viewOf(c)
		s.shown = append(s.shown, shown{view, c})
		pool.AddCert(view)
	}
	return pool
}

// originals translates chains of views. A certificate that is nobody's view is one of the
// system's roots, or the chain is dropped.
func (s *search) originals(leaf *x509.Certificate, chains [][]*x509.Certificate) [][]*x509.Certificate {
	var all [][]*x509.Certificate
	for _, views := range chains {
		chain := []*x509.Certificate{leaf}
		for _, view := range views[1:] {
			chain = append(chain, s.originalOf(view))
		}
		if !slices.Contains(chain, nil) {
			all = append(all, chain)
		}
	}
	return all
}

func (s *search) originalOf(view *x509.Certificate) *x509.Certificate {
	if c := s.candidateOf(view); c != nil {
		return c.cert
	}
	if s.system != nil {
		return view
	}
	return nil
}

func (s *search) candidateOf(view *x509.Certificate) *candidate {
	for _, one := range s.shown {
		if one.view == view {
			return one.of
		}
	}
	return nil
}
