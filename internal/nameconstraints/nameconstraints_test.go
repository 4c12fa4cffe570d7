package nameconstraints_test

import (
	"bytes"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
)

// finding C3: a minimum or a maximum was ignored, so a subtree covered more than the CA intended.
//
// RFC 5280, section 4.2.1.10, and the syntax of appendix A.2.
func TestParse_WhatTheRFCDoesNotAllowIsAnError(t *testing.T) {
	one := wrap(0x30, dns("a.example"))
	for _, tc := range []struct {
		name  string
		value []byte
		says  string // empty: accepted
	}{
		{"permitted subtrees", wrap(0x30, wrap(0xA0, one)), ""},
		{"excluded subtrees", wrap(0x30, wrap(0xA1, one)), ""},
		{"both", wrap(0x30, wrap(0xA0, one), wrap(0xA1, one)), ""},
		{"several of one form", wrap(0x30, wrap(0xA0, one, one)), ""},
		{"minimum 0 written out", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x80, 1, 0}))), ""},

		{"nothing", nil, "sequence"},
		{"an empty sequence", []byte{0x30, 0}, "neither"},
		{"an empty list of permitted subtrees", wrap(0x30, wrap(0xA0)), "without subtrees"},
		{"an empty list of excluded subtrees after permitted ones", wrap(0x30, wrap(0xA0, one), wrap(0xA1)), "without subtrees"},
		{"a byte behind", append(wrap(0x30, wrap(0xA0, one)), 0), "sequence"},
		{"a set", wrap(0x31, wrap(0xA0, one)), "sequence"},
		{"excluded before permitted", wrap(0x30, wrap(0xA1, one), wrap(0xA0, one)), "order"},
		{"permitted twice", wrap(0x30, wrap(0xA0, one), wrap(0xA0, one)), "order"},
		{"a third field", wrap(0x30, wrap(0xA0, one), wrap(0xA2, one)), "neither"},
		{"a primitive list", wrap(0x30, wrap(0x80, one)), "neither"},
		{"a list cut short", wrap(0x30, []byte{0xA0, 9, 0x30}), "order"},
		{"a subtree cut short", wrap(0x30, wrap(0xA0, []byte{0x30, 9, 0x82})), "subtree"},
		{"a subtree that is a set", wrap(0x30, wrap(0xA0, wrap(0x31, dns("a")))), "subtree"},
		{"a subtree without a base", wrap(0x30, wrap(0xA0, wrap(0x30))), "base"},
		{"a base of universal type", wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0x0C, []byte("a"))))), "GeneralName"},
		{"a base that is constructed", wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0xA2, dns("a"))))), "GeneralName"},
		{"a base of number 9", wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0x89, []byte("a"))))), "GeneralName"},
		{"an otherName without a type", wrap(0x30, wrap(0xA0, wrap(0x30, wrap(0xA0)))), "type"},
		{"minimum 1", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x80, 1, 1}))), "minimum"},
		{"minimum 0 twice", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x80, 1, 0, 0x80, 1, 0}))), "minimum"},
		{"minimum 256", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x80, 2, 1, 0}))), "minimum"},
		{"maximum 0", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x81, 1, 0}))), "maximum"},
		{"maximum 9 after minimum 0", wrap(0x30, wrap(0xA0, wrap(0x30, dns("a.example"), []byte{0x80, 1, 0, 0x81, 1, 9}))), "maximum"},
		{"a maximum in the second list", wrap(0x30, wrap(0xA0, one), wrap(0xA1, wrap(0x30, dns("a.example"), []byte{0x81, 1, 9}))), "maximum"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			parsed, err := nameconstraints.Parse(tc.value)
			if tc.says == "" {
				require.NoError(t, err)
				assert.NotNil(t, parsed)
				return
			}
			require.ErrorContains(t, err, tc.says)
			assert.Nil(t, parsed)
		})
	}
}

// result is the verdict on one name below one CA.
type result string

const (
	accepted   result = ""
	outside    result = "is outside the permitted subtrees"
	isExcluded result = "is excluded by"
	unreadable result = "is subject to a constraint and" // the name cannot be compared
	notApplied result = "is subject to the constraint"   // the constraint cannot be compared
)

