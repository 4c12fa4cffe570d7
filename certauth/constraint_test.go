package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func network(t *testing.T, s string) *net.IPNet {
	t.Helper()
	_, parsed, err := net.ParseCIDR(s)
	require.NoError(t, err)
	return parsed
}

// san writes the alternative names of the client unchanged, for names that x509 would not write:
// tag and content of each GeneralName.
func san(t *testing.T, names ...asn1.RawValue) certauthtest.Template {
	t.Helper()
	for i := range names {
		names[i].Class = asn1.ClassContextSpecific
	}
	value, err := asn1.Marshal(names)
	require.NoError(t, err)
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: value})
	}
}

func subjectEmail(address string) certauthtest.Template {
	return func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{
			Type:  asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1},
			Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte(address)},
		}}
	}
}

// CVE-2024-45341, CVE-2025-61727, CVE-2026-27137, CVE-2026-33810 Go: name constraints enforced
// incorrectly. PKITS 4.13.24 and RFC 5280, section 4.2.1.10: an e-mail constraint that is a host
// permits only that host, which crypto/x509 reads as "and below".
func TestChain_NameConstraintVectors(t *testing.T) {
	permitDNS := func(names ...string) certauthtest.Template {
		return func(c *x509.Certificate) { c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, names }
	}
	excludeDNS := func(names ...string) certauthtest.Template {
		return func(c *x509.Certificate) { c.PermittedDNSDomainsCritical, c.ExcludedDNSDomains = true, names }
	}
	permitEmail := func(names ...string) certauthtest.Template {
		return func(c *x509.Certificate) { c.PermittedDNSDomainsCritical, c.PermittedEmailAddresses = true, names }
	}
	excludeEmail := func(names ...string) certauthtest.Template {
		return func(c *x509.Certificate) { c.PermittedDNSDomainsCritical, c.ExcludedEmailAddresses = true, names }
	}
	permitIP := func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{network(t, "10.0.0.0/8")} }
	excludeIP := func(c *x509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{network(t, "10.0.0.0/8")} }
	permitURI := func(c *x509.Certificate) { c.PermittedURIDomains = []string{"prod.example"} }
	directory := func(c *x509.Certificate) { // permitted directoryName CN=x
		value := []byte{0x30, 0x14, 0xA0, 0x12, 0x30, 0x10, 0xA4, 0x0E, 0x30, 0x0C, 0x31, 0x0A, 0x30, 0x08, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0C, 0x01, 'x'}
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 30}, Critical: true, Value: value}}
	}
	const refused, accepted = certauth.ReasonChainUntrusted, certauth.ReasonNone
	dns, email, ip := certauthtest.DNS, certauthtest.Email, certauthtest.IP
	for _, tc := range []struct {
		name       string
		constraint certauthtest.Template
		leaf       certauthtest.Template
		want       certauth.Reason
	}{
		{"permitted DNS: the domain itself", permitDNS("partner.example"), dns("partner.example"), accepted},
		{"permitted DNS: a host below", permitDNS("partner.example"), dns("a.b.partner.example"), accepted},
		{"permitted DNS: upper case", permitDNS("partner.example"), dns("A.PARTNER.EXAMPLE"), accepted},
		{"permitted DNS: a name that only ends alike", permitDNS("partner.example"), dns("evilpartner.example"), refused},
		{"permitted DNS: another domain", permitDNS("partner.example"), dns("partner.example", "evil.example"), refused},
		{"permitted DNS: the domain above", permitDNS("partner.example"), dns("example"), refused},
		{"permitted DNS: a name of another type is not constrained", permitDNS("partner.example"), email("a@evil.example"), accepted},
		{"excluded DNS: the domain itself", excludeDNS("evil.example"), dns("evil.example"), refused},
		{"excluded DNS: a host below, CVE-2024-45341", excludeDNS("evil.example"), dns("a.evil.example"), refused},
		{"excluded DNS: upper case, CVE-2026-33810", excludeDNS("evil.example"), dns("A.EVIL.EXAMPLE"), refused},
		{"excluded DNS: a wildcard over it, CVE-2025-61727", excludeDNS("a.evil.example"), dns("*.evil.example"), refused},
		{"excluded DNS: an upper-case wildcard over it, CVE-2026-33810", excludeDNS("a.evil.example"), dns("*.EVIL.example"), refused},
		{"excluded DNS: another domain", excludeDNS("evil.example"), dns("good.example"), accepted},
		{"excluded within permitted", func(c *x509.Certificate) { permitDNS("example")(c); excludeDNS("evil.example")(c) }, dns("a.evil.example"), refused},

		{"e-mail host: a mailbox of that host", permitEmail("partner.example"), email("a@partner.example"), accepted},
		{"e-mail host: upper case", permitEmail("partner.example"), email("a@PARTNER.EXAMPLE"), accepted},
		{"e-mail host: a mailbox of a host below", permitEmail("partner.example"), email("a@mail.partner.example"), refused},
		{"e-mail host: another host", permitEmail("partner.example"), email("a@evil.example"), refused},
		{"e-mail host: one good, one bad", permitEmail("partner.example"), email("a@partner.example", "b@mail.partner.example"), refused},
		{"e-mail domain: a host below", permitEmail(".partner.example"), email("a@mail.partner.example"), accepted},
		{"e-mail domain: two labels below", permitEmail(".partner.example"), email("a@x.mail.partner.example"), accepted},
		{"e-mail domain: the domain itself", permitEmail(".partner.example"), email("a@partner.example"), refused},
		{"e-mail mailbox: that mailbox", permitEmail("a@partner.example"), email("a@partner.example"), accepted},
		{"e-mail mailbox: the host's case does not count", permitEmail("a@partner.example"), email("a@Partner.Example"), accepted},
		{"e-mail mailbox: the local part's case counts", permitEmail("a@partner.example"), email("A@partner.example"), refused},
		{"e-mail mailbox: another mailbox", permitEmail("a@partner.example"), email("b@partner.example"), refused},
		{"two e-mail constraints: the second fits", permitEmail("one.example", ".partner.example"), email("a@mail.partner.example"), accepted},
		{"e-mail in the subject: that host", permitEmail("partner.example"), subjectEmail("a@partner.example"), accepted},
		{"e-mail in the subject: a host below", permitEmail("partner.example"), subjectEmail("a@mail.partner.example"), refused},
		{"e-mail in the subject: not a mailbox", permitEmail("partner.example"), subjectEmail("a@b@partner.example"), refused},
		{"e-mail constraint, and a certificate without an address", permitEmail("partner.example"), dns("a.example"), accepted},
		{"excluded e-mail host", excludeEmail("evil.example"), email("a@evil.example"), refused},
		{"excluded e-mail host, CVE-2026-27137: behind a permitted one", excludeEmail("a@one.example", "evil.example"), email("x@evil.example"), refused},
		{"excluded e-mail domain", excludeEmail(".evil.example"), email("a@mail.evil.example"), refused},
		{"excluded mailbox", excludeEmail("a@evil.example"), email("a@evil.example"), refused},
		{"excluded mailbox, its neighbour", excludeEmail("a@evil.example"), email("b@evil.example"), accepted},
		{"excluded e-mail host, address in the subject", excludeEmail("evil.example"), subjectEmail("a@evil.example"), refused},
		{"excluded mailbox, address in the subject", excludeEmail("a@evil.example"), subjectEmail("a@EVIL.example"), refused},
		{"excluded e-mail host, another in the subject", excludeEmail("evil.example"), subjectEmail("a@good.example"), accepted},

		{"permitted IP: within", permitIP, ip("10.1.2.3"), accepted},
		{"permitted IP: outside", permitIP, ip("11.1.2.3"), refused},
		{"permitted IP: an IPv6 address", permitIP, ip("2001:db8::1"), refused},
		{"excluded IP: within", excludeIP, ip("10.1.2.3"), refused},
		{"excluded IP: outside", excludeIP, ip("11.1.2.3"), accepted},

		{"permitted URI host", permitURI, certauthtest.URI(t, "spiffe://prod.example/a"), accepted},
		{"another URI host", permitURI, certauthtest.URI(t, "spiffe://test.example/a"), refused},
		{"a constraint on directory names, which nobody checks", directory, dns("a.example"), refused},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := certauthtest.NewCA(t, "Root")
			constrained := root.NewIntermediate(t, "Constrained CA", tc.constraint)
			below := constrained.NewIntermediate(t, "CA below")
			policy := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(constrained, below)}
			_, err := judge(t, policy, constrained.Issue(t, "client", tc.leaf).Certificate)
			assert.Equal(t, tc.want, reasonOf(err), "directly below: %v", err)
			_, err = judge(t, policy, below.Issue(t, "client", tc.leaf).Certificate)
			assert.Equal(t, tc.want, reasonOf(err), "one CA further down: %v", err)
		})
	}
}

