package dn_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

const (
	cn, ou, o, c, dc = "2.5.4.3", "2.5.4.11", "2.5.4.10", "2.5.4.6", "0.9.2342.19200300.100.1.25"
)

func text(oid, value string) []dn.Attribute { return []dn.Attribute{{OID: oid, Text: value}} }

// The DER of the names was written by hand according to X.690 and RFC 5280, appendix A.
func TestParse_DER(t *testing.T) {
	for _, tc := range []struct {
		name, der string
		want      dn.Name
	}{
		{"no RDN at all", "3000", dn.Name{}},
		{"UTF8String", "300C310A300806035504030C0161", dn.Name{text(cn, "a")}},
		{"PrintableString", "300C310A30080603550403130161", dn.Name{text(cn, "a")}},
		{"IA5String", "300C310A30080603550403160161", dn.Name{text(cn, "a")}},
		{"NumericString", "300C310A30080603550403120131", dn.Name{text(cn, "1")}},
		{"NumericString with a letter stays DER", "300C310A30080603550403120161", dn.Name{{{OID: cn, Raw: []byte{0x12, 1, 0x61}}}}},
		{"PrintableString with an at sign stays DER", "300C310A30080603550403130140", dn.Name{{{OID: cn, Raw: []byte{0x13, 1, 0x40}}}}},
		{"PrintableString with an asterisk, as crypto/x509 takes it", "300C310A3008060355040313012A", dn.Name{text(cn, "*")}},
		{"TeletexString in ASCII", "300C310A30080603550403140161", dn.Name{text(cn, "a")}},
		{"TeletexString beyond ASCII stays DER", "300C310A300806035504031401E9", dn.Name{{{OID: cn, Raw: []byte{0x14, 1, 0xE9}}}}},
		{"BMPString", "300D310B300906035504031E0200E9", dn.Name{text(cn, "\u00E9")}},
		{"finding R41: UniversalString, which crypto/x509 reads since Go 1.27", "300F310D300B06035504031C04000000E9", dn.Name{text(cn, "\u00E9")}},
		{"UniversalString of odd length stays DER", "300E310C300A06035504031C03000000", dn.Name{{{OID: cn, Raw: []byte{0x1C, 3, 0, 0, 0}}}}},
		{"UniversalString with a surrogate stays DER", "300F310D300B06035504031C040000D83D", dn.Name{{{OID: cn, Raw: []byte{0x1C, 4, 0, 0, 0xD8, 0x3D}}}}},
		{"BMPString of odd length stays DER", "300C310A300806035504031E0161", dn.Name{{{OID: cn, Raw: []byte{0x1E, 1, 0x61}}}}},
		{"BMPString with a surrogate stays DER", "300D310B300906035504031E02D83D", dn.Name{{{OID: cn, Raw: []byte{0x1E, 2, 0xD8, 0x3D}}}}},
		{"UTF8String that is not UTF-8 stays DER", "300C310A300806035504030C01FF", dn.Name{{{OID: cn, Raw: []byte{0x0C, 1, 0xFF}}}}},
		{"an integer stays DER", "300C310A30080603550403020105", dn.Name{{{OID: cn, Raw: []byte{2, 1, 5}}}}},
		{"two RDNs in the order of the DER", "3018310A3008060355040A0C0162310A300806035504030C0161", dn.Name{text(o, "b"), text(cn, "a")}},
		{"one RDN with two attributes", "301631143008060355040A0C01623008060355 04030C0161", dn.Name{{{OID: o, Text: "b"}, {OID: cn, Text: "a"}}}},
	} {
		der, err := hex.DecodeString(strings.ReplaceAll(tc.der, " ", ""))
		require.NoError(t, err, tc.name)
		name, err := dn.Parse(der)
		require.NoError(t, err, tc.name)
		assert.True(t, name.Equal(tc.want), "%s: %v", tc.name, name)
		assert.True(t, name.Reversed().Reversed().Equal(name))
	}
	for name, text := range map[string]string{
		"nothing":                    "",
		"a trailing byte":            "300000",
		"not a sequence":             "3100",
		"an empty RDN":               "30023100",
		"a sequence for a set":       "300C300A300806035504030C0161",
		"truncated":                  "300C310A300806035504030C01",
		"an attribute without value": "3009310730050603550403",
		"an attribute with two":      "300F310D300B06035504030C01610C0162",
	} {
		der, err := hex.DecodeString(text)
		require.NoError(t, err, name)
		_, err = dn.Parse(der)
		assert.Error(t, err, name)
	}
}

