package chainsearch

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// maxPolicySignatures bounds the signatures that are verified again for certificate policies.
const maxPolicySignatures = 100

// policiesHold lets crypto/x509 process the certificate policies of a chain, if there are any to process:
// without Chain.Policies every policy is acceptable, unless a certificate restricts or maps them.
//
// crypto/x509 gets views of the certificates, and verifies their signatures again. A view has no dates and
// no property that is checked elsewhere. Its names tell its place in the chain, so that crypto/x509 finds
// this chain only, and whether the certificate is self-issued, on which policies depend.
func (s *search) policiesHold(way []*candidate) bool {
	if s.Policies == "" && !slices.ContainsFunc(way, func(c *candidate) bool { return restrictsPolicies(c.cert) }) {
		return true
	}
	if s.policyWork += len(way) - 1; s.policyWork > maxPolicySignatures {
		return false
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for policy := range strings.FieldsSeq(s.Policies) {
		if id, err := x509.ParseOID(policy); err == nil { // New has checked it
			options.CertificatePolicies = append(options.CertificatePolicies, id)
		}
	}
	last := len(way) - 1
	name := []byte(strconv.Itoa(last))
	root := view(way[last].cert)
	root.RawSubject, root.RawIssuer = name, name
	options.Roots.AddCert(root)
	for i := last - 1; i > 0; i-- {
		ca := view(way[i].cert)
		ca.RawIssuer = name
		if way[i].name != way[i].issuer {
			name = []byte(strconv.Itoa(i))
		}
		ca.RawSubject = name
		options.Intermediates.AddCert(ca)
	}
	leaf := view(way[0].cert)
	leaf.RawSubject, leaf.RawIssuer = nil, name
	if s.Policies != "" { // has the effect of initial-explicit-policy, for which crypto/x509 has no option
		leaf.RequireExplicitPolicy, leaf.RequireExplicitPolicyZero = 0, true
	}
	_, err := leaf.Verify(options)
	return err == nil
}

// view returns a copy of a certificate without what is checked elsewhere: dates, usages, alternative
// names, and what limits the names and the number of certificates below.
func view(cert *x509.Certificate) *x509.Certificate {
	view := *cert
	view.NotBefore, view.NotAfter = time.Time{}, EndOfTime
	view.ExtKeyUsage, view.UnknownExtKeyUsage = nil, nil
	view.MaxPathLen = -1
	view.UnhandledCriticalExtensions = nil
	view.PermittedDNSDomainsCritical = false
	view.PermittedDNSDomains, view.ExcludedDNSDomains = nil, nil
	view.PermittedIPRanges, view.ExcludedIPRanges = nil, nil
	view.PermittedEmailAddresses, view.ExcludedEmailAddresses = nil, nil
	view.PermittedURIDomains, view.ExcludedURIDomains = nil, nil
	view.Extensions = slices.DeleteFunc(slices.Clone(cert.Extensions), func(e pkix.Extension) bool {
		return e.Id.Equal(san.OID) || e.Id.Equal(nameconstraints.OID)
	})
	return &view
}

// restrictsPolicies reports whether the certificate restricts or maps certificate policies, in
// addition to listing its own.
func restrictsPolicies(cert *x509.Certificate) bool {
	return cert.RequireExplicitPolicy > 0 || cert.RequireExplicitPolicyZero ||
		cert.InhibitPolicyMapping > 0 || cert.InhibitPolicyMappingZero ||
		cert.InhibitAnyPolicy > 0 || cert.InhibitAnyPolicyZero || len(cert.PolicyMappings) > 0
}