// finding C2: constraints on directory names and other names were ignored, so a CA could issue for subjects outside of them.
//
// finding C11: if such a constraint was critical, every leaf was refused, even those inside.
//
// RFC 5280, section 4.2.1.10, for each form. Every row is tried as critical and as not critical, and with the CA as the root
// and as an intermediate.
func TestCheck_EveryForm(t *testing.T) {
	name := func(text string) []byte { return directory(t, utf8Text, text) }
	asPrintable := func(text string) []byte { return directory(t, printable, text) }
	const partner = "OU=Clients,O=Partner,C=DE"
	for _, tc := range []struct {
		name    string
		tree    []byte // permitted or excluded
		subject []byte // empty if nil
		alt     [][]byte
		want    result
	}{
		// directoryName: the initial RDNs, compared according to section 7.1.
		{"permitted directory name: inside", permitted(dir(name("O=Partner,C=DE"))), name("CN=a," + partner), nil, accepted},
		{"permitted directory name: the base itself", permitted(dir(name("O=Partner,C=DE"))), name("O=Partner,C=DE"), nil, accepted},
		{"permitted directory name: another string type, case and spacing", permitted(dir(asPrintable("O=PARTNER,C=DE"))), name(`CN=a,O=\ Partner,C=de`), nil, accepted},
		{"permitted directory name: another organization", permitted(dir(name("O=Partner,C=DE"))), name("CN=a,O=Other,C=DE"), nil, outside},
		{"permitted directory name: the same RDNs further down", permitted(dir(name("O=Partner,C=DE"))), name("CN=a,O=Partner,C=DE,O=Other"), nil, outside},
		{"permitted directory name: the opposite order", permitted(dir(name("O=Partner,C=DE"))), name("C=DE,O=Partner"), nil, outside},
		{"permitted directory name: shorter than the base", permitted(dir(name("O=Partner,C=DE"))), name("C=DE"), nil, outside},
		{"permitted directory name: the organization is only a part of the value", permitted(dir(name("O=Partner"))), name("O=Partner Two"), nil, outside},
		{"permitted directory name: two RDNs joined to one", permitted(dir(name("O=Partner,C=DE"))), name("O=Partner+C=DE"), nil, outside},
		{"permitted directory name: a set in another order", permitted(dir(name("O=Partner+C=DE"))), name("CN=a,C=DE+O=Partner"), nil, accepted},
		{"permitted directory name: a letter that looks alike", permitted(dir(name("O=Partner"))), name("O=P\u0430rtner"), nil, outside},
		{"permitted directory name: a Kelvin sign", permitted(dir(name("O=Kontor"))), name("O=\u212Aontor"), nil, outside},
		{"permitted directory name: one of two", permitted(dir(name("O=Other")), dir(name("O=Partner"))), name("CN=a,O=Partner"), nil, accepted},
		{"permitted directory name: an empty subject is no name", permitted(dir(name("O=Partner"))), nil, nil, accepted},
		{"permitted directory name: an empty base holds every name", permitted(dir(name(""))), name("CN=a"), nil, accepted},
		{"permitted directory name: an alternative name outside", permitted(dir(name("O=Partner"))), name("CN=a,O=Partner"), [][]byte{dir(name("CN=a,O=Other"))}, outside},
		{"permitted directory name: an alternative name inside, the subject outside", permitted(dir(name("O=Partner"))), name("CN=a"), [][]byte{dir(name("CN=a,O=Partner"))}, outside},
		{"permitted directory name: a subject that is no name", permitted(dir(name("O=Partner"))), []byte{0x30, 2, 0x31, 0}, nil, unreadable},
		{"permitted directory name: an alternative name that is none", permitted(dir(name("O=Partner"))), nil, [][]byte{wrap(0xA4, []byte{5, 0})}, unreadable},
		{"permitted directory name: a base that is none", permitted(wrap(0xA4, []byte{5, 0})), name("CN=a"), nil, notApplied},
		{"permitted directory name: a base that is none, and no name to hold against it", permitted(wrap(0xA4, []byte{5, 0})), nil, [][]byte{dns("a.example")}, accepted},
		{"permitted directory name: other forms are free", permitted(dir(name("O=Partner"))), nil, [][]byte{dns("a.example"), email("a@b"), uri("urn:a"), upn("a@b")}, accepted},
		{"excluded directory name: inside", excluded(dir(name("O=Partner,C=DE"))), name("CN=a," + partner), nil, isExcluded},
		{"excluded directory name: another string type and case", excluded(dir(asPrintable("O=PARTNER,C=DE"))), name("CN=a,O=partner,C=DE"), nil, isExcluded},
		{"excluded directory name: a spelling that cannot be compared", excluded(dir(name("O=Z\u00FCrich"))), name("O=Zu\u0308rich"), nil, isExcluded},
		{"excluded directory name: TeletexString beyond ASCII", excluded(dir(name("O=Z\u00FCrich"))), name("O=#14065AFC72696368"), nil, isExcluded},
		{"excluded directory name: another organization in Japanese (finding R20)", excluded(dir(name("O=Partner,C=JP"))), name("CN=a,O=\u65E5\u672C\u5546\u4E8B,C=JP"), nil, accepted},
		{"excluded directory name: an organization in Japanese, another one excluded (finding R20)", excluded(dir(name("O=\u6771\u4EAC\u5546\u4E8B,C=JP"))), name("CN=a,O=\u65E5\u672C\u5546\u4E8B,C=JP"), nil, accepted},
		{"excluded directory name: the organization in Japanese", excluded(dir(name("O=\u65E5\u672C\u5546\u4E8B,C=JP"))), name("CN=a,O=\u65E5\u672C\u5546\u4E8B,C=JP"), nil, isExcluded},
		{"excluded directory name: outside", excluded(dir(name("O=Partner,C=DE"))), name("CN=a,O=Other,C=DE"), nil, accepted},
		{"excluded directory name: shorter than the base", excluded(dir(name("O=Partner,C=DE"))), name("C=DE"), nil, accepted},
		{"excluded directory name: an empty base holds every name", excluded(dir(name(""))), name("CN=a"), nil, isExcluded},
		{"excluded directory name: an empty base, and an empty subject", excluded(dir(name(""))), nil, nil, accepted},

		// dNSName: the name itself and every name with more labels on the left.
		{"permitted DNS name: the name itself", permitted(dns("host.example")), nil, [][]byte{dns("host.example")}, accepted},
		{"permitted DNS name: a label more", permitted(dns("host.example")), nil, [][]byte{dns("www.HOST.example")}, accepted},
		{"permitted DNS name: a longer first label", permitted(dns("host.example")), nil, [][]byte{dns("host1.host.example.example")}, outside},
		{"permitted DNS name: a name that ends alike", permitted(dns("host.example")), nil, [][]byte{dns("ghost.example")}, outside},
		{"permitted DNS name: the domain above", permitted(dns("host.example")), nil, [][]byte{dns("example")}, outside},
		{"permitted DNS name: the second of two", permitted(dns("host.example")), nil, [][]byte{dns("host.example"), dns("evil.example")}, outside},
		{"permitted DNS name: none holds every name", permitted(dns("")), nil, [][]byte{dns("a.example")}, accepted},
		{"permitted DNS name: a dot in front leaves the domain itself out", permitted(dns(".host.example")), nil, [][]byte{dns("host.example")}, outside},
		{"permitted DNS name: a dot in front, a label more", permitted(dns(".host.example")), nil, [][]byte{dns("a.b.host.example")}, accepted},
		{"permitted DNS name: a wildcard below", permitted(dns("host.example")), nil, [][]byte{dns("*.host.example")}, accepted},
		{"permitted DNS name: a wildcard that reaches out", permitted(dns("www.host.example")), nil, [][]byte{dns("*.host.example")}, outside},
		{"permitted DNS name: an asterisk elsewhere", permitted(dns("host.example")), nil, [][]byte{dns("a*.host.example")}, unreadable},
		{"permitted DNS name: a NUL", permitted(dns("host.example")), nil, [][]byte{dns("evil.example\x00.host.example")}, unreadable},
		{"permitted DNS name: a dot at the end", permitted(dns("host.example")), nil, [][]byte{dns("host.example.")}, unreadable},
		{"permitted DNS name: beyond ASCII", permitted(dns("host.example")), nil, [][]byte{dns("b\u00FCro.host.example")}, unreadable},
		{"permitted DNS name: the A-label of the constraint", permitted(dns("xn--bro-hoa.example")), nil, [][]byte{dns("a.XN--bro-hoa.example")}, accepted},
		{"permitted DNS name: an empty name", permitted(dns("host.example")), nil, [][]byte{dns("")}, unreadable},
		{"permitted DNS name: a base with an asterisk", permitted(dns("*.host.example")), nil, [][]byte{dns("a.host.example")}, notApplied},
		{"permitted DNS name: a base with a dot at the end", permitted(dns("host.example.")), nil, [][]byte{dns("host.example")}, notApplied},
		{"permitted DNS name: a base beyond ASCII", permitted(dns("b\u00FCro.example")), nil, [][]byte{dns("a.example")}, notApplied},
		{"permitted DNS name: a base that is a dot", permitted(dns(".")), nil, [][]byte{dns("a.example")}, notApplied},
		{"permitted DNS name: a base with a NUL, and no name to hold against it", permitted(dns("a\x00b")), name("CN=a.example"), nil, accepted},
		{"excluded DNS name: the name itself", excluded(dns("host.example")), nil, [][]byte{dns("host.example")}, isExcluded},
		{"excluded DNS name: a label more, another case", excluded(dns("Host.example")), nil, [][]byte{dns("www.hOST.example")}, isExcluded},
		{"excluded DNS name: outside", excluded(dns("host.example")), nil, [][]byte{dns("ghost.example")}, accepted},
		{"excluded DNS name: a wildcard over it", excluded(dns("www.host.example")), nil, [][]byte{dns("*.Host.example")}, isExcluded},
		{"excluded DNS name: a wildcard that does not reach so deep", excluded(dns("a.www.host.example")), nil, [][]byte{dns("*.host.example")}, accepted},
		{"excluded DNS name: a wildcard below a dot", excluded(dns(".host.example")), nil, [][]byte{dns("*.host.example")}, isExcluded},
		{"excluded DNS name: none holds every name", excluded(dns("")), nil, [][]byte{dns("a.example")}, isExcluded},
		{"excluded DNS name: what cannot be read", excluded(dns("host.example")), nil, [][]byte{dns("a b")}, unreadable},

		// rfc822Name: a mailbox, all of a host, all hosts of a domain; sections 4.2.1.10 and 7.5.
		{"permitted mailbox", permitted(email("root@example.com")), nil, [][]byte{email("root@Example.COM")}, accepted},
		{"permitted mailbox: the local part has case", permitted(email("root@example.com")), nil, [][]byte{email("Root@example.com")}, outside},
		{"permitted mailbox: another", permitted(email("root@example.com")), nil, [][]byte{email("toor@example.com")}, outside},
		{"permitted host", permitted(email("example.com")), nil, [][]byte{email("a@example.com")}, accepted},
		{"permitted host: a host below is another", permitted(email("example.com")), nil, [][]byte{email("a@mail.example.com")}, outside},
		{"permitted domain: a host below", permitted(email(".example.com")), nil, [][]byte{email("a@b.mail.example.com")}, accepted},
		{"permitted domain: the domain itself", permitted(email(".example.com")), nil, [][]byte{email("a@example.com")}, outside},
		{"permitted address: none holds every mailbox", permitted(email("")), nil, [][]byte{email("a@example.com")}, accepted},
		{"permitted host: a quoted mailbox", permitted(email("example.com")), nil, [][]byte{email(`"a b"@example.com`)}, unreadable},
		{"permitted host: two at signs", permitted(email("example.com")), nil, [][]byte{email("a@evil.example@example.com")}, unreadable},
		{"permitted host: no at sign", permitted(email("example.com")), nil, [][]byte{email("example.com")}, unreadable},
		{"permitted host: an address literal", permitted(email("example.com")), nil, [][]byte{email("a@[10.0.0.1]")}, unreadable},
		{"permitted host: a NUL", permitted(email("example.com")), nil, [][]byte{email("a@evil.example\x00.example.com")}, unreadable},
		{"permitted host: an address in the subject", permitted(email("example.com")), name("E=a@example.com"), nil, accepted},
		{"permitted host: another in the subject", permitted(email("example.com")), name("E=a@evil.example"), nil, outside},
		{"permitted host: another in the subject, beside an alternative name inside", permitted(email("example.com")), name("E=a@evil.example"), [][]byte{email("a@example.com")}, outside},
		{"permitted host: another in the subject, beside a DNS name", permitted(email("example.com")), name("CN=a,E=a@evil.example"), [][]byte{dns("a.example")}, outside},
		{"permitted host: the second address of a set in the subject", permitted(email("example.com")), name("E=a@example.com+E=a@evil.example"), nil, outside},
		{"permitted host: an address in the subject that cannot be read", permitted(email("example.com")), name("E=#020105"), nil, unreadable},
		{"permitted host: a subject that is no name", permitted(email("example.com")), []byte{0x30, 2, 0x31, 0}, nil, unreadable},
		{"permitted host: an internationalized address, RFC 9598", permitted(email("example.com")), nil, [][]byte{other(eaiType, wrap(0x0C, []byte("\u00E9@evil.example")))}, unreadable},
		{"permitted host: a user principal name is no address", permitted(email("example.com")), nil, [][]byte{upn("a@evil.example")}, accepted},
		{"permitted address: a base that is none", permitted(email("a@b@c")), nil, [][]byte{email("a@b")}, notApplied},
		{"permitted address: a base with a dot after the at sign", permitted(email("a@.example.com")), nil, [][]byte{email("a@b.example.com")}, notApplied},
		{"excluded host", excluded(email("example.com")), nil, [][]byte{email("a@EXAMPLE.com")}, isExcluded},
		{"excluded host, an address in the subject", excluded(email("example.com")), name("E=a@example.com"), nil, isExcluded},
		{"excluded domain", excluded(email(".example.com")), nil, [][]byte{email("a@b.example.com")}, isExcluded},
		{"excluded mailbox", excluded(email("a@example.com")), nil, [][]byte{email("a@example.com")}, isExcluded},
		{"excluded mailbox: its neighbour", excluded(email("a@example.com")), nil, [][]byte{email("b@example.com")}, accepted},
		{"excluded address: none holds every mailbox", excluded(email("")), nil, [][]byte{email("b@example.com")}, isExcluded},

		// URI: the host, or every host below a domain.
		{"permitted URI host", permitted(uri("host.example")), nil, [][]byte{uri("spiffe://host.EXAMPLE/a")}, accepted},
		{"permitted URI host: with a user and a port", permitted(uri("host.example")), nil, [][]byte{uri("https://me:x@host.example:8443?x#y")}, accepted},
		{"permitted URI host: a host below is another", permitted(uri("host.example")), nil, [][]byte{uri("https://a.host.example/")}, outside},
		{"permitted URI domain: a host below", permitted(uri(".host.example")), nil, [][]byte{uri("https://a.b.host.example/")}, accepted},
		{"permitted URI domain: the domain itself", permitted(uri(".host.example")), nil, [][]byte{uri("https://host.example/")}, outside},
		{"permitted URI host: the user looks like it", permitted(uri("host.example")), nil, [][]byte{uri("https://host.example@evil.example/")}, outside},
		{"permitted URI host: a backslash", permitted(uri("host.example")), nil, [][]byte{uri(`https://evil.example\@host.example/`)}, unreadable},
		{"permitted URI host: two at signs", permitted(uri("host.example")), nil, [][]byte{uri("https://a@evil.example@host.example/")}, unreadable},
		{"permitted URI host: no authority", permitted(uri("host.example")), nil, [][]byte{uri("urn:uuid:1")}, unreadable},
		{"permitted URI host: an empty authority", permitted(uri("host.example")), nil, [][]byte{uri("file:///a")}, unreadable},
		{"permitted URI host: no scheme", permitted(uri("host.example")), nil, [][]byte{uri("//host.example/")}, unreadable},
		{"permitted URI host: no URI", permitted(uri("host.example")), nil, [][]byte{uri("host.example")}, unreadable},
		{"permitted URI host: an IPv4 address", permitted(uri("host.example")), nil, [][]byte{uri("https://10.0.0.1/")}, unreadable},
		{"permitted URI host: an IPv4 address in hex", permitted(uri("host.example")), nil, [][]byte{uri("https://10.0.0.0x1/")}, unreadable},
		{"permitted URI host: an IPv6 address", permitted(uri("host.example")), nil, [][]byte{uri("https://[::1]/")}, unreadable},
		{"permitted URI host: an escape", permitted(uri("host.example")), nil, [][]byte{uri("https://host%2Eexample/")}, unreadable},
		{"permitted URI host: a port that is none", permitted(uri("host.example")), nil, [][]byte{uri("https://host.example:80a/")}, unreadable},
		{"permitted URI host: a line feed", permitted(uri("host.example")), nil, [][]byte{uri("https://host.example\n.evil.example/")}, unreadable},
		{"permitted URI host: a space in the path", permitted(uri("host.example")), nil, [][]byte{uri("opc.tcp://host.example/a b")}, accepted},
		{"permitted URI host: none holds every host", permitted(uri("")), nil, [][]byte{uri("https://host.example/")}, accepted},
		{"permitted URI host: a base with a scheme", permitted(uri("https://host.example")), nil, [][]byte{uri("https://host.example/")}, notApplied},
		{"permitted URI host: a base that is an address", permitted(uri("10.0.0.1")), nil, [][]byte{uri("https://host.example/")}, notApplied},
		{"excluded URI host", excluded(uri("host.example")), nil, [][]byte{uri("https://HOST.example/")}, isExcluded},
		{"excluded URI domain", excluded(uri(".host.example")), nil, [][]byte{uri("https://a.host.example/")}, isExcluded},
		{"excluded URI host: another", excluded(uri("host.example")), nil, [][]byte{uri("https://evil.example/")}, accepted},
		{"excluded URI host: no authority", excluded(uri("host.example")), nil, [][]byte{uri("urn:uuid:1")}, unreadable},

		// iPAddress: address and mask.
		{"permitted IP address", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(192, 0, 2, 255)}, accepted},
		{"permitted IP address: outside", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(192, 0, 3, 0)}, outside},
		{"permitted IP address: bits beyond the mask do not count", permitted(ip(192, 0, 2, 9, 255, 255, 255, 128)), nil, [][]byte{ip(192, 0, 2, 127)}, accepted},
		{"permitted IP address: every IPv4 address, and an IPv6 one", permitted(ip(0, 0, 0, 0, 0, 0, 0, 0)), nil, [][]byte{ip(make([]byte, 16)...)}, outside},
		{"permitted IP address: IPv6", permitted(ip(bytes.Repeat([]byte{0xFF}, 32)...)), nil, [][]byte{ip(bytes.Repeat([]byte{0xFF}, 16)...)}, accepted},
		{"permitted IP address: IPv4 in IPv6 form", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1)}, unreadable},
		{"permitted IP address: five bytes", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(192, 0, 2, 1, 0)}, unreadable},
		{"permitted IP address: a mask with a gap", permitted(ip(192, 0, 2, 0, 255, 0, 255, 0)), nil, [][]byte{ip(192, 0, 2, 1)}, notApplied},
		{"permitted IP address: a mask with a gap in a byte", permitted(ip(192, 0, 2, 0, 255, 255, 255, 0xBF)), nil, [][]byte{ip(192, 0, 2, 1)}, notApplied},
		{"permitted IP address: no mask", permitted(ip(192, 0, 2, 0)), nil, [][]byte{ip(192, 0, 2, 0)}, notApplied},
		{"excluded IP address", excluded(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(192, 0, 2, 1)}, isExcluded},
		{"excluded IP address: bits beyond the mask do not count", excluded(ip(10, 200, 2, 0, 255, 255, 0, 0)), nil, [][]byte{ip(10, 200, 0, 241)}, isExcluded},
		{"excluded IP address: outside", excluded(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(192, 0, 3, 1)}, accepted},
		{"excluded IP address: IPv4 in IPv6 form", excluded(ip(192, 0, 2, 0, 255, 255, 255, 0)), nil, [][]byte{ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1)}, unreadable},

		// The forms for which RFC 5280 has no rule of comparison are refused if a name of the form
		// occurs.
		{"permitted user principal name: the same", permitted(upn("a@b")), nil, [][]byte{upn("a@b")}, notApplied},
		{"excluded user principal name: another", excluded(upn("a@b")), nil, [][]byte{upn("c@d")}, notApplied},
		{"permitted user principal name: none below", permitted(upn("a@b")), name("CN=a"), [][]byte{dns("a.example"), other(otherType, wrap(0x0C, []byte("a")))}, accepted},
		{"permitted otherName: an otherName without a type", permitted(upn("a@b")), nil, [][]byte{wrap(0xA0)}, notApplied},
		{"permitted mailbox: an otherName without a type", permitted(email("a@b")), nil, [][]byte{wrap(0xA0)}, unreadable},
		{"permitted X.400 address", permitted(x400), nil, [][]byte{x400}, notApplied},
		{"permitted X.400 address: none below", permitted(x400), name("CN=a"), [][]byte{dns("a.example")}, accepted},
		{"excluded EDI party name", excluded(ediParty), nil, [][]byte{ediParty}, notApplied},
		{"permitted registered ID", permitted(registry), nil, [][]byte{registry}, notApplied},
		{"permitted registered ID: none below", permitted(registry), name("CN=a"), nil, accepted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.subject == nil {
				tc.subject = []byte{0x30, 0}
			}
			ca, root := name("CN=CA,O=Issuers"), name("CN=Root,O=Issuers")
			leaf := cert(tc.subject, ca)
			if len(tc.alt) > 0 {
				leaf.Extensions = append(leaf.Extensions, altNames(tc.alt...))
			}
			for _, critical := range []bool{false, true} {
				extension := constraints(tc.tree)
				extension.Critical = critical
				for _, chain := range [][]*x509.Certificate{
					{leaf, cert(ca, ca, extension)},
					{leaf, cert(ca, root, extension), cert(root, root)},
				} {
					err := check(chain)
					parsed, parseErr := nameconstraints.Parse(extension.Value)
					require.NoError(t, parseErr)
					direct := parsed.Check(leaf)
					if tc.want == accepted {
						require.NoError(t, err)
						require.NoError(t, direct)
						continue
					}
					require.ErrorContains(t, err, string(tc.want))
					assert.ErrorContains(t, err, `name constraints of CA "CN=CA,O=Issuers" refuse the leaf: `)
					assert.ErrorContains(t, direct, string(tc.want))
				}
			}
		})
	}
}

