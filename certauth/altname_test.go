package certauth_test

import (
	"encoding/asn1"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// upn writes a user principal name as MS-WCCE has it: otherName 1.3.6.1.4.1.311.20.2.3,
// a UTF8String under an explicit [0].
func upn(t *testing.T, name string) asn1.RawValue {
	t.Helper()
	return otherName(t, asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2, 3}, name)
}

func otherName(t *testing.T, oid asn1.ObjectIdentifier, name string) asn1.RawValue {
	t.Helper()
	id, err := asn1.Marshal(oid)
	require.NoError(t, err)
	text, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(name)})
	require.NoError(t, err)
	explicit, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: text})
	require.NoError(t, err)
	return asn1.RawValue{Tag: 0, IsCompound: true, Bytes: append(id, explicit...)}
}

// altName is a GeneralName of RFC 5280, section 4.2.1.6: 1 e-mail, 2 DNS, 6 URI, 7 IP.
func altName(tag int, content string) asn1.RawValue {
	return asn1.RawValue{Tag: tag, Bytes: []byte(content)}
}

// CVE-2022-21656 Envoy; cca's flat allowSAN: one type of name was taken for another.
func TestIdentity_SANTypesNeverCross(t *testing.T) {
	w := newWorld(t)
	const text = "a@partner.example"
	rules := map[string]certauth.Policy{
		"DNS":  certauth.DNSNames{"partner.example", "10.1.2.3"},
		"mail": certauth.Emails{text, "@partner.example"},
		"UPN":  certauth.UPNs{text},
		"URI":  certauth.URIs{"https://partner.example/", "spiffe://partner.example/a"},
		"ID":   certauth.SPIFFEIDs{"spiffe://partner.example/a"},
		"IP":   certauth.IPs{"10.1.2.3"},
	}
	for name, tc := range map[string]struct {
		names []asn1.RawValue
		match string
	}{
		"an e-mail address":              {[]asn1.RawValue{altName(1, text)}, "mail"},
		"a DNS name":                     {[]asn1.RawValue{altName(2, "partner.example")}, "DNS"},
		"a DNS name that is an address":  {[]asn1.RawValue{altName(2, "10.1.2.3")}, "DNS"},
		"a DNS name that is a URI":       {[]asn1.RawValue{altName(2, "https://partner.example/")}, ""},
		"a DNS name that is a mailbox":   {[]asn1.RawValue{altName(2, text)}, ""},
		"a URI":                          {[]asn1.RawValue{altName(6, "https://partner.example/")}, "URI"},
		"a URI that is a mailbox":        {[]asn1.RawValue{altName(6, "mailto:"+text)}, ""},
		"a SPIFFE ID is a URI as well":   {[]asn1.RawValue{altName(6, "spiffe://partner.example/a")}, "URI ID"},
		"an IP address":                  {[]asn1.RawValue{altName(7, string(net.IPv4(10, 1, 2, 3).To4()))}, "IP"},
		"a user principal name":          {[]asn1.RawValue{upn(t, text)}, "UPN"},
		"another kind of otherName":      {[]asn1.RawValue{otherName(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 5}, text)}, ""},
		"a registered ID, which no rule": {[]asn1.RawValue{altName(8, "\x2A\x03")}, ""},
	} {
		leaf := w.issue(t, san(t, tc.names...))
		for kind, rule := range rules {
			_, err := judge(t, w.behind(rule), leaf)
			want := certauth.ReasonNameNotAllowed
			for match := range strings.FieldsSeq(tc.match) {
				if match == kind {
					want = certauth.ReasonNone
				}
			}
			assert.Equal(t, want, reasonOf(err), "%s against the rule on %s: %v", name, kind, err)
		}
	}
}

