package dn_test

import (
	"bytes"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// The structure of a name is exactly that of RFC 5280, appendix A.1.
func TestParse_FrameIsExact(t *testing.T) {
	const attribute = "300806035504030C0161" // CN=a
	for name, tc := range map[string]struct {
		der  string
		good bool
	}{
		"as it should be":                {"300C310A" + attribute, true},
		"a byte after the last RDN":      {"300D310A" + attribute + "31", false},
		"a byte after an attribute":      {"300D310B" + attribute + "30", false},
		"an RDN of something else":       {"300431020500", false},
		"an attribute of something else": {"300C310A310806035504030C0161", false},
		"a type that is no OID":          {"300C310A300804035504030C0161", false},
		"an OID of a half":               {"300A310830060601800C0161", false},
		"an OID that no keyword has":     {"300C310A300806032A03040C0161", true},
		"a byte after a value":           {"300D310B300906035504030C01610C", false},
		"a type without a value":         {"30093107300506035504" + "03", false},
	} {
		der, err := hex.DecodeString(tc.der)
		require.NoError(t, err, name)
		parsed, err := dn.Parse(der)
		assert.Equal(t, tc.good, err == nil, "%s: %v", name, err)
		assert.Equal(t, tc.good, parsed != nil, name)
	}
}

func TestParse_CountsAreBounded(t *testing.T) {
	one := attribute(t, cn, value(utf8Text, "twenty-one characters"))
	for rdns, want := range map[int]bool{64: true, 65: false} {
		name, err := dn.Parse(sequence(slices.Repeat([][]byte{one}, rdns)...))
		assert.Equal(t, want, err == nil, "%d RDNs", rdns)
		if want {
			assert.Len(t, name, rdns)
		}
	}
	for attributes, want := range map[int]bool{16: true, 17: false} {
		_, err := dn.Parse(wrap(0x30, wrap(0x31, slices.Repeat([][]byte{one}, attributes)...)))
		assert.Equal(t, want, err == nil, "%d attributes", attributes)
	}
}

// The alphabets of X.680, section 41: a value outside the alphabet of its type is not read as text.
// In addition to the characters of PrintableString, crypto/x509 accepts an asterisk and an
// ampersand.
func TestParse_AlphabetsOfTheStringTypes(t *testing.T) {
	const letters, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "0123456789"
	var ascii []byte
	for c := range 0x80 {
		ascii = append(ascii, byte(c))
	}
	for tag, alphabet := range map[byte]string{
		18: digits + " ", 19: letters + digits + " '()+,-./:=?*&", 20: string(ascii), 22: string(ascii), 12: string(ascii),
	} {
		for c := range 256 {
			name, err := dn.Parse(wrap(0x30, wrap(0x31, wrap(0x30, []byte("\x06\x03\x55\x04\x03"), wrap(tag, []byte{byte(c)})))))
			require.NoError(t, err)
			want := strings.IndexByte(alphabet, byte(c)) >= 0
			assert.Equal(t, want, name.Readable(), "tag %d, byte %02x", tag, c)
			assert.Equal(t, want, len(name.Values(cn)) == 1, "tag %d, byte %02x", tag, c)
			assert.Equal(t, 1, name.Count(cn))
			assert.Zero(t, name.Count(o))
		}
	}
}

func TestName_Reversed(t *testing.T) {
	a, b := text(cn, "a"), text(o, "b")
	assert.Equal(t, dn.Name{b, a}, dn.Name{a, b}.Reversed())
	for _, tc := range []struct {
		left, right dn.Name
		want        bool
	}{
		{dn.Name{a, b}, dn.Name{b, a}, true},
		{dn.Name{a, b}, dn.Name{a, b}, false},
		{dn.Name{a, a}, dn.Name{a}, false},
		{dn.Name{a}, dn.Name{a, a}, false},
		{dn.Name{a}, dn.Name{b}, false},
		{dn.Name{}, dn.Name{}, true},
	} {
		assert.Equal(t, tc.want, tc.left.EqualReversed(tc.right), "%v and %v", tc.left, tc.right)
	}
}

// RFC 4514, section 2.4, allows hex for any character: the control characters of C0 and C1, and
// DEL, are written in hex, and no others.
func TestName_StringEscapesEveryControlCharacter(t *testing.T) {
	for r := rune(0); r < 0x180; r++ {
		control := r < 0x20 || r >= 0x7F && r < 0xA0
		want := "CN=x" + string(r) + "x"
		if control {
			want = "CN=x" + escaped(string(r)) + "x"
		} else if strings.ContainsRune(`,+"\<>;=`, r) {
			want = `CN=x\` + string(r) + "x"
		}
		assert.Equal(t, want, dn.Name{text(cn, "x"+string(r)+"x")}.String())
	}
}

func escaped(s string) (hexed string) {
	for _, c := range []byte(s) {
		hexed += `\` + strings.ToUpper(hex.EncodeToString([]byte{c}))
	}
	return hexed
}

// RFC 4518, sections 2.2 and 2.6.1: names that differ in the position of a space are not equal, a
// space followed by a mark is not a space, and a key separates its parts unambiguously.
func TestMatch_NamesThatMustNotFallTogether(t *testing.T) {
	one := func(s string) []byte { return sequence(attribute(t, cn, value(utf8Text, s))) }
	universal := func(code ...byte) []byte {
		return wrap(0x30, wrap(0x31, wrap(0x30, []byte("\x06\x03\x55\x04\x03"), wrap(0x1C, code))))
	}
	set := wrap(0x30, wrap(0x31, attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b"))))
	for name, pair := range map[string][2][]byte{
		"a space more after a space":      {one("a b c"), one("a bc")},
		"a space elsewhere":               {one("ab c"), one("a bc")},
		"a space and two before a mark":   {one("a \u0301"), one("a  \u0301")},
		"Thai sara am":                    {one("a \u0E33"), one("a  \u0E33")},
		"Lao sign am":                     {one("a \u0EB3"), one("a  \u0EB3")},
		"a halfwidth voiced sound mark":   {one("a \uFF9E"), one("a  \uFF9E")},
		"a halfwidth semi-voiced mark":    {one("a \uFF9F"), one("a  \uFF9F")},
		"the key of a set as a text":      {set, sequence(attribute(t, o, value(utf8Text, "b2.5.4.3foldeda")))},
		"two surrogates, no characters":   {universal(0, 0, 0xD8, 0), universal(0, 0, 0xD8, 1)},
		"beyond Unicode":                  {universal(0, 0x11, 0, 0), universal(0, 0x11, 0, 1)},
		"beyond Unicode, above the sign":  {universal(0x80, 0, 0, 0x41), universal(0, 0, 0, 0x41)},
		"a surrogate and the replacement": {universal(0, 0, 0xD8, 0), universal(0, 0, 0xFF, 0xFD)},
	} {
		assert.False(t, dn.Match(pair[0], pair[1]), name)
		left, err := dn.Fold(pair[0])
		require.NoError(t, err, name)
		right, err := dn.Fold(pair[1])
		require.NoError(t, err, name)
		assert.NotEqual(t, left, right, name)
	}
	assert.True(t, dn.Match(universal(0, 0x10, 0xFF, 0xFF), one("\U0010FFFF")), "the last code point")
	assert.True(t, dn.Match(universal(0, 0, 0, 0x41), one("a")))
	octets := sequence(attribute(t, cn, wrap(4, []byte{0, 0, 0, 0x41})))
	assert.False(t, dn.Match(octets, one("a")), "no UniversalString")
	assert.False(t, parsed(t, octets).Differs(parsed(t, one("b"))), "it cannot be read")
	assert.False(t, bytes.Equal(universal(0, 0, 0, 0x41), one("a")))
}

// A deny list lets a name pass only if it certainly differs. If a value can be read only up to its
// first unusual character, only the part before that counts (RFC 4518, section 2.2, maps control
// characters to nothing, so they do not distinguish names).
func TestName_Differs_AsFarAsAValueCanBeRead(t *testing.T) {
	one := func(tag byte, content string) dn.Name {
		return parsed(t, wrap(0x30, wrap(0x31, wrap(0x30, []byte("\x06\x03\x55\x04\x03"), wrap(tag, []byte(content))))))
	}
	for _, tag := range []byte{12, 19, 20, 22} {
		assert.True(t, one(tag, "ab\xFC").Differs(one(12, "xyz")), "tag %d", tag)
		assert.True(t, one(12, "xyz").Differs(one(tag, "ab\xFC")), "tag %d", tag)
		assert.False(t, one(tag, "ab\xFC").Differs(one(12, "ab\u00FC")), "tag %d", tag)
	}
	assert.True(t, one(18, "12\xFC").Differs(one(12, "345")))
	assert.False(t, one(18, "12\xFC").Differs(one(12, "12\u00FC")))
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"xx\x1Fyy", "xxyy", false},
		{"ab\x7Fc", "abc", false},
		{"ab~c", "ab~d", true},
		{"ab~c", "AB~C", false},
		{"abc\u0308", "a", true},
		{"abc\u0308", "abd", false},
		{"abc\u0308", "ab\u0308", false},
		{"abc\u0308", "axc\u0308", true},
	} {
		assert.Equal(t, tc.want, one(12, tc.a).Differs(one(12, tc.b)), "%q and %q", tc.a, tc.b)
		assert.Equal(t, tc.want, one(12, tc.b).Differs(one(12, tc.a)), "%q and %q", tc.b, tc.a)
	}
}

// finding R20: a deny list took every name in Japanese, Chinese, Korean, Arabic or Hebrew for the listed one, and every
// Greek name with an accent, so that a CA which excludes one organization could not issue for any such name.
//
// RFC 4518 changes none of these letters: RFC 3454, table B.2, does not list them, and NFKC (Unicode 3.2) leaves them as
// they are. It joins some of them with a mark that follows, so the last letter before a mark does not count.
func TestName_Differs_InScriptsWithoutCase(t *testing.T) {
	one := func(content string) dn.Name {
		return parsed(t, wrap(0x30, wrap(0x31, wrap(0x30, []byte("\x06\x03\x55\x04\x03"), wrap(12, []byte(content))))))
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"\u4F50\u85E4", "\u7530\u4E2D", true},             // two family names in Japanese
		{"\u4F50\u85E4", "\u4F50\u85E4", false},            // the same
		{"\u4F50\u85E4", "Partner", true},                  // and a name in Latin
		{"\u4F50\u3005\u6728", "\u4F50\u4F50\u6728", true}, // an iteration mark
		{"\uAE40\uCCA0\uC218", "\uAE40\uC601\uD76C", true}, // in Korean
		{"\u0639\u0644\u064A", "\u0639\u0645\u0631", true}, // in Arabic
		{"\u05D3\u05DF", "\u05D3\u05D5\u05D3", true},       // in Hebrew
		{"\u03AC\u03BB", "\u03AC\u03BC", true},             // in Greek, with an accent

		// The same text by RFC 4518, or a text for which this package does not know it.
		{"\u30AB\u3099", "\u30AC", false},                 // ka with a voicing mark is ga
		{"\uFF76\uFF9E", "\u30AC", false},                 // and so it is in half-width letters
		{"\u2F00", "\u4E00", false},                       // a radical
		{"\uF900", "\u8C48", false},                       // a compatibility ideograph
		{"\uAC00\u11A8", "\uAC01", false},                 // a syllable and a final consonant
		{"\u1100\u1161", "\uAC00", false},                 // a syllable in parts
		{"\u0627\u0653", "\u0622", false},                 // alef and madda
		{"\uFE8D", "\u0627", false},                       // a presentation form
		{"\uFB21", "\u05D0", false},                       // a wide letter
		{"\u03AC", "\u03B1\u0301", false},                 // alpha and an accent
		{"\u0386", "\u03AC", false},                       // capital alpha with an accent
		{"\u4F50\u200B\u85E4", "\u4F50\u85E4", false},     // a zero-width space
		{"\u4F50\U000E0100\u85E4", "\u4F50\u85E4", false}, // a variation selector
		{"\u9FA6", "\u4E00", false},                       // unassigned in Unicode 3.2
		{"\u4DB6", "\u4E00", false},
		{"\u3097", "\u3041", false},
	} {
		assert.Equal(t, tc.want, one(tc.a).Differs(one(tc.b)), "%+q and %+q", tc.a, tc.b)
		assert.Equal(t, tc.want, one(tc.b).Differs(one(tc.a)), "%+q and %+q", tc.b, tc.a)
	}
}
