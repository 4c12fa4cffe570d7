// Package dn reads distinguished names from DER and from RFC 4514 strings and
// compares them structurally: attribute by attribute, in order, never as text.
package dn

import (
	"bytes"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// Attribute is one AttributeTypeAndValue of RFC 5280, section 4.1.2.4. Text holds a value of a
// string type in UTF-8; Raw holds any other value in DER.
type Attribute struct {
	OID  string
	Text string
	Raw  []byte
}

// Name is a sequence of relative distinguished names in the order of the DER, from the most
// general to the most specific.
type Name [][]Attribute

// Names with more RDNs, and RDNs with more attributes, are refused, because comparing sets takes
// quadratic time.
const (
	maxRDNs       = 64
	maxAttributes = 16
)

// Parse reads a name from the DER of an RDNSequence.
func Parse(input []byte) (Name, error) {
	sequence, rest, ok := der.Read(input)
	if !ok || len(rest) > 0 || sequence.Tag != der.Sequence {
		return nil, errors.New("not an RDNSequence")
	}
	name := make(Name, 0, 4)
	for rest = sequence.Content; len(rest) > 0; {
		var element der.Element
		if element, rest, ok = der.Read(rest); !ok {
			return nil, errors.New("not an RDNSequence")
		}
		if len(name) == maxRDNs {
			return nil, fmt.Errorf("more than %d RDNs", maxRDNs)
		}
		rdn, err := parseRDN(element)
		if err != nil {
			return nil, err
		}
		name = append(name, rdn)
	}
	return name, nil
}

func parseRDN(element der.Element) ([]Attribute, error) {
	if element.Tag != der.Set {
		return nil, errors.New("not a RelativeDistinguishedName")
	}
	if len(element.Content) == 0 {
		return nil, errors.New("empty RelativeDistinguishedName")
	}
	rdn := make([]Attribute, 0, 1)
	for rest := element.Content; len(rest) > 0; {
		var pair der.Element
		var ok bool
		if pair, rest, ok = der.Read(rest); !ok {
			return nil, errors.New("not a RelativeDistinguishedName")
		}
		if len(rdn) == maxAttributes {
			return nil, fmt.Errorf("more than %d attributes in an RDN", maxAttributes)
		}
		attribute, err := parseAttribute(pair)
		if err != nil {
			return nil, err
		}
		rdn = append(rdn, attribute)
	}
	return rdn, nil
}

func parseAttribute(pair der.Element) (Attribute, error) {
	if pair.Tag != der.Sequence {
		return Attribute{}, errors.New("not an AttributeTypeAndValue")
	}
	kind, rest, ok := der.Read(pair.Content)
	if !ok || kind.Tag != der.OID {
		return Attribute{}, errors.New("attribute without a type")
	}
	oid, err := oidOf(kind)
	if err != nil {
		return Attribute{}, err
	}
	value, rest, ok := der.Read(rest)
	if !ok || len(rest) > 0 {
		return Attribute{}, errors.New("attribute without exactly one value")
	}
	attribute := Attribute{OID: oid}
	if text, ok := decodeString(value); ok {
		attribute.Text = text
	} else {
		attribute.Raw = value.Full
	}
	return attribute, nil
}

// oidOf returns an attribute type in dotted form. Types that have a keyword are looked up.
func oidOf(element der.Element) (string, error) {
	if known, ok := knownOIDs[string(element.Content)]; ok {
		return known, nil
	}
	var oid asn1.ObjectIdentifier
	if _, err := asn1.Unmarshal(element.Full, &oid); err != nil {
		return "", errors.New("attribute without a type")
	}
	return oid.String(), nil
}

// decodeString returns the text of the string types of RFC 5280's DirectoryString and of
// IA5String. TeletexString is read only if it is plain ASCII, because implementations disagree
// about its other characters.
func decodeString(value der.Element) (string, bool) {
	switch value.Tag { // universal and primitive
	case asn1.TagUTF8String:
		return string(value.Content), utf8.Valid(value.Content)
	case asn1.TagIA5String, asn1.TagT61String:
		return string(value.Content), isASCII(value.Content)
	case asn1.TagPrintableString:
		return string(value.Content), !slices.ContainsFunc(value.Content, isNotPrintable)
	case asn1.TagNumericString:
		return string(value.Content), !slices.ContainsFunc(value.Content, isNotNumeric)
	case asn1.TagBMPString:
		return DecodeBMP(value.Content)
	case tagUniversalString:
		return decodeWide(value.Content, 4)
	}
	return "", false
}

// DecodeBMP returns the text of a BMPString.
func DecodeBMP(b []byte) (string, bool) { return decodeWide(b, 2) }

const tagUniversalString = 28

// decodeWide returns the text of a BMPString or UniversalString, which have two or four bytes per character.
// Neither has surrogates.
func decodeWide(content []byte, width int) (string, bool) {
	var b strings.Builder
	for char := range slices.Chunk(content, width) {
		code := rune(0)
		for _, c := range char {
			code = code<<8 | rune(c)
		}
		if len(char) < width || !utf8.ValidRune(code) {
			return "", false
		}
		b.WriteRune(code)
	}
	return b.String(), true
}

// isNotPrintable reports whether the character is outside PrintableString. Like crypto/x509, it
// permits an asterisk and an ampersand, because CAs have written them.
func isNotPrintable(c byte) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(" '()+,-./:=?*&", c) >= 0)
}