// RFC 4514, sections 2 and 3, the examples in its section 4, and the additions of RFC 2253.
func TestParseString_RFC4514(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       dn.Name
	}{
		{"RFC 4514, example 1", "UID=jsmith,DC=example,DC=net", dn.Name{text(dc, "net"), text(dc, "example"), text("0.9.2342.19200300.100.1.1", "jsmith")}},
		{"RFC 4514, example 2", "OU=Sales+CN=J.  Smith,DC=example,DC=net", dn.Name{text(dc, "net"), text(dc, "example"), {{OID: ou, Text: "Sales"}, {OID: cn, Text: "J.  Smith"}}}},
		{"RFC 4514, example 3", `CN=James \"Jim\" Smith\, III,DC=example,DC=net`, dn.Name{text(dc, "net"), text(dc, "example"), text(cn, `James "Jim" Smith, III`)}},
		{"RFC 4514, example 4", `CN=Before\0dAfter,DC=example,DC=net`, dn.Name{text(dc, "net"), text(dc, "example"), text(cn, "Before\rAfter")}},
		{"RFC 4514, example 5, an OCTET STRING", "1.3.6.1.4.1.1466.0=#04024869", dn.Name{{{OID: "1.3.6.1.4.1.1466.0", Raw: []byte{4, 2, 0x48, 0x69}}}}},
		{"RFC 4514, example 6", `CN=Lu\C4\8Di\C4\87`, dn.Name{text(cn, "Lu\u010Di\u0107")}},
		{"RFC 2253, quotes", `O="Sue, Grabbit and Runn",C=GB`, dn.Name{text(c, "GB"), text(o, "Sue, Grabbit and Runn")}},
		{"quotes around a plus sign and an escape", `CN="a+b\"c"`, dn.Name{text(cn, `a+b"c`)}},
		{"RFC 2253, spaces around separators", " CN = a , O = b ", dn.Name{text(o, "b"), text(cn, "a")}},
		{"spaces around quotes and hex", `CN= "a" , O= #0C0162 , OU=c`, dn.Name{text(ou, "c"), text(o, "b"), text(cn, "a")}},
		{"spaces at the ends of a quoted value stay", `CN=" a "`, dn.Name{text(cn, " a ")}},
		{"escaped spaces at the ends stay", `CN=\ a\ `, dn.Name{text(cn, " a ")}},
		{"a number sign in the middle", "CN=a#b", dn.Name{text(cn, "a#b")}},
		{"an equals sign in a value", "CN=a=b", dn.Name{text(cn, "a=b")}},
		{"an escaped number sign in front", `CN=\#a`, dn.Name{text(cn, "#a")}},
		{"keywords in any case", "cn=a,Ou=b", dn.Name{text(ou, "b"), text(cn, "a")}},
		{"the names of openssl, .NET and Azure", "E=a@b,S=c,ST=d", dn.Name{text("2.5.4.8", "d"), text("2.5.4.8", "c"), text("1.2.840.113549.1.9.1", "a@b")}},
		{"hex of a string type is text", "CN=#0C0161", dn.Name{text(cn, "a")}},
		{"an empty value, as openssl prints it", "CN=a,OU=,O=b", dn.Name{text(o, "b"), text(ou, ""), text(cn, "a")}},
		{"an empty value at the end", "CN=a,OU= ", dn.Name{text(ou, ""), text(cn, "a")}},
		{"an empty value in quotes", `OU="",CN=a`, dn.Name{text(cn, "a"), text(ou, "")}},
		{"an empty value in a set", "OU=+CN=a", dn.Name{{{OID: ou}, {OID: cn, Text: "a"}}}},
		{"an empty value in hex", "OU=#0C00,CN=a", dn.Name{text(cn, "a"), text(ou, "")}},
		{"an OID as .NET and Java write it", "OID.2.5.4.97=PSDDE-BAFIN-1,CN=a", dn.Name{text(cn, "a"), text("2.5.4.97", "PSDDE-BAFIN-1")}},
		{"an OID as RFC 1779 allows it", "oid.2.5.4.3=a", dn.Name{text(cn, "a")}},
		{"an OID with a large second arc", "2.999=a", dn.Name{text("2.999", "a")}},
		{"an OID with a large arc", "1.2.2147483647=a", dn.Name{text("1.2.2147483647", "a")}},
	} {
		name, err := dn.ParseString(tc.text)
		if assert.NoError(t, err, tc.name) {
			assert.True(t, name.Equal(tc.want), "%s: %v", tc.name, name)
		}
	}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "empty name"},
		{"spaces", "  ", "empty name"},
		{"a value alone", "a", "without an equals sign"},
		{"an unknown keyword", "XYZ=a", `attribute "XYZ" is not known`},
		// finding N130: the advice was to give the OID of "/O" or "subject".
		{"the form of OpenSSL before 1.1", "/O=Contoso/CN=orders", `as openssl x509 -nameopt RFC2253 prints it, without "subject="`},
		{"a line of openssl x509 -subject", "subject=CN = orders, O = Contoso", `as openssl x509 -nameopt RFC2253 prints it, without "subject="`},
		{"a line of openssl x509 -issuer", "issuer=CN=CA", `as openssl x509 -nameopt RFC2253 prints it, without "subject="`},
		{"no keyword", "=a", `attribute "" is not known`},
		{"an OID of one number", "2=a", `attribute "2" is not known`},
		// finding T44: X.660: the first arc is 0, 1 or 2, and below the former two the second is at most 39.
		{"an OID that lacks a dot", "25.4.3=a", "is not known"},
		{"an OID that no certificate can have", "1.40=a", "is not known"},
		{"an OID with an empty number", "2..5=a", "is not known"},
		{"an OID with a leading zero", "2.05.4=a", "is not known"},
		{"one empty value", "CN=", "name without a value"},
		{"one empty value in quotes", `CN=""`, "name without a value"},
		{"empty values alone", "CN=,OU=+O=", "name without a value"},
		{"OID and no number", "OID.=a", "is not known"},
		{"OID twice", "OID.OID.2.5=a", "is not known"},
		{"OID without a dot", "OID2.5.4.3=a", "is not known"},
		{"a comma at the end", "CN=a,", "without an equals sign"},
		{"a comma in front", ",CN=a", "is not known"},
		{"two commas", "CN=a,,O=b", "is not known"},
		{"a plus sign at the end", "CN=a+", "without an equals sign"},
		{"a semicolon, as RFC 1779 had", "CN=a;O=b", "must be escaped"},
		{"a quote within a value", `CN=a"b`, "must be escaped"},
		{"a quote that does not end", `CN="a`, "quoted value does not end"},
		{"text after a quoted value", `CN="a"b`, "after a value"},
		{"a backslash at the end", `CN=a\`, "backslash at the end"},
		{"a backslash before a letter", `CN=a\g`, "backslash before a character that is never escaped"},
		{"half a hex pair", `CN=a\4`, "backslash before"},
		{"an angle bracket", "CN=a<b", "must be escaped"},
		{"the other angle bracket", "CN=a>b", "must be escaped"},
		{"a NUL", "CN=a\x00b", "must be escaped"},
		{"hex that is not UTF-8", `CN=\FF`, "value is not UTF-8"},
		{"text that is not UTF-8", "CN=\xFF", "not UTF-8"},
		{"half a byte of DER", "CN=#0C016", "not whole bytes"},
		{"no DER", "CN=#", "not whole bytes"},
		{"two values of DER", "CN=#0C01610C0162", "not one DER value"},
		{"truncated DER", "CN=#0C0261", "not one DER value"},
		{"text after DER", "CN=#0C0161 x", "after a value"},
		{"a quoted value with bad bytes", `CN="\FF"`, "value is not UTF-8"},
		{"a quoted value with a backslash before a letter", `CN="a\g"`, "backslash before"},
		{"two values of DER, the second of one byte", "CN=#0C016100", "not one DER value"},
	} {
		parsed, err := dn.ParseString(tc.text)
		assert.ErrorContains(t, err, tc.want, "%s: %v", tc.name, parsed)
		assert.Nil(t, parsed, tc.name)
	}
}

func TestName_EqualIsStructural(t *testing.T) {
	name := func(s string) dn.Name {
		parsed, err := dn.ParseString(s)
		require.NoError(t, err, s)
		return parsed
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"CN=a,O=b", "CN=a,O=b", true},
		{"CN=a,O=b", "O=b,CN=a", false},
		{"CN=a+O=b", "O=b+CN=a", true},
		{"CN=a+O=b", "CN=a,O=b", false},
		{"CN=a+CN=a", "CN=a", false},
		{"CN=a+CN=b", "CN=a+CN=a", false},
		{"CN=a+CN=a", "CN=a+CN=b", false},
		{"CN=a", "CN=A", false},
		{"CN=a", `CN=a\ `, false},
		{"CN=a", "O=a", false},
		{"CN=a,O=b", "CN=a", false},
		{"CN=#020105", "CN=#020105", true},
		{"CN=#020105", "CN=#020106", false},
		{"CN=#020105", `CN=\#020105`, false},
	} {
		assert.Equal(t, tc.want, name(tc.a).Equal(name(tc.b)), "%s and %s", tc.a, tc.b)
		assert.Equal(t, tc.want, name(tc.b).Equal(name(tc.a)), "%s and %s", tc.b, tc.a)
	}
	assert.Equal(t, []string{"b", "a"}, name("CN=a,O=x,CN=b").Values(cn))
	assert.Equal(t, []string{"a"}, name("CN=a+CN=#020105").Values(cn))
	assert.Empty(t, name("CN=a").Values(o))
}

