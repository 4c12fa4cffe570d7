package chainsearch

import (
	"bytes"
	"crypto/x509"
	"slices"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// maxAdmissionChecks bounds the signatures that one search verifies to admit presented CAs: for
// each of them, as many as the candidates that are tried for one child.
const maxAdmissionChecks = (MaxCertificates - 1) * maxSameName

// checkedSignatures counts the signatures that one search has verified to admit CAs, and remembers
// those that failed. They are not verified again, neither after another CA was admitted nor for
// another certificate with the same key.
type checkedSignatures struct {
	checks int
	failed []pair
}

// pair is a CA certificate and a key that has not signed it. A nil key means every key of the
// system's roots.
type pair struct {
	child *x509.Certificate
	key   []byte
}

// check reports whether the key has signed the child. Checks beyond the bound fail.
func (a *checkedSignatures) check(child *x509.Certificate, key []byte, signature func() error) bool {
	failed := func(p pair) bool { return p.child == child && bytes.Equal(p.key, key) }
	if a.checks >= maxAdmissionChecks || slices.ContainsFunc(a.failed, failed) {
		return false
	}
	a.checks++
	if signature() == nil {
		return true
	}
	a.failed = append(a.failed, pair{child, key})
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

// signerOf returns the CA that has signed the certificate with this DER, or nil.
func (a *Admissions) signerOf(der []byte) *x509.Certificate {
	if a == nil {
		return nil
	}
	for i := range a.last {
		if known := a.last[i].Load(); known != nil && known.der == string(der) {
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
// one, has signed. Otherwise an attacker could send nine CAs with the same name and key, and
// crypto/x509 would verify a hundred of their signatures before it finds no path to a root.
func (s *search) admit(presented []*x509.Certificate) {
	var left []*candidate
	for _, cert := range presented {
		if !cert.IsCA {
			continue
		}
		if c := newCandidate(cert); !holds(s.Intermediates.bySubject[c.name], cert) && !holds(s.rootsOf(c.name), cert) {
			s.span.watch(cert, s.Skew)
			c.signer.Store(s.admitted.signerOf(cert.Raw))
			left = append(left, c)
		}
	}
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
	roots, others := s.choose(child{cert: ca.cert}, s.rootsOf(ca.issuer), s.issuers(ca.issuer)) // in order, until one has signed it
	issuers := slices.Concat(roots, others)
	if slices.ContainsFunc(issuers, func(issuer *candidate) bool { return ca.signedBy(issuer.cert) }) {
		return true
	}
	for _, issuer := range issuers {
		if certcheck.CanHaveSigned(issuer.cert, ca.cert) && s.admission.check(ca.cert, issuer.cert.RawSubjectPublicKeyInfo, func() error { return ca.cert.CheckSignatureFrom(issuer.cert) }) {
			ca.signer.Store(issuer.cert)
			s.admitted.remember(ca.cert.Raw, issuer.cert)
			return true
		}
	}
	return s.System != nil && s.admission.check(ca.cert, nil, func() error {
		_, err := withoutConstraints(ca.cert).Verify(x509.VerifyOptions{
			Roots: s.System, Intermediates: x509.NewCertPool(), CurrentTime: s.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		return err
	})
}
