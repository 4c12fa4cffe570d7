package chainsearch

import (
	"crypto/x509"
	"slices"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// maxAdmissionChecks bounds the signatures that one search verifies to admit presented CAs: for each of
// the nine that there can be, as many as eight keys.
const maxAdmissionChecks = 72

// signatures counts those that were verified, and remembers those that failed. They are not verified
// again, neither after another CA was admitted nor for another certificate with the same key.
type signatures struct {
	made, most int
	failed     []pair
}

// pair is a certificate and one with a key that has not signed it. Nil means the system's roots.
type pair struct{ child, ca *x509.Certificate }

// signer returns the first of the CAs whose key has signed the child, or nil.
func (s *signatures) signer(child *candidate, cas []*candidate) *x509.Certificate {
	for _, ca := range cas {
		if certcheck.CanHaveSigned(ca.cert, child.cert) && s.holds(pair{child.cert, ca.cert}, func() bool { return child.verify(ca.cert) == nil }) {
			return ca.cert
		}
	}
	return nil
}

// holds verifies a signature. Those beyond the bound fail.
func (s *signatures) holds(p pair, verify func() bool) bool {
	failed := func(f pair) bool {
		return f.child == p.child && (f.ca == p.ca || f.ca != nil && p.ca != nil && haveSameKey(f.ca, p.ca))
	}
	if s.made >= s.most || slices.ContainsFunc(s.failed, failed) {
		return false
	}
	s.made++
	if verify() {
		return true
	}
	s.failed = append(s.failed, p)
	return false
}

// Admissions remembers the CAs that were sent along and admitted recently, with their signers, so
// that admitting them again costs no signature. Every CA in it was signed by a configured CA, or by
// another CA that was admitted.
type Admissions struct {
	last [32]atomic.Pointer[admission]
	next atomic.Uint32
}

type admission struct {
	der    string
	signer *x509.Certificate
}

// signerOf returns one of the CAs if it is known to have signed the certificate, or nil.
func (a *Admissions) signerOf(cert *x509.Certificate, cas []*candidate) *x509.Certificate {
	if a == nil {
		return nil
	}
	for i := range a.last {
		known := a.last[i].Load()
		if known != nil && known.der == string(cert.Raw) && slices.ContainsFunc(cas, func(ca *candidate) bool { return haveSameKey(ca.cert, known.signer) }) {
			return known.signer
		}
	}
	return nil
}

func (a *Admissions) remember(der []byte, signer *x509.Certificate) {
	if a != nil {
		at := a.next.Add(1) % uint32(len(a.last))
		a.last[at].Store(&admission{string(der), signer})
	}
}

// admit makes those presented CA certificates candidates that a configured CA, or another admitted
// one, has signed. No others can be part of a chain.
func (s *search) admit(presented []*x509.Certificate) {
	var left []*candidate
	for _, cert := range presented {
		if !cert.IsCA {
			continue
		}
		c := newCandidate(cert)
		if roots, others, _ := s.named(c.name); !holds(others, cert) && !holds(roots, cert) && !holds(left, cert) {
			c.arrived = true
			left = append(left, c)
		}
	}
	s.admission.most = maxAdmissionChecks
	for again := true; again; {
		again = false
		left = slices.DeleteFunc(left, func(c *candidate) bool {
			if !s.certified(c) {
				return false
			}
			s.presented = append(s.presented, c)
			again = true
			return true
		})
	}
}

func (s *search) certified(ca *candidate) bool {
	issuers := byKinship(ca.cert, slices.Concat(s.named(ca.issuer)))
	if ca.signer = s.admitted.signerOf(ca.cert, issuers); ca.signer != nil {
		return true
	}
	if ca.signer = s.admission.signer(ca, issuers); ca.signer != nil {
		s.admitted.remember(ca.cert.Raw, ca.signer)
		return true
	}
	return s.System != nil && s.admission.holds(pair{child: ca.cert}, func() bool { return len(s.systemRoots(ca)) > 0 })
}
