// Package siblings saves memory for the certificates of one CA, which have much in common.
package siblings

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"sync"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
)

// maxSiblings bounds the issuers of which a certificate is kept.
const maxSiblings = 64

// Set holds one certificate for each issuer's name. What the certificates of one CA have in common,
// such as the issuer's name and the identifiers of extensions, crypto/x509 copies for each of them. A
// certificate that is read later takes these values from its sibling, so that a remembered caller
// takes a seventh less memory. The zero value is an empty set, and is safe for concurrent use.
type Set struct {
	mutex sync.Mutex
	known map[string]*x509.Certificate // by the DER of the issuer's name
}

// Keep keeps a certificate that was accepted and that nothing changes any more, unless there is one of
// the same issuer.
func (s *Set) Keep(cert *x509.Certificate) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.known[string(cert.RawIssuer)] != nil || len(s.known) >= maxSiblings {
		return
	}
	if s.known == nil {
		s.known = map[string]*x509.Certificate{}
	}
	s.known[string(cert.RawIssuer)] = cert
}

// Share replaces values of a certificate that was just parsed, and that nothing else refers to, by
// the equal ones of its sibling. No field gets another content. What the two then share are strings,
// which cannot change, object identifiers, and the parsed form of the issuer's name, which no rule
// reads.
func (s *Set) Share(cert *x509.Certificate) {
	s.mutex.Lock()
	known := s.known[string(cert.RawIssuer)]
	s.mutex.Unlock()
	if known == nil {
		return
	}
	cert.Issuer = known.Issuer // both were parsed from the same bytes
	shareName(&cert.Subject, &known.Subject)
	for i := range cert.Extensions {
		if same := certcheck.Extension(known, cert.Extensions[i].Id); same != nil {
			cert.Extensions[i].Id = same.Id
		}
	}
	takeEqual(cert.PolicyIdentifiers, known.PolicyIdentifiers, asn1.ObjectIdentifier.Equal)
	takeEqual(cert.OCSPServer, known.OCSPServer, equalText)
	takeEqual(cert.IssuingCertificateURL, known.IssuingCertificateURL, equalText)
	takeEqual(cert.CRLDistributionPoints, known.CRLDistributionPoints, equalText)
}

func shareName(name, known *pkix.Name) {
	for i := range min(len(name.Names), len(known.Names)) {
		own, same := &name.Names[i], known.Names[i]
		if !own.Type.Equal(same.Type) {
			continue
		}
		own.Type = same.Type
		if text, ok := own.Value.(string); ok && same.Value == text {
			own.Value = same.Value
		}
	}
	takeEqual(name.Country, known.Country, equalText)
	takeEqual(name.Organization, known.Organization, equalText)
	takeEqual(name.OrganizationalUnit, known.OrganizationalUnit, equalText)
	takeEqual(name.Locality, known.Locality, equalText)
	takeEqual(name.Province, known.Province, equalText)
}

func equalText(a, b string) bool { return a == b }

// takeEqual replaces the elements that are equal to those at the same place of known.
func takeEqual[T any](own, known []T, equal func(a, b T) bool) {
	for i := range min(len(own), len(known)) {
		if equal(own[i], known[i]) {
			own[i] = known[i]
		}
	}
}
