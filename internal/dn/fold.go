package dn

import (
	"bytes"
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

// RFC 5280, section 7.1, compares names after the string preparation of RFC 4518 with the case
// folding of caseIgnoreMatch: string type, letter case and spacing do not matter. This file
// implements a part of these steps, chosen so that names with the same key always match by the
// RFC:
//
//   - The letters of the table cased below fold to lower case: those of Latin, Greek, Cyrillic
//     and Armenian that pair one to one. Others stay as they are, such as U+017F and U+212A,
//     which RFC 4518 maps to s and k, and U+00DF, which it maps to two characters.
//   - Spaces (category Zs) at the ends are removed, and several inner ones count as one.
//   - Nothing is normalised, because the standard library lacks the tables of NFKC. Composed
//     and decomposed letters differ here, and so do ligatures and the letters that they
//     represent.
//   - Text with a character that is not graphic, or that RFC 4518 prohibits or maps to nothing,
//     is compared exactly as decoded; a value that cannot be decoded is compared as DER.
//
// Where this does less than the RFC demands, two spellings of one name have different keys. A
// rule that refuses the names it lists must therefore use [Name.Differs] and not compare keys.

// cased holds the capital letters that fold. In RFC 3454, table B.2, each folds to its small
// letter alone, and NFKC leaves both unchanged.
var cased = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 'A', Hi: 'Z', Stride: 1},
	{Lo: 0x00C0, Hi: 0x00D6, Stride: 1},
	{Lo: 0x00D8, Hi: 0x00DE, Stride: 1},
	{Lo: 0x0100, Hi: 0x012E, Stride: 2},
	{Lo: 0x0134, Hi: 0x0136, Stride: 2},
	{Lo: 0x0139, Hi: 0x013D, Stride: 2},
	{Lo: 0x0141, Hi: 0x0147, Stride: 2},
	{Lo: 0x014A, Hi: 0x0176, Stride: 2},
	{Lo: 0x0178, Hi: 0x0179, Stride: 1},
	{Lo: 0x017B, Hi: 0x017D, Stride: 2},
	{Lo: 0x0218, Hi: 0x021A, Stride: 2},
	{Lo: 0x0391, Hi: 0x03A1, Stride: 1},
	{Lo: 0x03A4, Hi: 0x03A9, Stride: 1},
	{Lo: 0x0400, Hi: 0x042F, Stride: 1},
	{Lo: 0x0460, Hi: 0x0480, Stride: 2},
	{Lo: 0x048A, Hi: 0x04BE, Stride: 2},
	{Lo: 0x0531, Hi: 0x0556, Stride: 1},
	{Lo: 0x1EA0, Hi: 0x1EF8, Stride: 2},
}, LatinOffset: 3}

// unchanged holds letters that RFC 4518 leaves as they are: RFC 3454, table B.2, does not fold them,
// NFKC does not change them, and they do not combine with the character before them, all by Unicode
// 3.2, as RFC 4518 requires. They are accented small letters of Greek, Hebrew, Arabic, kana, Chinese
// characters and Hangul. [Name.Differs] can tell names in these scripts apart.
var unchanged = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x03AC, Hi: 0x03AF, Stride: 1},
	{Lo: 0x03CA, Hi: 0x03CE, Stride: 1},
	{Lo: 0x05D0, Hi: 0x05EA, Stride: 1},
	{Lo: 0x0621, Hi: 0x063A, Stride: 1},
	{Lo: 0x0641, Hi: 0x064A, Stride: 1},
	{Lo: 0x3005, Hi: 0x3007, Stride: 1},
	{Lo: 0x3041, Hi: 0x3096, Stride: 1},
	{Lo: 0x30A1, Hi: 0x30FE, Stride: 1},
	{Lo: 0x3400, Hi: 0x4DB5, Stride: 1},
	{Lo: 0x4E00, Hi: 0x9FA5, Stride: 1},
	{Lo: 0xAC00, Hi: 0xD7A3, Stride: 1},
}}

