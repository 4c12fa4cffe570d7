package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// upn returns a user principal name as in MS-WCCE: otherName 1.3.6.1.4.1.311.20.2.3, a UTF8String
// under an explicit [0].
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

// altName returns a GeneralName of RFC 5280, section 4.2.1.6: 1 e-mail, 2 DNS, 6 URI, 7 IP.
func altName(tag int, content string) asn1.RawValue {
	return asn1.RawValue{Tag: tag, Bytes: []byte(content)}
}

// CVE-2022-21656 Envoy; cca's flat allowSAN: one type of name was treated as another.
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

// pomerium ^(a)|(b)$ (reproduced); Vault's * spans dots; cca #205; CVE-2026-40574 oauth2-proxy:
// patterns matched only a part of the value.
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
		{"alice@Z[.example", "alice@z[.example", yes},
		{"alice@a[.example", "alice@a{.example", no},
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
		leaf := w.issue(t, san(t, altName(1, have), altName(1, "a@a.example")))
		_, err := judge(t, w.behind(certauth.Emails{"@a.example"}), leaf)
		assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%q: %v", have, err)
	}
}

// finding S17: an address was parsed again for each entry of the rule, on every request. A known caller with an address of
// 15 kilobytes took a second of processor time for each request under ten thousand entries.
func TestLimits_ALongAddressCostsLittleUnderManyEntries(t *testing.T) {
	w := newWorld(t)
	var entries certauth.Emails
	for i := range 10_000 {
		entries = append(entries, fmt.Sprintf("u%d@partner.example", i))
	}
	long := strings.Repeat("a.", 7500) + "a@partner.example"
	leaf := w.issue(t, san(t, altName(1, long), altName(1, entries[len(entries)-1])))
	auth := authOf(t, w.behind(entries), time.Time{}, leaf)
	assert.NoError(t, inTime(t, checks(auth, 200)))
}

// finding S30: every name of a certificate was compared with every entry of a rule, on every request, and a SPIFFE ID was
// parsed for each entry. A known caller with hundreds of addresses, or one long SPIFFE ID, took about half a second of
// processor time for each request under ten thousand entries.
func TestLimits_ManyNamesCostLittleUnderManyEntries(t *testing.T) {
	w := newWorld(t)
	many := func(format string, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprintf(format, i))
		}
		return list
	}
	names := func(number int, last string, format string) (all []asn1.RawValue) {
		for _, name := range append(many(format, 700), last) {
			all = append(all, altName(number, name))
		}
		return all
	}
	const entries = 10_000
	principals := []asn1.RawValue{}
	for _, name := range append(many("x%d@CORP.example", 450), "u9999@CORP.example") {
		principals = append(principals, upn(t, name))
	}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		names  []asn1.RawValue
	}{
		"DNSNames":            {certauth.DNSNames(many("host%d.example", entries)), names(2, "HOST9999.example", "host%d.examplf")},
		"wildcards":           {certauth.DNSNames(many("*.host%d.example", entries)), names(2, "a.host9999.example", "a.host%d.examplf")},
		"URIs":                {certauth.URIs(many("urn:host%d:e", entries)), names(6, "urn:host9999:e", "urn:host%d:f")},
		"Emails":              {certauth.Emails(many("u%d@c.example", entries)), names(1, "u9999@C.example", "x%d@C.EXAMPLE")},
		"mailboxes of a host": {certauth.Emails(many("@host%d.example", entries)), names(1, "a@host9999.Example", "a@HOST%d.examplf")},
		"UPNs":                {certauth.UPNs(many("u%d@corp.example", entries)), principals},
		"SPIFFEIDs":           {certauth.SPIFFEIDs(many("spiffe://d%d.example", entries)), []asn1.RawValue{altName(6, "spiffe://d9999.example"+strings.Repeat("/.a", 670))}},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := w.issue(t, san(t, tc.names...))
			auth := authOf(t, w.behind(tc.policy), time.Time{}, leaf)
			assert.NoError(t, inTime(t, checks(auth, 1000)))
		})
	}
}

