package certauth

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// DNSNames accepts certificates that have one of the listed names among their DNS alternative
// names. The comparison ignores case. A pattern "*.partner.example" matches names with exactly
// one more label on the left. A name in the certificate that is itself a wildcard never matches.
// The common name and other types of alternative names are ignored.
//
// This rule, like those on other types of alternative names, refuses a certificate as malformed
// if a name of its type is empty or not printable ASCII. Names of other types may be anything.
type DNSNames []string

// URIs accepts certificates that have one of the listed URIs among their alternative names. The
// comparison is exact, byte for byte, with case and without normalization, except under [Not]: there
// every spelling of a listed URI is refused (RFC 3986, section 6.2.2), with another case of the
// scheme, of the authority, of a URN's namespace, of a UUID or of the address in a mailto, sip, sips,
// xmpp or acct URI, with needless escapes or segments, with the default port of http, ws, coap,
// ldap, ftp, rtsp or one of these over TLS, with a dot at the end of the host, with an empty user, password or query,
// with another form of an IPv6 address, or with other components behind a URN's name. A certificate
// with a URI that is not printable ASCII without spaces is refused as malformed. For workload
// identities see [SPIFFEIDs].
type URIs []string

// Emails accepts certificates that have one of the listed mailboxes among their alternative
// names: "alice@partner.example", or "@partner.example" for every mailbox of exactly that host.
// The local part is compared exactly, the host without regard to case. Under [Not] a listed mailbox
// is refused in every letter case, because hardly any host distinguishes them (RFC 5321, section
// 2.4), and so is every certificate with an address that is not a plain mailbox. Such an address,
// which may be internationalized (RFC 9598), never matches; if it contains a space, quoted or not,
// the certificate is malformed.
type Emails []string

// UPNs accepts certificates that have one of the listed user principal names among their
// alternative names (otherName 1.3.6.1.4.1.311.20.2.3). The part before the at sign is compared
// exactly, the rest without regard to ASCII case. Under [Not] a listed name is refused in every
// letter case, because Active Directory ignores it, and so is a name that cannot be distinguished
// from a listed one, as for [Subject], and a certificate with more than 16 principal names. A
// certificate with a principal name that is not a UTF8String, as MS-WCCE requires, is refused as
// malformed.
type UPNs []string

func (p DNSNames) compile(c *compilation, at place) (rule, standing) {
	return c.altRule(&altDNS, p, at, san.CheckDNSPattern)
}

func (p URIs) compile(c *compilation, at place) (rule, standing) {
	return c.altRule(&altURI, p, at, san.CheckURI)
}

func (p Emails) compile(c *compilation, at place) (rule, standing) {
	return c.altRule(&altEmail, p, at, san.CheckMailboxPattern)
}

func (p UPNs) compile(c *compilation, at place) (rule, standing) {
	return c.altRule(&altUPN, p, at, san.CheckUPN)
}

func (c *compilation) altRule(kind *altKind, list []string, at place, parse func(string) error) (*altRule, standing) {
	path := at.path + "." + kind.rule
	c.needNames(path, at)
	if len(list) == 0 {
		c.mistake(path, "empty")
	}
	r := &altRule{path: path, kind: kind, list: slices.Clone(list), negated: at.negated()}
	for i, text := range list {
		if err := parse(text); err != nil {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%s: %w", quote(text), err)
		}
		r.entries = append(r.entries, kind.entry(text))
	}
	slices.Sort(r.entries)
	if at.negated() && kind.spell != nil {
		r.excluded = kind.spell(r.list)
	}
	return r, at.standing.withName()
}

// altKind is a kind of alternative names that a rule lists.
type altKind struct {
	slot       int // in facts
	rule, what string
	form       int
	have       func(*facts) []string // the names as written

	// keys appends the texts under which an entry may list the names: each name itself, and what
	// stands for all names of its host or domain. all reports whether every name has the syntax of
	// the kind.
	keys func(f *facts, to []string) (keys []string, all bool)
	// entry returns the key that an entry of a rule lists.
	entry func(string) string
	// spell is set if a name has spellings with different keys.
	spell func(names []string) *spelled
	// most bounds the names of a certificate that are spelled; 0 is no bound.
	most int
}

// altKinds is the number of kinds.
const altKinds = 5

var (
	altDNS = altKind{
		slot: 0, rule: "DNSNames", what: "DNS name", form: san.DNSName,
		have:  func(f *facts) []string { return f.names().alt.DNS },
		keys:  func(f *facts, to []string) ([]string, bool) { return f.names().alt.DNSKeys(to) },
		entry: func(s string) string { return strings.TrimPrefix(san.FoldASCII(s), "*") },
	}
	altURI = altKind{
		slot: 1, rule: "URIs", what: "URI", form: san.URI,
		have:  func(f *facts) []string { return f.names().alt.URIs },
		keys:  func(f *facts, to []string) ([]string, bool) { return append(to, f.names().alt.URIs...), true },
		entry: func(s string) string { return s }, spell: spellNormal(san.NormalURI),
	}
	altEmail = altKind{
		slot: 2, rule: "Emails", what: "e-mail address", form: san.RFC822Name,
		have:  func(f *facts) []string { return slices.Concat(f.names().alt.Emails, f.names().alt.UTF8Emails) },
		keys:  func(f *facts, to []string) ([]string, bool) { return f.names().alt.MailboxKeys(to) },
		entry: san.FoldHost, spell: spellNormal(san.FoldASCII),
	}
	altUPN = altKind{
		slot: 3, rule: "UPNs", what: "user principal name", form: san.OtherName,
		have:  func(f *facts) []string { return f.names().alt.UPNs },
		keys:  func(f *facts, to []string) ([]string, bool) { return f.names().alt.UPNKeys(to) },
		entry: san.FoldHost, spell: spellTexts, most: maxExcluded,
	}
	altSPIFFE = altKind{
		slot: 4, rule: "SPIFFEIDs", what: "SPIFFE ID", form: san.URI, keys: spiffeKeys,
		have:  spiffeIDs,
		entry: func(s string) string { return s },
	}
)