// pomerium ^(a)|(b)$ (reproduced); Vault's * spans dots; cca #205; CVE-2026-40574
// oauth2-proxy: patterns covered a part of the value.
func TestIdentity_PatternsCoverTheWholeValue(t *testing.T) {
	w := newWorld(t)
	const no, yes = certauth.ReasonNameNotAllowed, certauth.ReasonNone
	for _, tc := range []struct {
		pattern, have string
		want          certauth.Reason
	}{
		{"a.example", "a.example", yes},
		{"a.example", "A.EXAMPLE", yes},
		{"A.Example", "a.example", yes},
		{"a.example", "b.a.example", no},
		{"a.example", "ba.example", no},
		{"a.example", "a.example.evil", no},
		{"a.example", "a-example", no},
		{"a.example", "a.example.", no},
		{"*.a.example", "b.a.example", yes},
		{"*.a.example", "B.A.Example", yes},
		{"*.a.example", "a.example", no},
		{"*.a.example", "c.b.a.example", no},
		{"*.a.example", "ba.example", no},
		{"*.a.example", "*.a.example", no},
		{"*.a.example", ".a.example", no},
		{"b.a.example", "*.a.example", no},
		{"k.example", "K.example", yes},
	} {
		_, err := judge(t, w.behind(certauth.DNSNames{tc.pattern}), w.issue(t, san(t, altName(2, tc.have))))
		assert.Equal(t, tc.want, reasonOf(err), "pattern %s, name %s: %v", tc.pattern, tc.have, err)
	}
	for _, tc := range []struct {
		pattern, have string
		want          certauth.Reason
	}{
		{"alice@a.example", "alice@a.example", yes},
		{"alice@a.example", "alice@A.EXAMPLE", yes},
		{"alice@a.example", "Alice@a.example", no},
		{"alice@a.example", "malice@a.example", no},
		{"alice@a.example", "alice@b.a.example", no},
		{"@a.example", "bob@a.example", yes},
		{"@a.example", "bob@b.a.example", no},
		{"@a.example", "bob@ba.example", no},
	} {
		_, err := judge(t, w.behind(certauth.Emails{tc.pattern}), w.issue(t, san(t, altName(1, tc.have))))
		assert.Equal(t, tc.want, reasonOf(err), "pattern %s, address %s: %v", tc.pattern, tc.have, err)
	}
	for _, tc := range []struct {
		pattern, have string
		want          certauth.Reason
	}{
		{"alice@a.example", "alice@a.example", yes},
		{"alice@a.example", "alice@A.example", yes},
		{"alice@a.example", "Alice@a.example", no},
		{"alice@a.example", "alice@a.example@b.example", no},
		{"alice@a.example", "alice", no},
		{"alice@k.example", "alice@\u212A.example", no}, // the Kelvin sign folds to k in Unicode
		{"jos\u00E9@a.example", "jos\u00E9@a.example", yes},
	} {
		_, err := judge(t, w.behind(certauth.UPNs{tc.pattern}), w.issue(t, san(t, upn(t, tc.have))))
		assert.Equal(t, tc.want, reasonOf(err), "pattern %s, user %s: %v", tc.pattern, tc.have, err)
	}
}

// cca #205: URI paths were lower-cased.
func TestIdentity_URIPathIsCaseSensitive(t *testing.T) {
	w := newWorld(t)
	const no, yes = certauth.ReasonNameNotAllowed, certauth.ReasonNone
	for have, want := range map[string]certauth.Reason{
		"https://a.example/Orders":     yes,
		"https://a.example/orders":     no,
		"https://a.example/Orders/":    no,
		"https://a.example/Order":      no,
		"https://A.example/Orders":     no, // byte for byte, as the doc of URIs has it
		"https://a.example/%4Frders":   no,
		"https://a.example:443/Orders": no,
	} {
		_, err := judge(t, w.behind(certauth.URIs{"https://a.example/Orders"}), w.issue(t, san(t, altName(6, have))))
		assert.Equal(t, want, reasonOf(err), "%s: %v", have, err)
	}
}

// CVE-2026-40574 oauth2-proxy: an address with two at signs passed a check of its domain.
func TestIdentity_MalformedEmailNeverMatches(t *testing.T) {
	w := newWorld(t)
	for _, have := range []string{
		"a@evil.example@a.example", "a@a.example@evil.example", "@a.example", "a.example", "a@", "a@.a.example",
		"a@a.example.", `"a@evil.example"@a.example`, "a(comment)@a.example", "<a@a.example>", "a@[10.1.2.3]", "a,b@a.example", "a@a..example",
	} {
		leaf := w.issue(t, san(t, altName(1, have)))
		_, err := judge(t, w.behind(certauth.Emails{"@a.example", "a@a.example", "a@evil.example"}), leaf)
		assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "%s: %v", have, err)
	}
	for _, have := range []string{"a b@a.example", "a@a.example\x00", "a@a.example\n", "\x7Fa@a.example"} {
		leaf := w.issue(t, san(t, altName(1, have)))
		_, err := judge(t, w.chain(), leaf)
		assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%q: %v", have, err)
	}
}