// A Not refuses a listed user principal name or URI in every spelling that is the same name. Active
// Directory compares user principal names without regard to case (MS-ADA3, userPrincipalName:
// String(Unicode), 2.5.5.12). Scheme and host of a URI are not case-sensitive (RFC 5280, section
// 4.2.1.6), an escaped letter is the letter (RFC 3986, section 6.2.2.2), and the namespace of a URN
// is not case-sensitive either (RFC 8141, section 3.1).
//
// finding T21: a client whose user principal name is excluded was accepted with another letter case.
//
// finding T22: so was one whose URI is excluded, with another case of the scheme or the host.
//
// finding T24: so was one whose mailbox is excluded.
//
// finding T25: so was one whose URI is excluded, with a segment "." or ".." at its end, after an empty one, or without a host.
//
// finding T145: so was one whose URI is excluded, with a dot at the end of the host, or an escape in an address.
//
// finding T152: so was one whose URI is excluded, with a dot at the end of the host in an address.
func TestNot_NamesInOtherSpellings(t *testing.T) {
	w := newWorld(t)
	seventeen := func(n int) (names []asn1.RawValue) {
		for i := range n {
			names = append(names, upn(t, fmt.Sprintf("u%d@corp.example", i)))
		}
		return names
	}
	principal := func(names ...string) (all []asn1.RawValue) {
		for _, name := range names {
			all = append(all, upn(t, name))
		}
		return all
	}
	uris := func(names ...string) (all []asn1.RawValue) {
		for _, name := range names {
			all = append(all, altName(6, name))
		}
		return all
	}
	mails := func(names ...string) (all []asn1.RawValue) {
		for _, name := range names {
			all = append(all, altName(1, name))
		}
		return all
	}
	mails8 := func(name string) []asn1.RawValue {
		return []asn1.RawValue{otherName(t, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 9}, name)}
	}
	mailbox := certauth.Emails{"Eve@partner.example", "@other.example"}
	eve, german := certauth.UPNs{"eve@corp.example"}, certauth.UPNs{"j\u00F6rg@corp.example"}
	folder := certauth.URIs{"https://partner.example/a/"}
	web, device := certauth.URIs{"https://partner.example/x"}, certauth.URIs{"urn:dev:a", "HTTPS://User@Upper.example/%7Eu/%2f"}
	uuid := certauth.URIs{"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}
	none, unlike, excluded := certauth.ReasonNone, certauth.ReasonNameNotAllowed, certauth.ReasonPolicyRefused
	for _, tc := range []struct {
		name   string
		listed certauth.Policy
		names  []asn1.RawValue
		want   certauth.Reason
	}{
		{"finding T21: as listed", eve, principal("eve@corp.example"), excluded},
		{"finding T21: as listed, the suffix in capitals", eve, principal("eve@CORP.example"), excluded},
		{"finding T21: with a capital", eve, principal("Eve@corp.example"), unlike},
		{"finding T21: in capitals", eve, principal("EVE@CORP.EXAMPLE"), unlike},
		{"finding T21: beside another", eve, principal("alice@corp.example", "Eve@corp.example"), unlike},
		{"finding T21: with a letter that is composed", eve, principal("eve\u0301@corp.example"), unlike},
		{"finding T21: a letter with a mark, in capitals", german, principal("J\u00D6RG@corp.example"), unlike},
		{"finding T21: another", eve, principal("alice@corp.example"), none},
		{"finding T21: another that begins alike", eve, principal("evelyn@corp.example"), none},
		{"finding T21: another in Japanese", german, principal("\u5C71\u7530@corp.example"), none},
		{"finding T21: none", eve, uris("urn:a:b"), none},
		{"finding T21: sixteen others", eve, seventeen(16), none},
		{"finding T21: more than are compared", eve, seventeen(17), unlike},

		{"finding T24: as listed", mailbox, mails("Eve@partner.example"), excluded},
		{"finding T24: the host in capitals", mailbox, mails("Eve@PARTNER.example"), excluded},
		{"finding T24: in small letters", mailbox, mails("eve@partner.example"), unlike},
		{"finding T24: in capitals, beside another", mailbox, mails("alice@partner.example", "EVE@PARTNER.EXAMPLE"), unlike},
		{"finding T24: any mailbox of a host", mailbox, mails("eve@Other.example"), excluded},
		{"finding T24: another", mailbox, mails("evelyn@partner.example"), none},
		{"finding T24: the same at another host", mailbox, mails("Eve@third.example"), none},

		{"finding T22: as listed", web, uris("https://partner.example/x"), excluded},
		{"finding T22: the scheme in capitals", web, uris("HTTPS://partner.example/x"), unlike},
		{"finding T22: the host in capitals", web, uris("https://PARTNER.example/x"), unlike},
		{"finding T22: with an escaped letter", web, uris("https://partner.example/%78"), unlike},
		{"finding T22: with an escape in small letters", certauth.URIs{"https://partner.example/%2F"}, uris("https://partner.example/%2f"), unlike},
		{"finding T22: beside another", web, uris("https://partner.example/y", "Https://partner.example/x"), unlike},
		{"finding T22: another path", web, uris("https://partner.example/y"), none},
		{"finding T22: the path in capitals, which is another", web, uris("https://partner.example/X"), none},
		{"finding T22: a slash that is escaped, which is another", certauth.URIs{"https://partner.example/a/b"}, uris("https://partner.example/a%2Fb"), none},
		{"finding T22: a URN", device, uris("URN:Dev:a"), unlike},
		{"finding T22: another URN", device, uris("URN:Dev:A"), none},
		{"finding T22: a listed one in capitals", device, uris("https://user@upper.example/~u/%2F"), unlike},
		{"finding T22: an escape that is left out, which is another", certauth.URIs{"https://partner.example/ab"}, uris("https://partner.example/a%2Fb"), none},
		{"finding T22: the default port", web, uris("https://partner.example:443/x"), unlike},
		{"finding T22: an empty port", web, uris("https://partner.example:/x"), unlike},
		{"finding T22: another port", web, uris("https://partner.example:8443/x"), none},
		{"finding T22: the default port of another scheme", web, uris("https://partner.example:80/x"), none},
		{"finding T22: a segment that changes nothing", web, uris("https://partner.example/./x"), unlike},
		{"finding T22: segments that change nothing, escaped", web, uris("https://partner.example/y/%2e%2e/x"), unlike},
		{"finding T22: no path, listed with a slash", certauth.URIs{"http://partner.example/"}, uris("http://partner.example"), unlike},
		{"finding T22: no path, in capitals", certauth.URIs{"http://partner.example"}, uris("http://PARTNER.example"), unlike},
		{"finding T22: another query", web, uris("https://partner.example/x?y"), none},
		{"finding T22: a query whose host is in capitals", certauth.URIs{"http://partner.example?a"}, uris("http://Partner.example?a"), unlike},
		{"finding T22: an escape that is cut off", certauth.URIs{"urn:dev:%7"}, uris("URN:dev:%7"), unlike},
		{"finding T22: no URN, with another namespace", certauth.URIs{"tag:a:b"}, uris("tag:A:b"), none},
		{"finding T22: an escaped hyphen", certauth.URIs{"urn:dev:a-b"}, uris("urn:dev:a%2db"), unlike},
		{"finding T22: another user", device, uris("https://other@upper.example/~u/%2F"), none},
		{"finding T22: none", web, principal("alice@corp.example"), none},

		{"finding T25: a last segment that changes nothing", folder, uris("https://partner.example/a/."), unlike},
		{"finding T25: a last segment that leads back", folder, uris("https://partner.example/a/b/.."), unlike},
		{"finding T25: a segment that leads back over an empty one", folder, uris("https://partner.example/a//../"), unlike},
		{"finding T25: segments that lead above the root", web, uris("https://partner.example/../../x"), unlike},
		{"finding T25: no authority", certauth.URIs{"file:///a/b"}, uris("file:///a/./b"), unlike},
		{"finding T25: no authority, leading back", certauth.URIs{"file:/a/b"}, uris("file:/a/c/../b"), unlike},
		{"finding T25: neither authority nor slash", certauth.URIs{"x:a/b"}, uris("x:./a/b"), unlike},
		{"finding T25: the default port with zeros", web, uris("https://partner.example:0443/x"), unlike},
		{"finding T25: the default port of an address", certauth.URIs{"https://[::1]/x"}, uris("https://[::1]:443/x"), unlike},
		{"finding T25: another folder", folder, uris("https://partner.example/b/."), none},
		{"finding T25: no folder, which is another", folder, uris("https://partner.example/a"), none},
		{"finding T25: dots in the query, which stay", certauth.URIs{"https://partner.example/x?a"}, uris("https://partner.example/x?./a"), none},
		{"finding T25: another file", certauth.URIs{"file:///a/b"}, uris("file:///a/./c"), none},
		{"finding T25: three dots", web, uris("https://partner.example/.../x"), none},
		{"finding T25: the same path elsewhere", certauth.URIs{"x:a/b"}, uris("y:./a/b"), none},

		// RFC 9598: an address with other characters than those of ASCII is an otherName.
		{"finding T41: a mailbox of the host, internationalized", mailbox, mails8("\u00E9ve@other.example"), unlike},
		{"finding T41: the mailbox itself in the form for others", mailbox, mails8("Eve@partner.example"), unlike},
		{"finding T41: an internationalized mailbox beside another", mailbox, append(mails("alice@partner.example"), mails8("\u00E9ve@other.example")...), unlike},
		{"finding T41: a mailbox that cannot be read", mailbox, mails8("\xFF@other.example"), unlike},
		{"finding T41: an otherName of another type", mailbox, principal("eve@other.example"), none},

		// RFC 8141, section 3.1: the components behind the name do not count.
		{"finding T42: a URN with an r-component", device, uris("urn:dev:a?+b"), unlike},
		{"finding T42: a URN with a q-component", device, uris("urn:dev:a?=b"), unlike},
		{"finding T42: a URN with an f-component, in capitals", device, uris("URN:DEV:a#b"), unlike},
		{"finding T42: a URN with an empty component", device, uris("urn:dev:a?"), unlike},
		{"finding T42: a URN that is listed with components", certauth.URIs{"urn:dev:a?+b?=c#d"}, uris("urn:dev:a"), unlike},
		{"finding T42: another URN with them", device, uris("urn:dev:b?=a#a"), none},
		{"finding T42: a query of another scheme", certauth.URIs{"tag:dev:a"}, uris("tag:dev:a?=b"), none},

		// RFC 9562, section 4: the hex digits of a UUID are read without regard to case.
		{"finding T60: a UUID in capitals", uuid, uris("urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), unlike},
		{"finding T60: a UUID and its namespace in capitals", uuid, uris("URN:UUID:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6#a"), unlike},
		{"finding T60: another UUID", uuid, uris("urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7"), none},
		// RFC 6068, section 2; RFC 3261, section 19.1.4; RFC 7622, section 3.2; RFC 7565, section 4.
		{"finding T60: a mailto URI with the host in capitals", certauth.URIs{"mailto:eve@partner.example"}, uris("mailto:eve@PARTNER.example"), unlike},
		{"finding T60: a SIP domain in capitals", certauth.URIs{"sip:partner.example"}, uris("SIP:PARTNER.example"), unlike},
		{"finding T60: a SIPS domain in capitals", certauth.URIs{"sips:partner.example"}, uris("sips:PARTNER.example"), unlike},
		{"finding T60: an XMPP address in capitals", certauth.URIs{"xmpp:eve@partner.example"}, uris("xmpp:Eve@PARTNER.example"), unlike},
		{"finding T60: an account in capitals", certauth.URIs{"acct:eve@partner.example"}, uris("acct:eve@PARTNER.example"), unlike},
		// RFC 5952, section 2; RFC 6455, section 3; RFC 4516, section 2.
		{"finding T122: an IPv6 address with its zeros", certauth.URIs{"https://[::1]/x"}, uris("https://[0:0:0:0:0:0:0:1]/x"), unlike},
		{"finding T122: an IPv6 address in another form", certauth.URIs{"https://[::ffff:1.2.3.4]/x"}, uris("https://[::FFFF:102:304]:443/x"), unlike},
		{"finding T122: another IPv6 address", certauth.URIs{"https://[::1]/x"}, uris("https://[::2]/x"), none},
		{"finding T122: the default port of WebSocket", certauth.URIs{"wss://partner.example/x"}, uris("wss://partner.example:443/x"), unlike},
		{"finding T122: the default port of LDAP", certauth.URIs{"ldap://partner.example/x"}, uris("ldap://partner.example:389/x"), unlike},
		{"finding T122: another port of LDAP", certauth.URIs{"ldap://partner.example/x"}, uris("ldap://partner.example:636/x"), none},
		// RFC 3986, section 3.2.2. crypto/x509 reads a dot at the end if a port follows.
		{"finding T145: a dot at the end of the host", web, uris("https://partner.example.:443/x"), unlike},
		{"finding T145: a dot at the end of the host, before an empty port", web, uris("https://partner.example.:/x"), unlike},
		{"finding T145: a dot at the end of another host", web, uris("https://other.example.:443/x"), none},
		// RFC 6068, section 5; RFC 3261, section 19.1.4.
		{"finding T145: an escaped plus sign in a mailto URI", certauth.URIs{"mailto:eve+a@partner.example"}, uris("mailto:eve%2Ba@partner.example"), unlike},
		{"finding T145: an escaped mark in a SIP URI", certauth.URIs{"sip:eve!@partner.example"}, uris("sip:eve%21@partner.example"), unlike},
		{"finding T145: an escape that is cut off in an address", certauth.URIs{"sip:eve%2"}, uris("sip:Eve%2"), unlike},
		{"finding T145: another address with an escape", certauth.URIs{"mailto:eve+a@partner.example"}, uris("mailto:eve%2Bb@partner.example"), none},
		{"finding T145: the default port of CoAP", certauth.URIs{"coaps://partner.example/x"}, uris("coaps://partner.example:5684/x"), unlike}, // RFC 7252, section 6.3
		{"finding T152: a dot at the end of the host of a mailto URI", certauth.URIs{"mailto:eve@partner.example"}, uris("mailto:eve@partner.example."), unlike},
		{"finding T152: of a SIP URI, before a port", certauth.URIs{"sip:eve@partner.example:5080"}, uris("sip:eve@partner.example.:5080"), unlike},           // RFC 3261, section 25.1
		{"finding T152: of a SIP URI, before a parameter", certauth.URIs{"sip:partner.example;maddr=a"}, uris("sip:partner.example.;maddr=a"), unlike},        // the same
		{"finding T152: of an XMPP URI, before a resource", certauth.URIs{"xmpp:eve@partner.example/phone"}, uris("xmpp:eve@partner.example./phone"), unlike}, // RFC 7622, section 3.2
		{"finding T152: of another host", certauth.URIs{"sip:eve@partner.example"}, uris("sip:eve@other.example."), none},
		{"finding T152: the default port of CoAP over TCP", certauth.URIs{"coap+tcp://partner.example/x"}, uris("coap+tcp://partner.example:5683/x"), unlike}, // RFC 8323, section 8.1
		{"finding T152: the default port of FTP", certauth.URIs{"ftp://partner.example/x"}, uris("ftp://partner.example:21/x"), unlike},
		{"finding N171: an empty user", web, uris("https://@partner.example/x"), unlike},
		{"finding N171: an empty user and an empty password", web, uris("https://:@partner.example/x"), unlike},
		{"finding N171: an empty password", device, uris("https://user:@upper.example/~u/%2F"), unlike},
		{"finding N171: an empty query", web, uris("https://partner.example/x?"), unlike},
		{"finding N171: a listed one with an empty query", certauth.URIs{"https://partner.example/x?"}, uris("https://partner.example/x"), unlike},
		{"finding N171: a user where none is listed", web, uris("https://eve@partner.example/x"), none},
		{"finding T60: another SIP domain", certauth.URIs{"sip:partner.example"}, uris("sip:other.example"), none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			leaf := w.issue(t, san(t, tc.names...))
			_, err := judge(t, w.behind(certauth.Not{Policy: tc.listed}), leaf)
			assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			positive := unlike
			if tc.want == excluded {
				positive = none
			}
			_, err = judge(t, w.behind(tc.listed), leaf)
			assert.Equal(t, positive, reasonOf(err), "without Not, names are compared exactly: %v", err)
			_, err = judge(t, w.behind(certauth.Not{Policy: certauth.Not{Policy: tc.listed}}), leaf)
			assert.Equal(t, positive == none, err == nil, "two Not are none: %v", err)
		})
	}
}

// finding S31: each address of a certificate was still compared with each prefix of IPs, so that a known caller with a
// thousand of them took a tenth of a second of processor time for each request under ten thousand prefixes.
func TestLimits_ManyAddressesCostLittleUnderManyPrefixes(t *testing.T) {
	w := newWorld(t)
	var entries certauth.IPs
	for i := range 10_000 {
		entries = append(entries, fmt.Sprintf("192.168.%d.%d/32", i>>8, i&0xFF))
	}
	var addresses []asn1.RawValue
	for i := range 999 {
		addresses = append(addresses, altName(7, string([]byte{10, 0, byte(i >> 8), byte(i)})))
	}
	addresses = append(addresses, altName(7, string([]byte{192, 168, 39, 15}))) // that of entry 9999
	for name, policy := range map[string]certauth.Policy{
		"the last one is listed": entries,
		"none may be listed":     certauth.Not{Policy: entries[:9999]},
	} {
		t.Run(name, func(t *testing.T) {
			auth := authOf(t, w.behind(policy), time.Time{}, w.issue(t, san(t, addresses...)))
			assert.NoError(t, inTime(t, checks(auth, 3000)))
		})
	}
}

// finding S30: so was each organization of the subject.
func TestLimits_ManyOrganizationsCostLittleUnderManyEntries(t *testing.T) {
	root := newRoot(t, "CA")
	format := strings.Repeat("Partner ", 5) + "%c%04d"
	var entries certauth.Organizations
	for i := range 10_000 {
		entries = append(entries, fmt.Sprintf(format, 'a', i))
	}
	var organizations []nameValue
	for i := range 60 {
		organizations = append(organizations, nameValue{oidO, asn1.TagUTF8String, fmt.Sprintf(format, 'b', i)})
	}
	organizations = append(organizations, nameValue{oidO, asn1.TagUTF8String, entries[9999]})
	leaf := root.newClient(t, func(c *x509.Certificate) { c.RawSubject = nameOf(t, organizations...) }).Certificate
	auth := authOf(t, certauth.All{certauth.Chain{Roots: certsFrom(root)}, entries}, time.Time{}, leaf)
	assert.NoError(t, inTime(t, checks(auth, 20_000)))
}

// finding C14: an alternative name of a type that no rule used made the certificate malformed.
//
// A rule that uses the type refuses, because it is unknown what the CA certified there. Not also
// refuses.
func TestAltNames_UnreadableNameMattersToTheRuleThatAsksAlone(t *testing.T) {
	w := newWorld(t)
	uuid := asn1.RawValue{Tag: 0, IsCompound: true, Bytes: []byte("\x06\x13\x69\x83\xD6\xE4\xCD\xBB\xF3\xA5\xB8\xC1\xD7\xBF\xA6\xCF\x8E\xAB\x9D\x85\x37\xA0\x03\x0C\x01a")}
	ia5UPN := asn1.RawValue{Tag: 0, IsCompound: true, Bytes: []byte("\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03\xA0\x05\x16\x03a@b")}
	rules := map[string]certauth.Policy{
		"DNSNames": certauth.DNSNames{"a.example"}, "URIs": certauth.URIs{"urn:a"}, "SPIFFEIDs": certauth.SPIFFEIDs{"spiffe://a.example"},
		"Emails": certauth.Emails{"a@a.example"}, "IPs": certauth.IPs{"10.1.2.3"}, "UPNs": certauth.UPNs{"a@b"},
	}
	good := []asn1.RawValue{altName(1, "a@a.example"), altName(2, "a.example"), altName(7, "\x0A\x01\x02\x03"), upn(t, "a@b")}
	for name, tc := range map[string]struct {
		odd  asn1.RawValue
		asks string // the rules that are refused
	}{
		"a URI with a space, as OPC UA has it":    {altName(6, "urn:PRESS-07:Example Vendor:Line Client"), "URIs SPIFFEIDs"},
		"a quoted mailbox with a space":           {altName(1, `"a b"@a.example`), "Emails"},
		"an otherName below 2.25":                 {uuid, ""},
		"a user principal name as IA5String":      {ia5UPN, "UPNs"},
		"an otherName without a type":             {asn1.RawValue{Tag: 0, IsCompound: true}, "UPNs"},
		"an IPv4 address in IPv6 form":            {altName(7, string(net.IPv4(10, 1, 2, 3).To16())), "IPs"},
		"a DNS name with a space":                 {altName(2, "a .example"), "DNSNames"},
		"an empty e-mail address":                 {altName(1, ""), "Emails"},
		"a directory name that is none":           {asn1.RawValue{Tag: 4, IsCompound: true, Bytes: []byte{5, 0}}, ""},
		"a registered ID that is none":            {altName(8, "\x80"), ""},
		"an EDI party name and an X.400 address":  {asn1.RawValue{Tag: 5, IsCompound: true}, ""},
		"a number that no form of RFC 5280 bears": {altName(11, "a"), ""},
	} {
		if tc.asks == "IPs" && !onGo126() {
			continue // since Go 1.27 crypto/x509 reads no certificate with it
		}
		names := append([]asn1.RawValue{tc.odd}, good...)
		if !strings.Contains(tc.asks, "URIs") {
			names = append(names, altName(6, "spiffe://a.example/a"))
		}
		leaf := w.issue(t, san(t, names...))
		for _, policy := range []certauth.Policy{w.chain(), certauth.Certificates(leaf), w.behind(certauth.CommonNames{"client"})} {
			_, err := judge(t, policy, leaf)
			assert.NoError(t, err, name)
		}
		for kind, rule := range rules {
			_, err := judge(t, w.behind(rule), leaf)
			switch {
			case slices.Contains(strings.Fields(tc.asks), kind):
				assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%s: %s: %v", name, kind, err)
				_, err = judge(t, w.behind(certauth.Not{Policy: rule}), leaf)
				assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "%s: Not over %s: %v", name, kind, err)
				_, err = judge(t, w.behind(certauth.Any{rule, certauth.CommonNames{"client"}}), leaf)
				assert.NoError(t, err, "%s: %s or another rule", name, kind)
			case kind == "URIs": // no certificate here has that one
				assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err), "%s: %s: %v", name, kind, err)
			default:
				assert.NoError(t, err, "%s: %s", name, kind)
			}
		}
		id, err := judge(t, w.chain(), leaf)
		require.NoError(t, err)
		_, isSVID := id.SPIFFEID()
		assert.Equal(t, !strings.Contains(tc.asks, "SPIFFEIDs"), isSVID, name)
	}
}