// RFC 4514, section 2.4: only what must be escaped is escaped, and also control characters.
func TestName_StringEscapes(t *testing.T) {
	for value, want := range map[string]string{
		"a":         "CN=a",
		"a,b":       `CN=a\,b`,
		`+"\<>;`:    `CN=\+\"\\\<\>\;`,
		"#a#":       `CN=\#a#`,
		" a ":       `CN=\ a\ `,
		"  ":        `CN=\ \ `,
		"a\r\nb":    `CN=a\0D\0Ab`,
		"a\x00":     `CN=a\00`,
		"a\u0085":   `CN=a\C2\85`,
		"\u010D":    "CN=\u010D",
		"a=b":       `CN=a\=b`,
		"\uFFFD":    `CN=\EF\BF\BD`,
		"\u00E9 a ": "CN=\u00E9 a\\ ",
	} {
		assert.Equal(t, want, dn.Name{text(cn, value)}.String())
	}
	assert.Equal(t, "CN=a+OU=b,1.2.3=#020105", dn.Name{{{OID: "1.2.3", Raw: []byte{2, 1, 5}}}, {{OID: cn, Text: "a"}, {OID: ou, Text: "b"}}}.String())
	assert.Empty(t, dn.Name{}.String())
}

// The beginning is that of String, and the rest of a long value is not even read.
func TestName_BriefEndsSoonAfterItsLimit(t *testing.T) {
	name := dn.Name{{{OID: ou, Text: "partner"}}, {{OID: cn, Text: "client"}, {OID: "1.2.3", Raw: []byte{2, 1, 5}}}}
	for most, want := range map[int]string{
		100: "CN=client+1.2.3=#020105,OU=partner", 25: "CN=client+1.2.3=#020105,OU=partner", 24: "CN=client+1.2.3=#020105,",
		10: "CN=client+1.2.3=#020105,", 9: "CN=client", 3: "CN=cli", 0: "",
	} {
		assert.Equal(t, want, name.Brief(most), most)
	}
	assert.Equal(t, "1.2.3=#0201", dn.Name{{{OID: "1.2.3", Raw: []byte{2, 1, 5}}}}.Brief(2))
	assert.Equal(t, "CN="+strings.Repeat(`\0D`, 8), dn.Name{text(cn, strings.Repeat("\r", 1<<20))}.Brief(8))
}

func TestQuote_IsForLogs(t *testing.T) {
	assert.Equal(t, `"CN=a"`, dn.Quote([]byte("\x30\x0C\x31\x0A\x30\x08\x06\x03\x55\x04\x03\x0C\x01a")))
	assert.Equal(t, "(unreadable name)", dn.Quote([]byte("\x30\x0C\x31")))
}