// altRule is a list of patterns for the names of one kind. A certificate with an unreadable name of
// the kind is refused, because it is not known what the CA certified. If one of the other names
// does not have the syntax of the kind, Not must not treat it as different.
type altRule struct {
	path     string
	kind     *altKind
	list     []string
	entries  []string // the keys of the list, sorted
	negated  bool
	excluded *spelled // the list if negated and the kind has several spellings; otherwise nil
}

func (r *altRule) judge(e *evaluation) *Error {
	names := e.facts.altKeys(r.kind)
	if haveCommon(r.entries, names.list) {
		return nil
	}
	return e.refuse(r, names.all && (r.excluded == nil || e.facts.spelled(r.kind).differ(r.excluded)))
}

// haveCommon reports whether two sorted lists have a common text. It looks the texts of the shorter
// one up in the other, because a list can have ten thousand entries, a certificate a thousand names,
// and a policy thousands of rules.
func haveCommon(a, b []string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return slices.ContainsFunc(a, func(text string) bool {
		_, found := slices.BinarySearch(b, text)
		return found
	})
}

func (r *altRule) refusal(e *evaluation) *Error {
	f := e.facts // not e, which is used again for other requests
	names := &f.names().alt
	if err := names.Fault(r.kind.form); err != nil {
		return unreadableName(r.path, err)
	}
	have := r.kind.have(f)
	if r.kind == &altSPIFFE && len(have) == 0 && slices.ContainsFunc(names.URIs, isOfSPIFFE) {
		return refusal(ReasonNameNotAllowed, r.path, "%s", lazyText(func() string { return whyNotSVID(f) })).
			withHint("the certificate is trusted, but is not an X.509-SVID, which has a well-formed SPIFFE ID, no other URI, and no key usage of a CA; ask the CA for one")
	}
	refused := unlisted(ReasonNameNotAllowed, r.path, r.negated, "have %d (%s)", len(have), texts(have), len(r.list), texts(r.list))
	switch {
	case len(have) == 0:
		noSuchName(refused, f, r.kind.what, r.kind.form)
	case r.kind == &altDNS && !r.negated && haveCommon(r.entries, f.names().values(&attributeCN).texts):
		refused.Hint = "the certificate is trusted and has the name as its common name, not as a DNS name: ask the CA for an alternative name, or use CommonNames"
	}
	return refused
}

// unreadableName is the refusal of a certificate with an alternative name of the rule's type that
// cannot be read.
func unreadableName(path string, err error) *Error {
	return refusal(ReasonCertificateMalformed, path, "%w", err).
		withHint("the header is correct, but an alternative name of the certificate cannot be read; ask the CA for a new certificate")
}

// noSuchName tells the operator where the certificate has its names instead: a rule reads one
// type of alternative names and nothing else.
func noSuchName(refused *Error, f *facts, what string, form int) {
	hint := "ask the CA for a certificate with that alternative name"
	switch subject := f.names().subject.name; {
	case form == san.RFC822Name:
		if subject.Count(dn.OIDEmailAddress) > 0 {
			hint = "an e-mail address in the subject is ignored: ask the CA for an alternative name, or match the whole name with Subject"
		}
	case subject.Count(dn.OIDCommonName) > 0:
		hint = "the common name is not used as a " + what + ": ask the CA for an alternative name, or use CommonNames"
	}
	refused.Hint = "the certificate is trusted but has no " + what + " among its alternative names; " + hint
	refused.Err = logtext.Errorf("no %s among the alternative names%s", what, lazyText(func() string { return elsewhere(f.names(), form) }))
}

// elsewhere lists the names that the certificate has instead.
func elsewhere(n *certNames, form int) string {
	var found []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			found = append(found, what+" "+quoteList(names))
		}
	}
	if form == san.RFC822Name {
		add("e-mail address in the subject", n.subject.name.Values(dn.OIDEmailAddress))
	} else {
		add("common name", n.subject.name.Values(dn.OIDCommonName))
	}
	add("DNS names", n.alt.DNS) // the names of the rule's own type are none, except the URIs of SPIFFEIDs
	add("e-mail addresses", n.alt.Emails)
	add("URIs", n.alt.URIs)
	add("user principal names", n.alt.UPNs)
	if len(found) == 0 {
		return ""
	}
	return "; it has " + clip(strings.Join(found, ", "), maxDetail/2)
}

func (r *altRule) describe(p *printer) { p.line("%s is one of %s", r.kind.what, quoteList(r.list)) }