// An SVID has one URI: if another URI is unreadable, there is no SPIFFE ID.
func TestSPIFFE_AnotherUnreadableURI(t *testing.T) {
	w := newWorld(t)
	id, err := judge(t, w.chain(), w.issue(t, san(t, altName(6, "spiffe://a.example/a"), altName(6, "urn:a b"))))
	require.NoError(t, err)
	spiffeID, ok := id.SPIFFEID()
	assert.False(t, ok)
	assert.Empty(t, spiffeID)
}

// finding C16: a critical subjectAltName that contains only a user principal name was refused as not
// understood.
//
// RFC 5280, section 4.2.1.6: if the subject is empty, the extension is critical. crypto/x509 reports an
// extension without a name of its four types as unhandled.
func TestAltNames_CriticalExtensionWithAPrincipalNameAlone(t *testing.T) {
	w := newWorld(t)
	critical := func(names ...asn1.RawValue) certauthtest.Template {
		return func(c *x509.Certificate) {
			san(t, names...)(c)
			c.Subject = pkix.Name{}
			c.ExtraExtensions[0].Critical = true
		}
	}
	another := func(c *x509.Certificate) {
		critical(upn(t, "a@b"))(c)
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}})
	}
	const yes, byChain, byPin = certauth.ReasonNone, certauth.ReasonChainUntrusted, certauth.ReasonExtensionNotAllowed
	for _, tc := range []struct {
		name       string
		change     certauthtest.Template
		chain, pin certauth.Reason
	}{
		{"a principal name", critical(upn(t, "a@b")), yes, yes},
		{"a principal name beside another otherName", critical(upn(t, "a@b"), otherName(t, asn1.ObjectIdentifier{1, 2, 3}, "a")), yes, yes},
		{"a principal name and a DNS name", critical(upn(t, "a@b"), altName(2, "a.example")), yes, yes},
		{"another otherName alone", critical(otherName(t, asn1.ObjectIdentifier{1, 2, 3}, "a")), byChain, byPin},
		{"a principal name beside one that cannot be read", critical(upn(t, "a@b"), asn1.RawValue{Tag: 0, IsCompound: true}), byChain, byPin},
		{"a registered ID alone", critical(altName(8, "\x2A")), byChain, byPin},
		{"a principal name, and another critical extension", another, byChain, byPin},
	} {
		leaf := w.issue(t, tc.change)
		id, err := judge(t, w.behind(certauth.Any{certauth.UPNs{"a@b"}, certauth.Not{Policy: certauth.CommonNames{"x"}}}), leaf)
		assert.Equal(t, tc.chain, reasonOf(err), "%s: %v", tc.name, err)
		if err == nil {
			assert.Same(t, leaf, id.Leaf, tc.name)
			assert.Same(t, leaf, id.Chains[0][0], tc.name)
		}
		_, err = judge(t, certauth.Certificates(leaf), leaf)
		assert.Equal(t, tc.pin, reasonOf(err), "%s: %v", tc.name, err)
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

// onGo126 reports whether crypto/x509 is that of Go 1.26, which reads some certificates that later
// releases refuse.
func onGo126() bool { return strings.HasPrefix(runtime.Version(), "go1.26") }

// A refusal says where the certificate has its names instead, without inventing any.
func TestAltNames_RefusalSaysWhereTheNamesAre(t *testing.T) {
	w := newWorld(t)
	issue := func(change ...certauthtest.Template) *x509.Certificate { return w.issue(t, change...) }
	nameless := func(c *x509.Certificate) { c.Subject = pkix.Name{Organization: []string{"Partner"}} }
	mail := func(c *x509.Certificate) {
		c.Subject = pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: "a@partner.example"}}}
	}
	dns, email := certauthtest.DNS("a.partner.example"), certauthtest.Email("b@partner.example")
	const byCommonName, byMail, byCA = "or use CommonNames", "or match the whole name with Subject", "ask the CA for a certificate with that alternative name"
	for name, tc := range map[string]struct {
		policy certauth.Policy
		leaf   *x509.Certificate
		hint   string
		detail string
	}{
		"a common name":                       {certauth.DNSNames{"x.example"}, issue(certauthtest.Subject(pkix.Name{CommonName: "c"})), byCommonName, `no DNS name among the alternative names; it has common name "c"`},
		"a common name for an address":        {certauth.IPs{"192.0.2.1"}, issue(certauthtest.Subject(pkix.Name{CommonName: "c"})), byCommonName, `no IP address among the alternative names; it has common name "c"`},
		"a common name is no mailbox":         {certauth.Emails{"x@x.example"}, issue(certauthtest.Subject(pkix.Name{CommonName: "c"})), byCA, `no e-mail address among the alternative names`},
		"a mailbox in the subject":            {certauth.Emails{"x@x.example"}, issue(mail), byMail, `no e-mail address among the alternative names; it has e-mail address in the subject "a@partner.example"`},
		"a mailbox in the subject is no host": {certauth.DNSNames{"x.example"}, issue(mail), byCA, `no DNS name among the alternative names`},
		"nothing":                             {certauth.DNSNames{"x.example"}, issue(nameless), byCA, `no DNS name among the alternative names`},
		"nothing, and a mailbox is asked for": {certauth.Emails{"x@x.example"}, issue(nameless), byCA, `no e-mail address among the alternative names`},
		"another type":                        {certauth.URIs{"https://x.example"}, issue(nameless, dns), byCA, `no URI among the alternative names; it has DNS names "a.partner.example"`},
		"two other types":                     {certauth.UPNs{"x@x.example"}, issue(nameless, dns, email), byCA, `no user principal name among the alternative names; it has DNS names "a.partner.example", e-mail addresses "b@partner.example"`},
		"a common name and another type":      {certauth.Emails{"x@x.example"}, issue(certauthtest.Subject(pkix.Name{CommonName: "c"}), dns), byCA, `no e-mail address among the alternative names; it has DNS names "a.partner.example"`},
	} {
		_, err := judge(t, w.behind(tc.policy), tc.leaf)
		refused, ok := errors.AsType[*certauth.Error](err)
		require.True(t, ok, name)
		assert.Equal(t, certauth.ReasonNameNotAllowed, refused.Reason, name)
		assert.Contains(t, refused.Hint, tc.hint, name)
		assert.Equal(t, tc.detail, refused.Err.Error(), name)
	}
}