// RFC 5280, sections 6.1.3 (b) and (c) and 6.1.4 (g): the constraints of every CA apply to every
// certificate below it, except to self-issued CA certificates.
func TestCheck_AlongTheChain(t *testing.T) {
	name := func(text string) []byte { return directory(t, utf8Text, text) }
	root, ca, sub := name("CN=Root,O=Partner"), name("CN=CA,O=Partner"), name("CN=Sub,O=Partner")
	inside, beyond := name("CN=a,O=Partner"), name("CN=a,O=Other")
	onlyPartner, notOther := constraints(permitted(dir(name("O=Partner")))), constraints(excluded(dir(name("O=Other"))))
	for _, tc := range []struct {
		name  string
		chain []*x509.Certificate
		says  string // empty: accepted
	}{
		{"no constraints at all", []*x509.Certificate{cert(beyond, ca), cert(ca, root), cert(root, root)}, ""},
		{"the leaf alone", []*x509.Certificate{cert(beyond, ca)}, ""},
		{"the leaf's own constraints are nobody's", []*x509.Certificate{cert(beyond, ca, onlyPartner), cert(ca, root), cert(root, root)}, ""},
		{"the root's constraints, the leaf outside", []*x509.Certificate{cert(beyond, ca), cert(ca, root), cert(root, root, onlyPartner)}, "refuse the leaf"},
		{"the root's constraints do not apply to itself", []*x509.Certificate{cert(inside, root), cert(root, root, constraints(excluded(dir(root))))}, ""},
		{"two CAs up", []*x509.Certificate{cert(beyond, sub), cert(sub, ca), cert(ca, root, onlyPartner), cert(root, root)}, "refuse the leaf"},
		{"an issuing CA outside, the leaf inside", []*x509.Certificate{cert(inside, beyond), cert(beyond, root), cert(root, root, onlyPartner)}, `refuse CA "CN=a,O=Other"`},
		{"an alternative name of the issuing CA outside", []*x509.Certificate{cert(inside, ca), cert(ca, root, altNames(dir(beyond))), cert(root, root, onlyPartner)}, `refuse CA "CN=CA,O=Partner"`},
		{"the CA above permits, the one below excludes", []*x509.Certificate{cert(beyond, ca), cert(ca, root, notOther), cert(root, root, constraints(permitted(dir(name("")))))}, "excluded"},
		{"permitted by both", []*x509.Certificate{cert(inside, ca), cert(ca, root, constraints(permitted(dir(name("CN=a,O=Partner"))))), cert(root, root, onlyPartner)}, ""},
		{"permitted by one of two", []*x509.Certificate{cert(name("CN=b,O=Partner"), ca), cert(ca, root, constraints(permitted(dir(name("CN=a,O=Partner"))))), cert(root, root, onlyPartner)}, "outside"},
		{"excluded within permitted", []*x509.Certificate{cert(inside, ca), cert(ca, root, constraints(permitted(dir(name("O=Partner"))), excluded(dir(inside)))), cert(root, root)}, "excluded"},
		{"each form by itself", []*x509.Certificate{cert(inside, ca, altNames(dns("a.evil.example"))), cert(ca, root, constraints(permitted(dir(name("O=Partner")), dns("host.example")))), cert(root, root)}, "DNS name"},
		{"a self-issued CA outside is exempt, the one that it is called after is not", []*x509.Certificate{cert(inside, beyond), cert(beyond, beyond), cert(beyond, root), cert(root, root, onlyPartner)}, `refuse CA "CN=a,O=Other"`},
		{"a self-issued leaf is not exempt", []*x509.Certificate{cert(beyond, beyond), cert(root, root, onlyPartner)}, "refuse the leaf"},
		{"what a self-issued CA constrains counts", []*x509.Certificate{cert(beyond, ca), cert(ca, ca, onlyPartner), cert(ca, root), cert(root, root)}, "refuse the leaf"},
		{"constraints that cannot be read, with nothing below them", []*x509.Certificate{cert(name(""), ca), cert(ca, root, constraints()), cert(root, root)}, `name constraints of CA "CN=CA,O=Partner": neither`},
		{"alternative names that cannot be read", []*x509.Certificate{cert(inside, ca, altNames([]byte{0x0C, 0})), cert(ca, root, onlyPartner), cert(root, root)}, "not a GeneralName"},
		{"alternative names that cannot be read and nobody constrains", []*x509.Certificate{cert(inside, ca, altNames([]byte{0x0C, 0})), cert(ca, root), cert(root, root)}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := check(tc.chain)
			if tc.says == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, tc.says)
		})
	}
	// The exemption itself: the constraint above would refuse the self-issued certificate.
	exempt := []*x509.Certificate{cert(inside, ca), cert(ca, name("CN=ca,O=PARTNER"), altNames(dns("evil.example"))), cert(ca, root, constraints(permitted(dns("host.example")))), cert(root, root)}
	require.NoError(t, check(exempt))
	exempt[1] = cert(ca, root, altNames(dns("evil.example")))
	require.ErrorContains(t, check(exempt), `refuse CA "CN=CA,O=Partner"`)
}

