package dn_test

import (
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

const tagUniversal = 28

// value returns an attribute value of a string type, whose content is UTF-8 unless the type has
// another encoding.
func value(tag int, s string) []byte {
	content := []byte(s)
	switch tag {
	case asn1.TagBMPString:
		content = nil
		for _, unit := range utf16.Encode([]rune(s)) {
			content = binary.BigEndian.AppendUint16(content, unit)
		}
	case tagUniversal:
		content = nil
		for _, r := range s {
			content = binary.BigEndian.AppendUint32(content, uint32(r))
		}
	}
	return wrap(byte(tag), content)
}

func wrap(tag byte, parts ...[]byte) []byte {
	var content []byte
	for _, part := range parts {
		content = append(content, part...)
	}
	if len(content) < 0x80 {
		return append([]byte{tag, byte(len(content))}, content...)
	}
	return append([]byte{tag, 0x82, byte(len(content) >> 8), byte(len(content))}, content...)
}

func attribute(t testing.TB, oid string, value []byte) []byte {
	t.Helper()
	var id asn1.ObjectIdentifier
	for arc := range strings.SplitSeq(oid, ".") {
		var n int
		_, err := fmt.Sscan(arc, &n)
		require.NoError(t, err)
		id = append(id, n)
	}
	kind, err := asn1.Marshal(id)
	require.NoError(t, err)
	return wrap(0x30, kind, value)
}

// sequence returns a name with one attribute per RDN.
func sequence(attributes ...[]byte) []byte {
	var rdns [][]byte
	for _, one := range attributes {
		rdns = append(rdns, wrap(0x31, one))
	}
	return wrap(0x30, rdns...)
}

func parsed(t testing.TB, der []byte) dn.Name {
	t.Helper()
	name, err := dn.Parse(der)
	require.NoError(t, err)
	return name
}

const (
	printable = asn1.TagPrintableString
	utf8Text  = asn1.TagUTF8String
	ia5       = asn1.TagIA5String
	t61       = asn1.TagT61String
	bmp       = asn1.TagBMPString
)

// finding C12: an issuer in another string type, letter case or spacing than the CA's subject was not taken
// for the same name, although RFC 5280, section 7.1, says that the names match. finding C4: nor did a deny
// list match it.
//
// The expectations are those of RFC 5280, section 7.1, and RFC 4518, sections 2.1 to 2.6. differs is whether
// a deny list that contains the first name may let the second one pass.
func TestMatch_RFC5280Section7_1(t *testing.T) {
	const email = dn.OIDEmailAddress
	one := func(tag int, s string) []byte { return sequence(attribute(t, cn, value(tag, s))) }
	for _, tc := range []struct {
		name           string
		a, b           []byte
		match, differs bool
	}{
		{"the same bytes", one(utf8Text, "Partner CA"), one(utf8Text, "Partner CA"), true, false},
		{"PrintableString and UTF8String", one(printable, "Partner CA"), one(utf8Text, "Partner CA"), true, false},
		{"PrintableString and BMPString", one(printable, "Partner CA"), one(bmp, "Partner CA"), true, false},
		{"PrintableString and UniversalString", one(printable, "Partner CA"), one(tagUniversal, "Partner CA"), true, false},
		{"PrintableString and TeletexString in ASCII", one(printable, "Partner CA"), one(t61, "Partner CA"), true, false},
		{"BMPString and UTF8String beyond ASCII", one(bmp, "Z\u00FCrich CA"), one(utf8Text, "Z\u00FCrich CA"), true, false},
		{"IA5String and UTF8String of a domain component", sequence(attribute(t, dc, value(ia5, "Example"))), sequence(attribute(t, dc, value(utf8Text, "example"))), true, false},
		{"IA5String and UTF8String of an e-mail address", sequence(attribute(t, email, value(ia5, "A@Example.com"))), sequence(attribute(t, email, value(utf8Text, "a@example.com"))), true, false},
		{"letter case in ASCII", one(utf8Text, "PARTNER ca"), one(utf8Text, "partner CA"), true, false},
		{"letter case in Latin", one(utf8Text, "\u00C9COLE \u0141\u00D3D\u0179"), one(utf8Text, "\u00E9cole \u0142\u00F3d\u017A"), true, false},
		{"letter case in Greek and Cyrillic", one(utf8Text, "\u0391\u0398 \u041F\u0401"), one(utf8Text, "\u03B1\u03B8 \u043F\u0451"), true, false},
		{"a space in front", one(utf8Text, " Partner CA"), one(utf8Text, "Partner CA"), true, false},
		{"spaces at the end", one(utf8Text, "Partner CA  "), one(utf8Text, "Partner CA"), true, false},
		{"two spaces within", one(utf8Text, "Partner  CA"), one(utf8Text, "Partner CA"), true, false},
		{"a no-break space within", one(utf8Text, "Partner\u00A0CA"), one(utf8Text, "Partner CA"), true, false},
		{"an ideographic space and a space", one(utf8Text, "Partner \u3000CA"), one(utf8Text, "Partner CA"), true, false},
		{"an empty value and a space", one(utf8Text, ""), one(utf8Text, " "), true, false},
		{"a set in another order", wrap(0x30, wrap(0x31, attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b")))), wrap(0x30, wrap(0x31, attribute(t, o, value(printable, "B")), attribute(t, cn, value(printable, "A")))), true, false},
		{"no RDN at all", sequence(), sequence(), true, false},

		{"no space within", one(utf8Text, "PartnerCA"), one(utf8Text, "Partner CA"), false, true},
		{"another text", one(utf8Text, "Partner CA"), one(utf8Text, "Partner CB"), false, true},
		{"a text and its beginning", one(utf8Text, "Partner CA 1"), one(utf8Text, "Partner CA"), false, true},
		{"another attribute", one(utf8Text, "a"), sequence(attribute(t, o, value(utf8Text, "a"))), false, true},
		{"one RDN more", sequence(attribute(t, cn, value(utf8Text, "a")), attribute(t, cn, value(utf8Text, "a"))), one(utf8Text, "a"), false, true},
		{"the opposite order", sequence(attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b"))), sequence(attribute(t, o, value(utf8Text, "b")), attribute(t, cn, value(utf8Text, "a"))), false, true},
		{"two RDNs and a set of two", sequence(attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b"))), wrap(0x30, wrap(0x31, attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b")))), false, true},
		{"an attribute twice in a set", wrap(0x30, wrap(0x31, attribute(t, cn, value(utf8Text, "a")), attribute(t, cn, value(utf8Text, "a")))), one(utf8Text, "a"), false, true},
		{"a value that holds the separator of another", one(utf8Text, "a,O=b"), sequence(attribute(t, cn, value(utf8Text, "a")), attribute(t, o, value(utf8Text, "b"))), false, true},
		{"an accent", one(utf8Text, "Zurich"), one(utf8Text, "Z\u00FCrich"), false, true},
		{"a Cyrillic letter that looks Latin", one(utf8Text, "\u0430"), one(utf8Text, "a"), false, true},
		{"a Greek letter that looks Latin", one(utf8Text, "\u0391"), one(utf8Text, "A"), false, true},

		// Names that the RFC treats as equal and this package does not: they never match, and a
		// deny list treats them as listed.
		{"a long s", one(utf8Text, "te\u017Ft"), one(utf8Text, "test"), false, false},
		{"a Kelvin sign", one(utf8Text, "\u212Aelvin"), one(utf8Text, "kelvin"), false, false},
		{"an Angstrom sign", one(utf8Text, "\u212B"), one(utf8Text, "\u00E5"), false, false},
		{"a sharp s", one(utf8Text, "Stra\u00DFe"), one(utf8Text, "Strasse"), false, false},
		{"a final sigma", one(utf8Text, "\u03C2"), one(utf8Text, "\u03C3"), false, false},
		{"a ligature", one(utf8Text, "\uFB01rma"), one(utf8Text, "firma"), false, false},
		{"full-width letters", one(utf8Text, "\uFF21\uFF22"), one(utf8Text, "AB"), false, false},
		{"a combining accent", one(utf8Text, "Zu\u0308rich"), one(utf8Text, "Z\u00FCrich"), false, false},
		{"a soft hyphen", one(utf8Text, "Part\u00ADner"), one(utf8Text, "Partner"), false, false},
		{"a zero-width space", one(utf8Text, "Part\u200Bner"), one(utf8Text, "Partner"), false, false},
		{"a NUL", one(utf8Text, "Part\x00ner"), one(utf8Text, "Partner"), false, false},
		{"a tab for a space", one(utf8Text, "Partner\tCA"), one(utf8Text, "Partner CA"), false, false},
		{"a variation selector", one(utf8Text, "A\uFE0F"), one(utf8Text, "A"), false, false},
		{"case beside a control character", one(utf8Text, "A\x01"), one(utf8Text, "a\x01"), false, false},
		{"a space that carries a mark", one(utf8Text, "a \u0301"), one(utf8Text, "a  \u0301"), false, false},
		{"a space that carries the mark of a Thai vowel", one(utf8Text, " \u0E33"), one(utf8Text, "\u0E33"), false, false},
		{"an i with a dot", one(utf8Text, "\u0130"), one(utf8Text, "i"), false, false},

		// Values that cannot be decoded.
		{"TeletexString beyond ASCII, the same bytes", one(t61, "M\xFCller"), one(t61, "M\xFCller"), true, false},
		{"TeletexString beyond ASCII and the letter it may stand for", one(t61, "M\xFCller"), one(utf8Text, "M\u00FCller"), false, false},
		{"TeletexString that holds UTF-8", one(t61, "M\u00FCller"), one(utf8Text, "M\u00F6ller"), false, false},
		{"TeletexString beyond ASCII that begins otherwise", one(t61, "Foo M\xFCller"), one(utf8Text, "Bar"), false, true},
		{"PrintableString with a character it has not, in another case", one(printable, "a_b"), one(utf8Text, "A_B"), false, false},
		{"PrintableString with a character it has not, and another text", one(printable, "a_b"), one(utf8Text, "a_c"), false, true},
		{"BMPString with a surrogate", one(bmp, "\U0001F600"), one(utf8Text, "\U0001F600"), false, false},
		{"BMPString of odd length", sequence(attribute(t, cn, []byte{bmp, 1, 'a'})), one(utf8Text, "b"), false, false},
		{"UniversalString that is no character", sequence(attribute(t, cn, []byte{tagUniversal, 4, 0, 0x11, 0, 0})), one(utf8Text, "b"), false, false},
		{"UTF8String that is not UTF-8", one(utf8Text, "a\xFF"), one(utf8Text, "a"), false, false},
		{"an integer and its text", sequence(attribute(t, cn, []byte{2, 1, 5})), one(utf8Text, "5"), false, false},
		{"an integer, the same bytes", sequence(attribute(t, cn, []byte{2, 1, 5})), sequence(attribute(t, cn, []byte{2, 1, 5})), true, false},
		{"an integer in a sequence that begins alike", one(utf8Text, "a\xFFb"), one(utf8Text, "b"), false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.match, dn.Match(tc.a, tc.b))
			assert.Equal(t, tc.match, dn.Match(tc.b, tc.a))
			assert.Equal(t, tc.differs, parsed(t, tc.a).Differs(parsed(t, tc.b)))
			assert.Equal(t, tc.differs, parsed(t, tc.b).Differs(parsed(t, tc.a)))
		})
	}
}

// The key is used in maps, so a name that cannot be read has no key, and two such names match only
// if their bytes are equal.
func TestFold_WhatIsNoNameHasNoKey(t *testing.T) {
	for name, input := range map[string][]byte{
		"nothing":           {},
		"not a sequence":    {0x31, 0},
		"a trailing byte":   {0x30, 0, 0},
		"an empty RDN":      {0x30, 2, 0x31, 0},
		"too many RDNs":     sequence(make65(attribute(t, cn, value(utf8Text, "a")))...),
		"a value cut short": {0x30, 0x0C, 0x31, 0x0A, 0x30, 8, 6, 3, 0x55, 4, 3, 0x0C, 2, 'a'},
	} {
		key, err := dn.Fold(input)
		require.Error(t, err, name)
		assert.Empty(t, key, name)
		assert.True(t, dn.Match(input, input), name)
		assert.False(t, dn.Match(input, sequence()), name)
	}
}

// A sender chooses the length of a name. A long one has no key and matches itself alone.
func TestFold_ALongNameHasNoKey(t *testing.T) {
	name := func(letter string, size int) []byte {
		const around = 21 // what surrounds the text
		der := sequence(attribute(t, cn, value(utf8Text, strings.Repeat(letter, size-around))))
		require.Len(t, der, size)
		return der
	}
	assert.True(t, dn.Match(name("a", 2048), name("A", 2048)))
	assert.False(t, dn.Match(name("a", 2049), name("A", 2049)))
	assert.True(t, dn.Match(name("a", 2049), name("a", 2049)))
	_, err := dn.Fold(name("a", 2049))
	assert.ErrorContains(t, err, "more than 2048 bytes")
}

func make65(attribute []byte) (many [][]byte) {
	for range 65 {
		many = append(many, attribute)
	}
	return many
}

// RFC 3454, table B.2, lists the characters that are equal under case folding. Except for spaces,
// only those may have the same key.
func TestFold_NoCharacterFoldsToAnotherThanTheRFCSays(t *testing.T) {
	file, err := os.ReadFile("testdata/rfc3454-b2.txt")
	require.NoError(t, err)
	table := map[string]string{}
	for line := range strings.Lines(string(file)) {
		if from, to, found := strings.Cut(strings.TrimSpace(line), ";"); found && line[0] != '#' {
			table[from] = to
		}
	}
	require.Equal(t, "0061", table["0041"])
	folded := func(r rune) string {
		code := fmt.Sprintf("%04X", r)
		if to, listed := table[code]; listed {
			return to
		}
		return code
	}
	kin := map[string]rune{} // key to the first character that has it
	pairs := 0
	for r := rune(1); r < 0x10500; r++ {
		if unicode.Is(unicode.Cs, r) || unicode.Is(unicode.Zs, r) {
			continue
		}
		key, err := dn.Fold(sequence(attribute(t, cn, value(utf8Text, string(r)))))
		require.NoError(t, err)
		first, known := kin[key]
		if !known {
			kin[key] = r
			continue
		}
		assert.Equal(t, folded(first), folded(r), "%U and %U", first, r)
		pairs++
	}
	assert.Greater(t, pairs, 200)
}