// A rule's entries need no order, and neither do the names of a certificate.
func TestAltNames_EntriesAndNamesInAnyOrder(t *testing.T) {
	w := newWorld(t)
	names := func(tag int, names ...string) (all []asn1.RawValue) {
		for _, name := range names {
			all = append(all, altName(tag, name))
		}
		return all
	}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		names  []asn1.RawValue
	}{
		"more entries than names":     {certauth.DNSNames{"d.example", "c.example", "b.example", "a.example", "e.example"}, names(2, "d.example")},
		"as many entries as names":    {certauth.DNSNames{"z.example", "a.example"}, names(2, "y.example", "a.example")},
		"more names than entries":     {certauth.DNSNames{"b.example"}, names(2, "d.example", "c.example", "b.example", "a.example", "e.example")},
		"more mailboxes than entries": {certauth.Emails{"b@b.example", "@a.example"}, names(1, "z@z.example", "y@y.example", "x@a.example", "w@w.example", "v@v.example")},
		"more entries than URIs":      {certauth.URIs{"urn:d:d", "urn:c:c", "urn:b:b", "urn:a:a"}, names(6, "urn:d:d")},
		"more entries than units":     {certauth.OrganizationalUnits{"d", "c", "b", "a", "Orders"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var leaf *x509.Certificate
			if tc.names == nil {
				leaf = w.issue(t, rawSubject(t, utf8Name("client"), []attribute{attr(asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.TagUTF8String, "Orders")}))
			} else {
				leaf = w.issue(t, san(t, tc.names...))
			}
			_, err := judge(t, w.behind(tc.policy), leaf)
			assert.NoError(t, err)
			_, err = judge(t, w.behind(certauth.Not{Policy: tc.policy}), leaf)
			assert.Equal(t, certauth.ReasonPolicyRefused, reasonOf(err), "%v", err)
		})
	}
}
