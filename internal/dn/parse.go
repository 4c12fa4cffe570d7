package dn

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// The first keyword of an OID is used for output. CN to UID are those of RFC 4514, section 3; the
// others are those that openssl, .NET and Azure print.
var keywords = []struct{ name, oid string }{
	{"CN", OIDCommonName},
	{"L", "2.5.4.7"},
	{"ST", "2.5.4.8"},
	{"O", OIDOrganization},
	{"OU", OIDOrganizationalUnit},
	{"C", "2.5.4.6"},
	{"STREET", "2.5.4.9"},
	{"DC", "0.9.2342.19200300.100.1.25"},
	{"UID", "0.9.2342.19200300.100.1.1"},
	{"S", "2.5.4.8"},
	{"SERIALNUMBER", "2.5.4.5"},
	{"EMAILADDRESS", OIDEmailAddress},
	{"E", OIDEmailAddress},
	{"SN", "2.5.4.4"},
	{"GN", "2.5.4.42"},
	{"T", "2.5.4.12"},
	{"TITLE", "2.5.4.12"},
	{"POSTALCODE", "2.5.4.17"},
	{"ORGANIZATIONIDENTIFIER", "2.5.4.97"},
}

// knownOIDs maps the DER content of the types above to their dotted form.
var knownOIDs = func() map[string]string {
	known := map[string]string{}
	for _, keyword := range keywords {
		oid, err := x509.ParseOID(keyword.oid)
		if err != nil {
			panic(err)
		}
		encoded, err := oid.MarshalBinary() // the content alone
		if err != nil {
			panic(err)
		}
		known[string(encoded)] = keyword.oid
	}
	return known
}()

// Attribute types that other packages refer to.
const (
	OIDCommonName         = "2.5.4.3"
	OIDOrganization       = "2.5.4.10"
	OIDOrganizationalUnit = "2.5.4.11"
	OIDEmailAddress       = "1.2.840.113549.1.9.1"
)

// ParseString reads an RFC 4514 string: most specific RDN first, "+" within a multi-valued RDN,
// backslash escapes, "#" before hex DER. As RFC 2253 allows, spaces around separators do not
// matter and a value may be enclosed in double quotes, the form that API Management and .NET use
// for O="Contoso, Inc.". A type may be preceded by "OID.", as Java and .NET write it. Semicolons
// are refused. A value may be empty, because CAs write "OU=" if an applicant gave none; a name
// without any value is an error.
func ParseString(s string) (Name, error) {
	name, err := parseString(s)
	if err != nil && logtext.LooksSecret(s) { // a plus sign of base64 would begin an attribute, which the error shows
		return nil, errors.New("a key or a certificate, want a name")
	}
	return name, err
}

func parseString(s string) (Name, error) {
	if !utf8.ValidString(s) {
		return nil, errors.New("not UTF-8")
	}
	p := parser{text: s}
	p.skipSpaces()
	if p.done() {
		return nil, errors.New("empty name")
	}
	var name Name
	rdn := []Attribute{}
	empty := true
	for {
		attribute, err := p.attribute()
		if err != nil {
			return nil, fmt.Errorf("at offset %d: %w", p.at, err)
		}
		rdn = append(rdn, attribute)
		empty = empty && attribute.Raw == nil && attribute.Text == ""
		if p.done() {
			if empty {
				return nil, errors.New("name without a value")
			}
			name = append(name, rdn)
			slices.Reverse(name)
			return name, nil
		}
		switch separator := p.next(); separator {
		case '+':
		case ',':
			name = append(name, rdn)
			rdn = []Attribute{}
		default:
			return nil, fmt.Errorf("at offset %d: %q after a value, want a comma or a plus sign", p.at-1, separator)
		}
	}
}

type parser struct {
	text string
	at   int
}

func (p *parser) done() bool { return p.at >= len(p.text) }
func (p *parser) next() byte { c := p.text[p.at]; p.at++; return c }

func (p *parser) skipSpaces() {
	for !p.done() && p.text[p.at] == ' ' {
		p.at++
	}
}