// A name that crypto/x509 lets through must not reach a rule on names: an IPv4 address of 16 bytes
// evades a constraint on IPv4 addresses, so no rule may treat it as one.
//
// finding N13: crypto/x509 of Go 1.27 reads no such certificate, so nothing evades the constraint.
func TestChain_MappedAddressDoesNotEvadeAConstraint(t *testing.T) {
	if !onGo126() {
		t.Skip("since Go 1.27 crypto/x509 reads no certificate with a mapped address")
	}
	mapped := san(t, asn1.RawValue{Tag: 7, Bytes: net.ParseIP("10.1.2.3").To16()})
	for name, constraint := range map[string]certauthtest.Template{
		"excluded":  func(c *x509.Certificate) { c.ExcludedIPRanges = []*net.IPNet{network(t, "10.0.0.0/8")} },
		"permitted": func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{network(t, "11.0.0.0/8")} },
	} {
		root := certauthtest.NewCA(t, "Root", constraint)
		id, err := judge(t, certauth.All{chainOf(root), certauth.IPs{"10.1.2.3"}}, root.Issue(t, "client", mapped).Certificate)
		assert.Error(t, err, name)
		assert.Nil(t, id, name)
	}
}

// An unreadable address is neither inside nor outside a constraint.
func TestChain_UnreadableAddressUnderAConstraintIsRefused(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA", func(c *x509.Certificate) {
		c.PermittedEmailAddresses, c.PermittedDNSDomainsCritical = []string{"partner.example"}, true
	})
	address := func(tag int, text string) certauthtest.Template {
		return certauthtest.Subject(pkix.Name{CommonName: "client", ExtraNames: []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: tag, Bytes: []byte(text)},
		}}})
	}
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	runVerdicts(t, []verdict{
		{"inside", chain, ca.Issue(t, "", address(asn1.TagIA5String, "a@partner.example")).Certificate, certauth.ReasonNone},
		{"outside", chain, ca.Issue(t, "", address(asn1.TagIA5String, "a@other.example")).Certificate, certauth.ReasonChainUntrusted},
		{"not readable", chain, ca.Issue(t, "", address(asn1.TagT61String, "\xe9@other.example")).Certificate, certauth.ReasonChainUntrusted},
	})
}