// unprepared holds the graphic characters that RFC 4518 prohibits or maps to nothing.
var unprepared = &unicode.RangeTable{R16: []unicode.Range16{
	{Lo: 0x0340, Hi: 0x0341, Stride: 1},
	{Lo: 0x034F, Hi: 0x034F, Stride: 1},
	{Lo: 0x180B, Hi: 0x180D, Stride: 1},
	{Lo: 0xFE00, Hi: 0xFE0F, Stride: 1},
	{Lo: 0xFFFC, Hi: 0xFFFD, Stride: 1},
}}

// maxFolded bounds the DER of a name that is folded, because anybody can send names of any length, and
// folding them takes time. The upper bounds of RFC 5280, appendix A.1, are 64 characters for most
// attributes.
const maxFolded = 2 << 10

// Fold returns a key for the name in the DER of an RDNSequence, for use in maps. Two names have
// the same key only if they match by RFC 5280, section 7.1. If [Parse] cannot read the name, or if
// it is longer than 2 KiB, Fold returns an error.
func Fold(input []byte) (string, error) {
	if len(input) > maxFolded {
		return "", fmt.Errorf("more than %d bytes", maxFolded)
	}
	name, err := Parse(input)
	if err != nil {
		return "", err
	}
	return sized(name.FoldRDNs()...), nil
}

// Match reports whether two names in DER match by RFC 5280, section 7.1. Identical bytes match
// even if they are not readable; names that [Fold] does not fold match in no other spelling.
func Match(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	left, errA := Fold(a)
	right, errB := Fold(b)
	return errA == nil && errB == nil && left == right
}

// FoldRDNs returns a key for each RDN, in order. Two RDNs have the same key only if they match by
// RFC 5280, section 7.1; the order of attributes within an RDN does not matter.
func (n Name) FoldRDNs() []string {
	keys := make([]string, 0, len(n))
	for _, rdn := range n {
		attributes := make([]string, 0, len(rdn))
		for i := range rdn {
			attributes = append(attributes, rdn[i].fold())
		}
		slices.Sort(attributes)
		keys = append(keys, strings.Join(attributes, ""))
	}
	return keys
}

// fold returns a key that is not a prefix of another attribute's key.
func (a *Attribute) fold() string {
	if a.Raw != nil {
		return sized(a.OID, "DER", string(a.Raw))
	}
	if folded, ok := prepare(a.Text); ok {
		return sized(a.OID, "folded", folded)
	}
	return sized(a.OID, "exact", a.Text)
}

// sized concatenates the parts, each preceded by its length.
func sized(parts ...string) string {
	var key strings.Builder
	var room [binary.MaxVarintLen64]byte
	for _, part := range parts {
		key.Write(binary.AppendUvarint(room[:0], uint64(len(part))))
		key.WriteString(part)
	}
	return key.String()
}

// prepare folds a text. It returns false if the text must stay as it is.
func prepare(text string) (string, bool) {
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) || unicode.Is(unprepared, r) }) {
		return "", false
	}
	var b strings.Builder
	b.Grow(len(text))
	gap := false // write a space before the next character
	for i, r := range text {
		if isSpace(r) && !combines(text[i+utf8.RuneLen(r):]) {
			gap = b.Len() > 0
			continue
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		}
		b.WriteRune(lower(r))
	}
	return b.String(), true
}

func isSpace(r rune) bool { return r == ' ' || r > unicode.MaxASCII && unicode.Is(unicode.Zs, r) }

// combines reports whether the text begins with a combining mark, or with one of the four letters
// that NFKC turns into one. In RFC 4518, section 2.6.1, a space followed by a mark is not a
// space.
func combines(text string) bool {
	switch r, _ := utf8.DecodeRuneInString(text); r {
	case 0x0E33, 0x0EB3, 0xFF9E, 0xFF9F:
		return true
	default:
		return r > unicode.MaxASCII && unicode.Is(unicode.M, r)
	}
}