func (p *parser) attribute() (Attribute, error) {
	keyword, _, found := strings.Cut(p.text[p.at:], "=")
	if !found {
		return Attribute{}, errors.New("attribute without an equals sign, want one such as CN=orders")
	}
	p.at += len(keyword) + 1
	oid, err := lookUp(strings.Trim(keyword, " "))
	if err != nil {
		return Attribute{}, err
	}
	attribute := Attribute{OID: oid}
	p.skipSpaces()
	switch {
	case !p.done() && p.text[p.at] == '#':
		attribute, err = p.hexValue(oid)
	case !p.done() && p.text[p.at] == '"':
		attribute.Text, err = p.quotedValue()
	default:
		attribute.Text, err = p.plainValue()
	}
	if err != nil {
		return Attribute{}, err
	}
	p.skipSpaces()
	return attribute, nil
}

func lookUp(keyword string) (string, error) {
	for _, known := range keywords {
		if strings.EqualFold(known.name, keyword) {
			return known.oid, nil
		}
	}
	oid := keyword
	if number, found := strings.CutPrefix(strings.ToUpper(keyword), "OID."); found {
		oid = number
	}
	if isDottedOID(oid) {
		return oid, nil
	}
	if strings.HasPrefix(keyword, "/") || strings.EqualFold(keyword, "subject") || strings.EqualFold(keyword, "issuer") {
		return "", errors.New(`this is output of openssl; write the name as openssl x509 -nameopt RFC2253 prints it, without "subject="`)
	}
	return "", fmt.Errorf("attribute %s is not known; give its OID", logtext.Quote(keyword))
}

// isDottedOID accepts only what an attribute of a certificate can have as its type.
func isDottedOID(s string) bool {
	if id, err := x509.ParseOID(s); err != nil || id.String() != s {
		return false
	}
	for arc := range strings.SplitSeq(s, ".") {
		if _, err := strconv.ParseInt(arc, 10, 32); err != nil { // the limit of encoding/asn1
			return false
		}
	}
	return true
}

// hexValue reads "#" and the DER of the whole value. A string type becomes text, so that both
// ways to write a value compare equal.
func (p *parser) hexValue(oid string) (Attribute, error) {
	p.at++
	end := p.at
	for end < len(p.text) && strings.IndexByte("0123456789abcdefABCDEF", p.text[end]) >= 0 {
		end++
	}
	raw, err := hex.DecodeString(p.text[p.at:end])
	if err != nil || len(raw) == 0 {
		return Attribute{}, errors.New("hex value is not whole bytes")
	}
	p.at = end
	value, rest, ok := der.Read(raw)
	if !ok || len(rest) > 0 {
		return Attribute{}, errors.New("hex value is not one DER value")
	}
	if text, ok := decodeString(value); ok {
		return Attribute{OID: oid, Text: text}, nil
	}
	return Attribute{OID: oid, Raw: raw}, nil
}

func (p *parser) quotedValue() (string, error) {
	p.at++
	var value []byte
	for !p.done() {
		switch c := p.next(); c {
		case '"':
			return text(value)
		case '\\':
			escaped, err := p.escape()
			if err != nil {
				return "", err
			}
			value = append(value, escaped)
		default:
			value = append(value, c)
		}
	}
	return "", errors.New("quoted value does not end")
}

func (p *parser) plainValue() (string, error) {
	var value []byte
	keep := 0 // length up to the last character that is not an unescaped space
	for !p.done() && p.text[p.at] != ',' && p.text[p.at] != '+' {
		switch c := p.next(); c {
		case '\\':
			escaped, err := p.escape()
			if err != nil {
				return "", err
			}
			value = append(value, escaped)
			keep = len(value)
		case '"', ';', '<', '>', 0:
			return "", fmt.Errorf("%q must be escaped", c)
		case ' ':
			value = append(value, c)
		default:
			value = append(value, c)
			keep = len(value)
		}
	}
	return text(value[:keep])
}

func (p *parser) escape() (byte, error) {
	if p.done() {
		return 0, errors.New("backslash at the end")
	}
	if strings.IndexByte(` "#+,;<=>\`, p.text[p.at]) >= 0 {
		return p.next(), nil
	}
	if p.at+2 <= len(p.text) {
		if b, err := hex.DecodeString(p.text[p.at : p.at+2]); err == nil {
			p.at += 2
			return b[0], nil
		}
	}
	return 0, errors.New("backslash before a character that is never escaped")
}

func text(value []byte) (string, error) {
	if !utf8.Valid(value) {
		return "", errors.New("value is not UTF-8")
	}
	return string(value), nil
}
