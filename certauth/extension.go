package certauth

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Extension accepts certificates that have the extension OID with a value that is listed in Value
// or Text. Exactly one of Value, Text and Present must be set; anything else is an error of
// [New], so that a forgotten value never means "any".
//
// Certificates with a critical extension that crypto/x509 does not understand are refused before
// any rule sees them.
type Extension struct {
	// OID is the extension's identifier in dotted form: "1.3.6.1.4.1.57264.1.1". Required.
	OID string
	// Value lists the permitted contents of the extension in DER.
	Value [][]byte
	// Text lists the permitted contents of an extension that holds one UTF8String,
	// PrintableString, IA5String or BMPString. The certificate template of AD CS,
	// 1.3.6.1.4.1.311.20.2, is a BMPString. The comparison is exact, except under [Not]: there a
	// listed text is refused in every letter case, and so is one that cannot be distinguished from
	// it, as for [Subject].
	Text []string
	// Present accepts any content. It does not distinguish callers: New refuses it as the only rule
	// beside [InsecureSystemRoots], or beside the Chain of a gate.
	Present bool
}

func (p Extension) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Extension"
	c.needNames(path, at)
	id, ok := parseOID(p.OID)
	if !ok {
		c.mistake(path+".OID", "%s is not an object identifier", quote(p.OID))
	}
	set := 0
	for _, isSet := range []bool{len(p.Value) > 0, len(p.Text) > 0, p.Present} {
		if isSet {
			set++
		}
	}
	if set != 1 {
		c.mistake(path, "%d of Value, Text and Present are set, want exactly one", set)
	}
	for i, value := range p.Value {
		if len(value) == 0 {
			c.mistake(fmt.Sprintf("%s.Value[%d]", path, i), "empty")
		}
	}
	if len(p.Text) > 0 {
		c.texts(path+".Text", p.Text)
	}
	r := &extensionRule{path: path, oid: p.OID, id: id, texts: slices.Clone(p.Text), present: p.Present}
	for _, value := range p.Value {
		r.values = append(r.values, bytes.Clone(value))
	}
	if at.negated() {
		r.excluded = spellTexts(r.texts)
	}
	if p.Present { // certificates of one CA usually have the same extensions
		return r, at.standing
	}
	return r, at.standing.withName()
}

// parseOID accepts only the spelling with which a certificate's identifier is compared. Arcs beyond
// 31 bits do not occur, because crypto/x509 reads no such certificate.
func parseOID(s string) (id asn1.ObjectIdentifier, ok bool) {
	if oid, err := x509.ParseOID(s); err != nil || oid.String() != s {
		return nil, false
	}
	for text := range strings.SplitSeq(s, ".") {
		arc, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return nil, false
		}
		id = append(id, int(arc))
	}
	return id, true
}

type extensionRule struct {
	path, oid string
	id        asn1.ObjectIdentifier
	values    [][]byte
	texts     []string
	present   bool
	excluded  *spelled // the texts under a Not, otherwise nil
}

func (r *extensionRule) judge(e *evaluation) *Error {
	asked := e.facts.extension(r)
	if asked.found == nil {
		return e.refuse(r, true)
	}
	accepted, readable := r.accepts(asked)
	if accepted {
		return nil
	}
	return e.refuse(r, readable)
}

func (r *extensionRule) refusal(e *evaluation) *Error {
	asked := e.facts.extension(r)
	if asked.found == nil {
		return refusal(ReasonExtensionNotAllowed, r.path, "no extension %s", r.oid)
	}
	_, readable := r.accepts(asked)
	switch {
	case readable:
		return refusal(ReasonExtensionNotAllowed, r.path, "extension %s has another value", r.oid)
	case asked.readable:
		return unlisted(ReasonExtensionNotAllowed, r.path, true, "extension %s is %s", r.oid, texts{asked.text}, len(r.texts), texts(r.texts))
	}
	return refusal(ReasonExtensionNotAllowed, r.path, "extension %s is not one string, want one of %d (%s)", r.oid, len(r.texts), texts(r.texts))
}

// accepts compares the content. readable is false if Text is required and the content is not one
// string, or may be one of the excluded ones.
func (r *extensionRule) accepts(asked *askedExtension) (accepted, readable bool) {
	if r.present {
		return true, true
	}
	if len(r.values) > 0 {
		return slices.ContainsFunc(r.values, func(want []byte) bool { return bytes.Equal(want, asked.found.Value) }), true
	}
	accepted = asked.readable && slices.Contains(r.texts, asked.text)
	return accepted, asked.readable && (r.excluded == nil || asked.spelled.differ(r.excluded))
}

// askedExtension is an extension of the leaf that a rule asks for.
type askedExtension struct {
	id    asn1.ObjectIdentifier
	found *pkix.Extension // nil if the leaf has none; crypto/x509 refuses certificates that have it twice

	decoded  bool // for the first rule on its text
	text     string
	readable bool     // it is one string
	spelled  *spelled // nil until a rule under a Not needs it
}

// extension returns what the rule asks for. It is kept for the next rule, because it can be long, or
// behind a thousand others, and a policy can have thousands of rules, usually about the same extension.
func (f *facts) extension(r *extensionRule) *askedExtension {
	known := f.asked.Load()
	if known == nil || !known.id.Equal(r.id) {
		known = &askedExtension{id: r.id, found: certcheck.Extension(f.leaf, r.id)}
		f.asked.Store(known)
	}
	if known.found == nil || len(r.texts) == 0 || known.decoded && (r.excluded == nil || known.spelled != nil) {
		return known
	}
	more := &askedExtension{id: known.id, found: known.found, decoded: true}
	more.text, more.readable = oneString(known.found.Value)
	if r.excluded != nil {
		more.spelled = spellTexts([]string{more.text})
	}
	f.asked.Store(more)
	return more
}

// oneString decodes the DER of one string.
func oneString(value []byte) (text string, ok bool) {
	var raw asn1.RawValue
	if rest, err := asn1.Unmarshal(value, &raw); err != nil || len(rest) > 0 || raw.Class != asn1.ClassUniversal || raw.IsCompound {
		return "", false
	}
	switch raw.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
		return string(raw.Bytes), utf8.Valid(raw.Bytes)
	case asn1.TagBMPString:
		return dn.DecodeBMP(raw.Bytes)
	}
	return "", false
}

func (r *extensionRule) describe(p *printer) {
	switch {
	case r.present:
		p.line("extension %s is present", r.oid)
	case len(r.texts) > 0:
		p.line("extension %s is one of %s", r.oid, quoteList(r.texts))
	default:
		var values []string
		for _, value := range r.values {
			values = append(values, fmt.Sprintf("%x", clip(string(value), 32)))
		}
		p.line("extension %s is one of hex %s", r.oid, strings.Join(values, ", "))
	}
}
