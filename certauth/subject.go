package certauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Subject accepts certificates whose subject is one of the listed distinguished names. A name is
// written as in RFC 4514, most specific part first: "CN=billing,O=Partner". Values with commas
// are quoted (O="Contoso, Inc.") or escaped (O=Contoso\, Inc.); parts of a multi-valued RDN are
// joined with a plus sign, and a value may be empty (OU=). A type without a keyword is written as
// its OID, with or without the prefix "OID.".
//
// Names are compared attribute by attribute, in order, with their exact values. Under [Not] a
// listed name is refused in other spellings too, because RFC 5280, section 7.1, ignores letter
// case, spacing, string type and the composition of letters. So is a name that cannot be
// distinguished from a listed one, because it has characters that this package does not compare. A
// text that is not a name, or an empty list, is an error of [New].
type Subject []string

// IssuerName accepts certificates whose issuer is one of the listed distinguished names, written
// as for [Subject]. It must follow a [Chain], because without one anyone can write any issuer's
// name. To identify the issuing CA itself use [IssuedBy].
//
// Under [Not] it refuses every certificate that has a chain, as for [Denied], through a CA with one of these
// names, in any spelling as for Subject, because an excluded CA could otherwise certify a further CA.
type IssuerName []string

// CommonNames accepts certificates whose subject has exactly one common name, and that name is
// listed. The comparison is exact and case-sensitive, except under [Not], as for [Subject]. A common
// name is a name that the CA chose to write. It is not a host name, so name constraints on DNS names
// do not apply to it, and it identifies a user of yours only if you decide so.
type CommonNames []string

// Organizations accepts certificates that have one of the listed organizations (O) in the
// subject. The comparison is exact and case-sensitive, except under [Not], as for [Subject]. Under
// Not a certificate with more than 16 organizations is refused.
type Organizations []string

// OrganizationalUnits accepts certificates that have one of the listed organizational units (OU)
// in the subject. The comparison is exact and case-sensitive, except under [Not], as for [Subject].
// Under Not a certificate with more than 16 organizational units is refused.
type OrganizationalUnits []string

func (p Subject) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Subject"
	c.needNames(path, at)
	return c.dnRule(&dnSubject, path, p, at), at.standing.withName()
}

func (p IssuerName) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".IssuerName"
	if !at.standing.chain {
		c.mistake(path, "comes before any Chain; put a Chain before it, because without one anybody can forge an issuer's name")
	}
	r := c.dnRule(&dnIssuer, path, p, at)
	if at.negated() {
		return &notIssuerRule{r, at.path}, at.standing
	}
	return r, at.standing
}

// dnKind is a distinguished name of the leaf that a rule compares.
type dnKind struct {
	reason Reason
	what   string
	of     func(*facts) *parsedName
}

var (
	dnSubject = dnKind{ReasonNameNotAllowed, "subject", func(f *facts) *parsedName { return &f.names().subject }}
	dnIssuer  = dnKind{ReasonIssuerNotAllowed, "issuer", func(f *facts) *parsedName { return issuerOf(&f.issuer, f.leaf) }}
)

func (c *compilation) dnRule(kind *dnKind, path string, list []string, at place) *dnRule {
	if len(list) == 0 {
		c.mistake(path, "empty")
	}
	r := &dnRule{kind: kind, path: path}
	for i, text := range list {
		name, err := dn.ParseString(text)
		if err != nil {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%w", err)
			continue
		}
		r.names = append(r.names, name)
		if at.negated() {
			r.excluded = append(r.excluded, name.Prepare(), name.Reversed().Prepare())
		}
	}
	return r
}

type dnRule struct {
	kind  *dnKind
	path  string
	names []dn.Name

	excluded []dn.Prepared // the names in both orders under a Not, otherwise nil
}

func (r *dnRule) judge(e *evaluation) *Error {
	have := r.kind.of(e.facts)
	if have.err != nil {
		return r.unreadable(have)
	}
	if r.lists(have) {
		return nil
	}
	return e.refuse(r, r.excluded != nil && r.differs(have))
}

func (r *dnRule) unreadable(have *parsedName) *Error {
	return refusal(ReasonCertificateMalformed, r.path, "%s: %w", r.kind.what, have.err)
}

func (r *dnRule) lists(have *parsedName) bool { return slices.ContainsFunc(r.names, have.name.Equal) }

// differs reports whether the name is certainly none of those excluded. The opposite order or another
// spelling does not make a different name: a CA can write any name in any spelling into the
// certificates that it issues, its own name included, and the chain still verifies.
func (r *dnRule) differs(have *parsedName) bool {
	name := have.prepare()
	return have.name.Readable() && !slices.ContainsFunc(r.excluded, func(one dn.Prepared) bool { return !one.Differs(name) })
}

func (r *dnRule) refusal(e *evaluation) *Error {
	have := r.kind.of(e.facts).name
	refused := unlisted(r.kind.reason, r.path, r.excluded != nil, "%s is %s", r.kind.what, listOf[dn.Name]{have}, len(r.names), listOf[dn.Name](r.names))
	if r.excluded == nil && slices.ContainsFunc(r.names, func(name dn.Name) bool { return name.EqualReversed(have) }) {
		refused.Hint = "the rule has the parts in the opposite order; RFC 4514 writes the most specific first, openssl x509 prints it last"
	}
	return refused
}