// Names of a form that the CA does not constrain are permitted, even if crypto/x509 refuses them.
func TestCheck_UnconstrainedNamesAreNotExamined(t *testing.T) {
	ca := directory(t, utf8Text, "CN=CA")
	odd := [][]byte{uri("urn:a b"), email(`"a b"@c`), email("\x00"), dns("a b"), ip(1), upn(""), other(eaiType, nil), registry, x400}
	for _, name := range odd {
		leaf := cert(ca, ca, altNames(name))
		trees := [][]byte{dns("host.example"), email("host.example"), uri("host.example"), ip(10, 0, 0, 0, 255, 0, 0, 0), dir(ca)}
		trees = slices.DeleteFunc(trees, func(tree []byte) bool { return tree[0]&0x1F == name[0]&0x1F })
		if bytes.Equal(name, other(eaiType, nil)) {
			trees = slices.DeleteFunc(trees, func(tree []byte) bool { return tree[0] == email("")[0] })
		}
		assert.NoError(t, check([]*x509.Certificate{leaf, cert(ca, ca, constraints(permitted(trees...)))}), "%x", name)
	}
}

// CVE-2018-16875 and CVE-2025-58187 Go: many names under many constraints took minutes.
func TestCheck_NamesAndConstraintsAreBounded(t *testing.T) {
	many := func(n int, one []byte) (list [][]byte) {
		for range n {
			list = append(list, one)
		}
		return list
	}
	_, err := nameconstraints.Parse(constraints(permitted(many(2000, dns("host.example"))...)).Value)
	require.NoError(t, err)
	_, err = nameconstraints.Parse(constraints(permitted(many(2001, dns("host.example"))...)).Value)
	require.ErrorContains(t, err, "more than")
	_, err = nameconstraints.Parse(constraints(permitted(many(2000, dns("host.example"))...), excluded(dns("a.example"))).Value)
	require.ErrorContains(t, err, "more than")

	below := func(trees, names int) error {
		ca := directory(t, utf8Text, "CN=CA")
		leaf := cert([]byte{0x30, 0}, ca, altNames(many(names, dns("a.example"))...))
		return check([]*x509.Certificate{leaf, cert(ca, ca, constraints(excluded(many(trees, dns("host.example"))...)))})
	}
	require.NoError(t, below(50, 1000))
	require.ErrorContains(t, below(51, 1000), "too many")
	require.NoError(t, below(2000, 25))
	require.ErrorContains(t, below(2000, 26), "too many")
	require.ErrorContains(t, below(1, 1001), "more than 1000 names")
}

// Client text is quoted and cut.
func TestCheck_ErrorsAreQuotedAndBounded(t *testing.T) {
	long := strings.Repeat("a", 5000)
	ca := directory(t, utf8Text, "CN=x\\0Ay"+long)
	leaf := cert([]byte{0x30, 0}, ca, altNames(dns("evil\r\n"+long)))
	for _, fields := range [][]byte{permitted(dns("host.example")), permitted(dns(long+"\n"), dns(long), dns(long), dns(long), dns(long)), excluded(dns("\n" + long))} {
		err := check([]*x509.Certificate{leaf, cert(ca, ca, constraints(fields))})
		require.Error(t, err)
		assert.Less(t, len(err.Error()), 1000)
		assert.NotContains(t, err.Error(), "\n")
	}
}