func lower(r rune) rune {
	if unicode.Is(cased, r) {
		return unicode.ToLower(r)
	}
	return r
}

// Differs reports whether the names certainly do not match by RFC 5280, section 7.1. It returns
// false for the same name in another string type, case or spacing, and whenever this package
// cannot decide: for text that it does not normalise, and values that it cannot decode. Deny
// lists use it, because a name that they cannot read must count as listed.
func (n Name) Differs(other Name) bool { return n.Prepare().Differs(other.Prepare()) }

// Prepared is a name whose values are folded already, for names that are compared many times.
type Prepared [][]preparedAttribute

// preparedAttribute holds what [Attribute.certain] returns.
type preparedAttribute struct {
	oid, text string
	whole     bool
}

// Prepare folds the values of a name for [Prepared.Differs].
func (n Name) Prepare() Prepared {
	prepared := make(Prepared, 0, len(n))
	for _, rdn := range n {
		attributes := make([]preparedAttribute, 0, len(rdn))
		for i := range rdn {
			text, whole := rdn[i].certain()
			attributes = append(attributes, preparedAttribute{rdn[i].OID, text, whole})
		}
		prepared = append(prepared, attributes)
	}
	return prepared
}

// Differs is [Name.Differs].
func (p Prepared) Differs(other Prepared) bool {
	return !slices.EqualFunc(p, other, func(a, b []preparedAttribute) bool {
		return len(a) == len(b) && eachHasTwin(a, b) && eachHasTwin(b, a)
	})
}

func eachHasTwin(a, b []preparedAttribute) bool {
	for i := range a {
		if !a[i].hasTwin(b) {
			return false
		}
	}
	return true
}

func (a *preparedAttribute) hasTwin(list []preparedAttribute) bool {
	for i := range list { // without copies, because a CA determines how often this runs
		if !a.differs(&list[i]) {
			return true
		}
	}
	return false
}

// differs takes a text that is not whole for that of every attribute that begins with it.
func (a *preparedAttribute) differs(b *preparedAttribute) bool {
	same := a.text == b.text || !a.whole && strings.HasPrefix(b.text, a.text) || !b.whole && strings.HasPrefix(a.text, b.text)
	return a.oid != b.oid || !same
}

// certain returns the folded text up to the first character for which the result of RFC 4518 is
// uncertain. whole reports whether that is the entire text.
func (a *Attribute) certain() (text string, whole bool) {
	text = a.Text
	if a.Raw != nil {
		text = singleBytes(a.Raw)
	}
	end, last := 0, 0 // end of the certain part, and start of its last character
	for i, r := range text {
		if !isCertain(r) {
			break
		}
		end, last = i+utf8.RuneLen(r), i
	}
	whole = end == len(text) && (a.Raw == nil || text != "")
	if !whole {
		end = last // what follows can combine with the last character
	}
	folded, _ := prepare(text[:end])
	return folded, whole
}

// isCertain reports whether RFC 4518 maps the character in the same way as lower does.
func isCertain(r rune) bool {
	return ' ' <= r && r <= '~' || unicode.Is(cased, r) || unicode.Is(unchanged, r) ||
		r > unicode.MaxASCII && unicode.Is(cased, unicode.ToUpper(r)) && lower(unicode.ToUpper(r)) == r
}

// singleBytes returns a string whose type encodes ASCII in single bytes. Other bytes are
// unreadable, even if they look like UTF-8.
func singleBytes(raw []byte) string {
	value, _, ok := der.Read(raw)
	if !ok {
		return ""
	}
	switch value.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagT61String, asn1.TagNumericString:
		var b strings.Builder
		for _, c := range value.Content {
			if c >= utf8.RuneSelf {
				b.WriteRune(utf8.RuneError)
				continue
			}
			b.WriteByte(c)
		}
		return b.String()
	}
	return ""
}