func isNotNumeric(c byte) bool { return c != ' ' && (c < '0' || c > '9') }

func isASCII(b []byte) bool {
	return !slices.ContainsFunc(b, func(c byte) bool { return c >= utf8.RuneSelf })
}

// Equal reports whether both names hold the same attributes in the same order. Within a
// multi-valued RDN, which is a set, order does not matter. Values compare exactly as decoded:
// case, spaces and repeated attributes matter.
func (n Name) Equal(other Name) bool {
	return slices.EqualFunc(n, other, equalRDN)
}

func equalRDN(a, b []Attribute) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].among(a) != a[i].among(b) {
			return false
		}
	}
	return true
}

// among returns how often the attribute occurs in the RDN.
func (a *Attribute) among(rdn []Attribute) int {
	n := 0
	for i := range rdn {
		if a.equal(&rdn[i]) {
			n++
		}
	}
	return n
}

func (a *Attribute) equal(b *Attribute) bool {
	return a.OID == b.OID && a.Text == b.Text && bytes.Equal(a.Raw, b.Raw) && (a.Raw == nil) == (b.Raw == nil)
}

// EqualReversed reports whether the other name holds the same RDNs in the opposite order.
func (n Name) EqualReversed(other Name) bool {
	if len(n) != len(other) {
		return false
	}
	for i := range n {
		if !equalRDN(n[i], other[len(other)-1-i]) {
			return false
		}
	}
	return true
}

// Reversed returns the name with its RDNs in the opposite order. It is used to tell an operator
// that a name was written in the wrong order.
func (n Name) Reversed() Name {
	reversed := slices.Clone(n)
	slices.Reverse(reversed)
	return reversed
}

// Values returns every text value of the attribute type, most specific last.
func (n Name) Values(oid string) []string {
	var values []string
	for _, rdn := range n {
		for _, attribute := range rdn {
			if attribute.OID == oid && attribute.Raw == nil {
				values = append(values, attribute.Text)
			}
		}
	}
	return values
}

// Count returns the number of attributes of the type, whether or not their values are text.
func (n Name) Count(oid string) int {
	count := 0
	for _, rdn := range n {
		for _, attribute := range rdn {
			if attribute.OID == oid {
				count++
			}
		}
	}
	return count
}

// Readable reports whether every value was decoded as text.
func (n Name) Readable() bool {
	return !slices.ContainsFunc(n, func(rdn []Attribute) bool {
		return slices.ContainsFunc(rdn, func(a Attribute) bool { return a.Raw != nil })
	})
}

// String formats the name as RFC 4514 does, with the most specific RDN first.
func (n Name) String() string { return n.Brief(math.MaxInt) }

// Brief is String for texts that are cut afterwards: it ends soon after this number of bytes.
func (n Name) Brief(most int) string {
	var b strings.Builder
	for i, rdn := range slices.Backward(n) {
		if i < len(n)-1 {
			b.WriteByte(',')
		}
		for j, attribute := range rdn {
			if b.Len() >= most {
				return b.String()
			}
			if j > 0 {
				b.WriteByte('+')
			}
			b.WriteString(attribute.keyword())
			b.WriteByte('=')
			if attribute.Raw != nil {
				b.WriteString("#" + hex.EncodeToString(attribute.Raw[:min(len(attribute.Raw), most)]))
				continue
			}
			b.WriteString(escape(attribute.Text[:min(len(attribute.Text), most)]))
		}
	}
	return b.String()
}

func (a *Attribute) keyword() string {
	for _, known := range keywords {
		if known.oid == a.OID {
			return known.name
		}
	}
	return a.OID
}

// escape follows RFC 4514, section 2.4. It also writes control characters in hex, so that the
// result fits on one line of a log.
func escape(text string) string {
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError || r < 0x20 || r >= 0x7F && r < 0xA0:
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, `\%02X`, c)
			}
		case strings.ContainsRune(`,+"\<>;=`, r), i == 0 && r == '#', r == ' ' && (i == 0 || i == len(text)-1):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Quote formats a distinguished name in DER for logs: quoted, bounded, on one line.
func Quote(der []byte) string {
	name, err := Parse(der)
	if err != nil {
		return "(unreadable name)"
	}
	return logtext.Quote(name.Brief(2 * logtext.MaxQuoted)) // enough to recognise a key that begins in the part that is shown
}

// Text is a distinguished name in DER that is formatted, as by [Quote], when it is read.
type Text []byte

func (der Text) String() string { return Quote(der) }
