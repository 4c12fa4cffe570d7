package chainsearch

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// candidate is a CA certificate that can be part of a chain.
//
// crypto/x509 compares issuer and subject byte for byte, refuses name constraints that it does not
// support, and uses the same name with the same key several times in a chain if only some of its
// certificates have alternative names. It therefore receives a view: a copy of the certificate in
// which the names are replaced by their keys, so that names which are equal by RFC 5280, section
// 7.1, are equal bytes. The view has no alternative names, no name constraints, no path length and no
// dates; the latter three are checked here when a chain is found. Signature, signed bytes, key, usages
// and policies are those of the certificate. No view leaves the search: chains are translated back.
type candidate struct {
	cert         *x509.Certificate
	name, issuer string // keys of subject and issuer
	view         *x509.Certificate
	fault        certcheck.Fault // the reason that it may not issue, or NoFault

	alone  atomic.Pointer[x509.CertPool]    // of this view alone; nil until needed
	signer atomic.Pointer[x509.Certificate] // the CA whose key is known to have signed it, or nil

	self       sync.Once // guards selfSigned, which is computed when needed
	selfSigned bool
}

// isSelfSigned reports whether the certificate's own key has signed it. Below a root such a
// certificate leads nowhere, because its issuer would have its name and its key, which do not occur
// twice in a chain. crypto/x509 does not know that, and gives up after a hundred signatures.
func (c *candidate) isSelfSigned() bool {
	if c.name != c.issuer {
		return false
	}
	c.self.Do(func() {
		if c.signer.Load() != nil {
			c.selfSigned = c.signedBy(c.cert)
			return
		}
		// CheckSignatureFrom would depend on the key usage, which the answer above does not.
		c.selfSigned = certcheck.CanHaveSigned(c.cert, c.cert) && c.cert.CheckSignature(c.cert.SignatureAlgorithm, c.cert.RawTBSCertificate, c.cert.Signature) == nil
	})
	return c.selfSigned
}

func newCandidate(cert *x509.Certificate) *candidate {
	c := &candidate{cert: cert, name: nameKey(cert.RawSubject), issuer: nameKey(cert.RawIssuer), fault: certcheck.FaultOfCA(cert)}
	c.view = withoutConstraints(cert)
	c.view.RawSubject, c.view.RawIssuer = []byte(c.name), []byte(c.issuer)
	c.view.Extensions = without(c.view.Extensions, san.OID)
	c.view.MaxPathLen = -1
	c.view.NotBefore, c.view.NotAfter = time.Time{}, EndOfTime
	return c
}

// nameKey returns the key of a distinguished name in DER: two names have the same key only if they
// are equal by RFC 5280, section 7.1. A name that cannot be parsed, or is too long, equals only itself.
func nameKey(der []byte) string {
	folded, err := dn.Fold(der)
	if err != nil {
		sum := sha256.Sum256(der)
		return "=" + string(sum[:])
	}
	return "~" + folded
}

// withoutConstraints returns a copy of a CA certificate without its name constraints. Every other
// critical extension that crypto/x509 does not know stays in it.
func withoutConstraints(cert *x509.Certificate) *x509.Certificate {
	view := *cert
	view.PermittedDNSDomainsCritical = false
	view.PermittedDNSDomains, view.ExcludedDNSDomains = nil, nil
	view.PermittedIPRanges, view.ExcludedIPRanges = nil, nil
	view.PermittedEmailAddresses, view.ExcludedEmailAddresses = nil, nil
	view.PermittedURIDomains, view.ExcludedURIDomains = nil, nil
	view.Extensions = without(cert.Extensions, nameconstraints.OID)
	view.UnhandledCriticalExtensions = slices.DeleteFunc(slices.Clone(cert.UnhandledCriticalExtensions), nameconstraints.OID.Equal)
	return &view
}

// without returns a copy of the extensions that lacks one.
func without(extensions []pkix.Extension, id asn1.ObjectIdentifier) []pkix.Extension {
	return slices.DeleteFunc(slices.Clone(extensions), func(e pkix.Extension) bool { return e.Id.Equal(id) })
}

// leafView returns the view of the leaf, which has the key of the issuer's name in place of the name, and
// no dates. It has no name of its own, because crypto/x509 does not find chains through a CA with the leaf's name
// and key. Such a chain refuses the leaf.
func (s *search) leafView() *x509.Certificate {
	view := *s.leaf.Certificate
	view.UnhandledCriticalExtensions = certcheck.UnhandledExtensions(s.leaf.Certificate)
	view.RawSubject = nil
	if s.System == nil {
		view.RawIssuer = []byte(s.leaf.Issuer)
		view.NotBefore, view.NotAfter = time.Time{}, EndOfTime
	}
	return &view
}

func sharesKey(cert *x509.Certificate, list []*candidate) bool {
	return slices.ContainsFunc(list, func(c *candidate) bool {
		return bytes.Equal(c.cert.RawSubjectPublicKeyInfo, cert.RawSubjectPublicKeyInfo)
	})
}

// views returns a pool of the candidates' views, and remembers which candidate each belongs to.
func (s *search) views(list []*candidate) *x509.CertPool {
	if len(list) == 1 && s.System == nil {
		only := list[0]
		s.shown[only.view] = only
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
		view := c.view
		if s.System != nil { // of which there are no views, so names are compared byte for byte
			view = withoutConstraints(c.cert)
		}
		s.shown[view] = c
		pool.AddCert(view)
	}
	return pool
}

// originals translates chains of views. Under the system's roots, a certificate that is not a view
// is one of them; otherwise its chain is dropped.
func (s *search) originals(leaf *x509.Certificate, chains [][]*x509.Certificate) [][]*x509.Certificate {
	var all [][]*x509.Certificate
	for _, views := range chains {
		chain := []*x509.Certificate{leaf}
		for _, view := range views[1:] {
			if c := s.shown[view]; c != nil {
				chain = append(chain, c.cert)
			} else if s.System != nil {
				chain = append(chain, view)
			}
		}
		if len(chain) == len(views) {
			all = append(all, chain)
		}
	}
	return all
}