func (r *dnRule) describe(p *printer) {
	p.line("%s is one of %s", r.kind.what, quoteList(stringsOf(r.names)))
}

func (p CommonNames) compile(c *compilation, at place) (rule, standing) {
	return c.attributeRule("CommonNames", &attributeCN, true, p, at)
}

func (p Organizations) compile(c *compilation, at place) (rule, standing) {
	return c.attributeRule("Organizations", &attributeO, false, p, at)
}

func (p OrganizationalUnits) compile(c *compilation, at place) (rule, standing) {
	return c.attributeRule("OrganizationalUnits", &attributeOU, false, p, at)
}

// attributeKind is a type of attributes that a rule lists.
type attributeKind struct {
	slot int // in certNames
	oid  string
}

// attributeKinds is the number of kinds.
const attributeKinds = 3

var (
	attributeCN = attributeKind{0, dn.OIDCommonName}
	attributeO  = attributeKind{1, dn.OIDOrganization}
	attributeOU = attributeKind{2, dn.OIDOrganizationalUnit}
)

func (c *compilation) attributeRule(name string, kind *attributeKind, single bool, list []string, at place) (rule, standing) {
	path := at.path + "." + name
	c.needNames(path, at)
	c.texts(path, list)
	r := &attributeRule{path: path, name: name, kind: kind, single: single, list: slices.Clone(list), sorted: slices.Sorted(slices.Values(list))}
	if at.negated() {
		for _, text := range list {
			r.excluded = append(r.excluded, dn.Name{{{OID: kind.oid, Text: text}}}.Prepare())
		}
	}
	return r, at.standing.withName()
}

// texts reports an empty list, empty members, and members that are not UTF-8 or have leading or trailing
// space.
func (c *compilation) texts(path string, list []string) {
	if len(list) == 0 {
		c.mistake(path, "empty")
	}
	for i, text := range list {
		switch {
		case text == "":
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "empty")
		case !utf8.ValidString(text):
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%s is not UTF-8", quote(text))
		case strings.TrimSpace(text) != text:
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%s has a leading or trailing space", quote(text))
		}
	}
}

type attributeRule struct {
	path, name   string
	kind         *attributeKind
	single       bool
	list, sorted []string

	excluded []dn.Prepared // the listed values under a Not, otherwise nil
}

func (r *attributeRule) judge(e *evaluation) *Error {
	have := e.facts.names().values(r.kind)
	if r.single && have.n > 1 {
		return e.refuse(r, false)
	}
	if haveCommon(r.sorted, have.texts) {
		return nil
	}
	return e.refuse(r, r.excluded != nil && have.readable && have.n <= maxExcluded && r.differs(e))
}

// maxExcluded bounds the values of one certificate that are compared with excluded ones, because
// each is compared with every entry. Honest certificates have a few.
const maxExcluded = 16

// differs reports whether the values are certainly none of those listed, as for a whole name.
func (r *attributeRule) differs(e *evaluation) bool {
	names := e.facts.names()
	prepared := names.subject.prepare()
	for i, rdn := range names.subject.name {
		for j := range rdn {
			if rdn[j].OID != r.kind.oid {
				continue
			}
			value := prepared[i][j : j+1]
			if slices.ContainsFunc(r.excluded, func(one dn.Prepared) bool { return !one.Differs(dn.Prepared{value}) }) {
				return false
			}
		}
	}
	return true
}

func (r *attributeRule) refusal(e *evaluation) *Error {
	names := e.facts.names()
	known, have := names.values(r.kind), lazyText(func() string { return quoteList(names.subject.name.Values(r.kind.oid)) })
	if r.single && known.n > 1 {
		return refusal(ReasonNameNotAllowed, r.path, "%d values (%s), want 1", known.n, have).
			withHint("the certificate does not say which of them names the caller; Active Directory writes containers as CN too (CN=Jo Doe,CN=Users,DC=corp): match the whole name with Subject, or the account with UPNs")
	}
	if r.excluded != nil && known.n > maxExcluded {
		return refusal(ReasonNameNotAllowed, r.path, "%d values, want at most %d to compare with excluded ones", known.n, maxExcluded).
			withHint("the certificate is trusted, but has too many values to compare each with what a Not excludes; ask the CA for one with fewer of them")
	}
	refused := unlisted(ReasonNameNotAllowed, r.path, r.excluded != nil, "have %d (%s)", len(known.texts), have, len(r.list), texts(r.list))
	if r.kind == &attributeCN && r.excluded == nil && haveCommon(r.sorted, e.facts.altKeys(&altDNS).list) {
		refused.Hint = "the certificate is trusted and has the name as a DNS name, not as its common name: use DNSNames"
	}
	return refused
}

func (r *attributeRule) describe(p *printer) { p.line("%s: one of %s", r.name, quoteList(r.list)) }