func TestAltNames_IPs(t *testing.T) {
	w := newWorld(t)
	const no, yes = certauth.ReasonNameNotAllowed, certauth.ReasonNone
	for _, tc := range []struct {
		rule, have string
		want       certauth.Reason
	}{
		{"10.1.2.3", "10.1.2.3", yes},
		{"10.1.2.3", "10.1.2.4", no},
		{"10.1.2.0/24", "10.1.2.0", yes},
		{"10.1.2.0/24", "10.1.2.255", yes},
		{"10.1.2.0/24", "10.1.1.255", no},
		{"10.1.2.0/24", "10.1.3.0", no},
		{"2001:db8::/32", "2001:db8:ffff::1", yes},
		{"2001:db8::/32", "2001:db9::", no},
		{"10.0.0.0/8", "2001:db8::1", no},
		{"::/0", "10.1.2.3", no},
	} {
		_, err := judge(t, w.behind(certauth.IPs{"192.0.2.1", tc.rule}), w.issue(t, certauthtest.IP(tc.have)))
		assert.Equal(t, tc.want, reasonOf(err), "%s in %s: %v", tc.have, tc.rule, err)
	}
}

func TestAltNames_StaticErrors(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		name string
		bad  string
		rule func(string) certauth.Policy
		want string
	}{
		{"DNSNames", "", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "*.com", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "wildcard"},
		{"DNSNames", "*", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "a.*.example", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "a*.example", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "a.example.", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "-a.example", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", "b\u00FCro.example", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", strings.Repeat("a", 64) + ".example", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"DNSNames", strings.Repeat("a.", 126) + "aa", func(s string) certauth.Policy { return certauth.DNSNames{"a.example", s} }, "host"},
		{"URIs", "/orders", func(s string) certauth.Policy { return certauth.URIs{"urn:a", s} }, "absolute"},
		{"URIs", "https://b\u00FCro.example/", func(s string) certauth.Policy { return certauth.URIs{"urn:a", s} }, "ASCII"},
		{"SPIFFEIDs", "prod.example", func(s string) certauth.Policy { return certauth.SPIFFEIDs{"spiffe://a", s} }, "SPIFFE"},
		{"SPIFFEIDs", "spiffe://", func(s string) certauth.Policy { return certauth.SPIFFEIDs{"spiffe://a", s} }, "trust domain"},
		{"SPIFFEIDs", "spiffe://a/", func(s string) certauth.Policy { return certauth.SPIFFEIDs{"spiffe://a", s} }, "segment"},
		{"SPIFFEIDs", "spiffe://*/a", func(s string) certauth.Policy { return certauth.SPIFFEIDs{"spiffe://a", s} }, "trust domain"},
		{"Emails", "a.example", func(s string) certauth.Policy { return certauth.Emails{"@a.example", s} }, "mailbox"},
		{"Emails", "@", func(s string) certauth.Policy { return certauth.Emails{"@a.example", s} }, "host"},
		{"Emails", "*@a.example@b", func(s string) certauth.Policy { return certauth.Emails{"@a.example", s} }, "mailbox"},
		{"UPNs", "alice", func(s string) certauth.Policy { return certauth.UPNs{"a@b", s} }, "user principal"},
		{"UPNs", "a@b@c", func(s string) certauth.Policy { return certauth.UPNs{"a@b", s} }, "user principal"},
		{"UPNs", "@b", func(s string) certauth.Policy { return certauth.UPNs{"a@b", s} }, "user principal"},
		{"IPs", "10.1.2", func(s string) certauth.Policy { return certauth.IPs{"10.1.2.3", s} }, "address"},
		{"IPs", "10.1.2.3/8", func(s string) certauth.Policy { return certauth.IPs{"10.1.2.3", s} }, "10.0.0.0/8"},
		{"IPs", "fe80::1%eth0", func(s string) certauth.Policy { return certauth.IPs{"10.1.2.3", s} }, "address"},
		{"IPs", "::ffff:10.0.0.0/104", func(s string) certauth.Policy { return certauth.IPs{"10.1.2.3", s} }, "IPv4"},
	} {
		mistakes := mistakesOf(t, w.behind(tc.rule(tc.bad)))
		require.Len(t, mistakes, 1, "%s %s", tc.name, tc.bad)
		assert.True(t, strings.HasPrefix(mistakes[0], "Policy.All[1]."+tc.name+"[1]: "), mistakes[0])
		assert.Contains(t, mistakes[0], tc.want)
	}
	runMisconfigured(t, []misconfigured{{"empty lists", w.behind(certauth.DNSNames{}, certauth.URIs{}, certauth.SPIFFEIDs(nil), certauth.Emails{}, certauth.IPs{}, certauth.UPNs{}), []string{
		"Policy.All[1].DNSNames: empty", "Policy.All[2].URIs: empty", "Policy.All[3].SPIFFEIDs: empty",
		"Policy.All[4].Emails: empty", "Policy.All[5].IPs: empty", "Policy.All[6].UPNs: empty",
	}}})
}
