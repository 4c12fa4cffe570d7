package certauth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/prefix"
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
// comparison is exact, byte for byte, with case and without normalization. A certificate with a
// URI that is not printable ASCII without spaces is refused as malformed. For workload identities
// see [SPIFFEIDs].
type URIs []string

// Emails accepts certificates that have one of the listed mailboxes among their alternative
// names: "alice@partner.example", or "@partner.example" for every mailbox of exactly that host.
// The local part is compared exactly, the host without regard to case. A name that is not a
// single plain mailbox never matches; if it contains a space, quoted or not, the certificate is
// malformed.
type Emails []string

// IPs accepts certificates that have, among their alternative names, one of the listed addresses
// or an address within one of the listed prefixes: "10.1.2.3", "10.0.0.0/8". It concerns the name
// in the certificate, not the address from which the request came. A certificate with an address
// that has neither 4 nor 16 bytes, or that is an IPv4-mapped IPv6 address, is refused as
// malformed.
type IPs []string

// UPNs accepts certificates that have one of the listed user principal names among their
// alternative names (otherName 1.3.6.1.4.1.311.20.2.3). The part before the at sign is compared
// exactly, the rest without regard to ASCII case. A certificate with a principal name that is not
// a UTF8String, as MS-WCCE requires, is refused as malformed.
type UPNs []string

func (p DNSNames) compile(c *compilation, at place) (rule, standing) {
	named, after := c.altRule("DNSNames", "DNS name", san.DNSName, p, at, parseDNSPattern,
		func(n *san.Names) []string { return n.DNS }, nil, nil)
	r := &dnsRule{altRule: named}
	for _, text := range p {
		r.patterns = append(r.patterns, newDNSPattern(text))
	}
	return r, after
}

func (p URIs) compile(c *compilation, at place) (rule, standing) {
	return c.altRule("URIs", "URI", san.URI, p, at, parseURI,
		func(n *san.Names) []string { return n.URIs }, func(*san.Names) bool { return true }, func(have, want string) bool { return have == want })
}

func (p Emails) compile(c *compilation, at place) (rule, standing) {
	return c.altRule("Emails", "e-mail address", san.RFC822Name, p, at, parseMailboxPattern,
		func(n *san.Names) []string { return n.Emails }, func(n *san.Names) bool { return all(n.Emails, san.IsMailbox) }, matchMailbox)
}

func (p UPNs) compile(c *compilation, at place) (rule, standing) {
	return c.altRule("UPNs", "user principal name", san.OtherName, p, at, parseUPN,
		func(n *san.Names) []string { return n.UPNs }, func(n *san.Names) bool { return all(n.UPNs, isUPN) }, matchUPN)
}

func (c *compilation) altRule(name, what string, form int, list []string, at place, parse func(string) error,
	have func(*san.Names) []string, readable func(*san.Names) bool, match func(have, want string) bool,
) (*altRule, standing) {
	path := at.path + "." + name
	c.needNames(path, at)
	if len(list) == 0 {
		c.mistake(path, "empty")
	}
	r := &altRule{path: path, what: what, form: form, have: have, readable: readable, match: match}
	for i, text := range list {
		if err := parse(text); err != nil {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%s: %w", quote(text), err)
		}
		r.list = append(r.list, text)
	}
	return r, at.standing.withName()
}

// altRule is a list of patterns for the names of one type. A certificate with an unreadable name
// of the type is refused, because it is not known what the CA certified. readable reports whether
// the other names have the syntax of the type: if one does not, Not must not treat it as
// different.
type altRule struct {
	path, what string
	form       int
	list       []string
	have       func(*san.Names) []string
	readable   func(*san.Names) bool
	match      func(have, want string) bool
}

func (r *altRule) judge(e *evaluation) *Error {
	if e.facts.names().alt.Fault(r.form) != nil {
		return e.refuse(r, false)
	}
	have := r.have(&e.facts.names().alt)
	for _, name := range have {
		for _, want := range r.list {
			if r.match(name, want) {
				return nil
			}
		}
	}
	return e.refuse(r, r.readable(&e.facts.names().alt))
}

// dnsRule is an altRule for the host names of the certificate. They are separated from other
// texts once and not on every request.
type dnsRule struct {
	*altRule
	patterns []dnsPattern
}

func (r *dnsRule) judge(e *evaluation) *Error {
	hosts := e.facts.hostNames()
	for _, host := range hosts.list {
		for i := range r.patterns {
			if r.patterns[i].matches(host) {
				return nil
			}
		}
	}
	return e.refuse(r.altRule, hosts.all)
}

func (r *altRule) refusal(e *evaluation) *Error {
	if err := e.facts.names().alt.Fault(r.form); err != nil {
		return refusal(ReasonCertificateMalformed, r.path, "%w", err)
	}
	have := r.have(&e.facts.names().alt)
	refused := refusal(ReasonNameNotAllowed, r.path, "have %d (%s), want one of %d (%s)", len(have), texts(have), len(r.list), texts(r.list))
	if len(have) == 0 {
		noSuchName(refused, e.facts, r.what, r.form)
	}
	return refused
}

// noSuchName tells the operator where the certificate has its names instead: a rule reads one
// type of alternative names and nothing else.
func noSuchName(refused *Error, f *facts, what string, form int) {
	hint := "ask the CA for a certificate with that alternative name"
	switch subject := f.names().subject; {
	case form == san.RFC822Name:
		if len(subject.Values(dn.OIDEmailAddress)) > 0 {
			hint = "an e-mail address in the subject is ignored: ask the CA for an alternative name, or match the whole name with Subject"
		}
	case len(subject.Values(dn.OIDCommonName)) > 0:
		hint = "the common name is not used as a " + what + ": ask the CA for an alternative name, or use CommonNames"
	}
	refused.Hint = "the certificate is trusted but has no " + what + " among its alternative names; " + hint
	refused.Err = elsewhereError{f, what, form}
}

// elsewhereError is the detail of such a refusal. It is formatted when it is read.
type elsewhereError struct {
	facts *facts
	what  string
	form  int
}

func (n elsewhereError) Error() string {
	var elsewhere []string
	known := n.facts.names()
	switch mails, common := known.subject.Values(dn.OIDEmailAddress), known.subject.Values(dn.OIDCommonName); {
	case n.form == san.RFC822Name && len(mails) > 0:
		elsewhere = append(elsewhere, "e-mail address in the subject "+quoteList(mails))
	case len(common) > 0 && n.form != san.RFC822Name:
		elsewhere = append(elsewhere, "common name "+quoteList(common))
	}
	for _, other := range []struct {
		what  string
		names []string
		form  int
	}{
		{"DNS names", known.alt.DNS, san.DNSName},
		{"e-mail addresses", known.alt.Emails, san.RFC822Name},
		{"URIs", known.alt.URIs, san.URI},
		{"user principal names", known.alt.UPNs, san.OtherName},
	} {
		if other.form != n.form && len(other.names) > 0 {
			elsewhere = append(elsewhere, other.what+" "+quoteList(other.names))
		}
	}
	text := "no " + n.what + " among the alternative names"
	if len(elsewhere) > 0 {
		text += "; it has " + clip(strings.Join(elsewhere, ", "), maxDetail/2)
	}
	return text
}

func all(names []string, valid func(string) bool) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !valid(name) })
}

func (r *altRule) describe(p *printer) { p.line("%s is one of %s", r.what, quoteList(r.list)) }

func (p IPs) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".IPs"
	c.needNames(path, at)
	if len(p) == 0 {
		c.mistake(path, "empty")
	}
	r := &ipRule{path: path}
	for i, text := range p {
		parsed, err := prefix.Parse(text)
		if err != nil {
			c.mistake(fmt.Sprintf("%s[%d]", path, i), "%s: %w", quote(text), err)
			continue
		}
		r.prefixes = append(r.prefixes, parsed)
	}
	return r, at.standing.withName()
}

type ipRule struct {
	path     string
	prefixes []netip.Prefix
}

func (r *ipRule) judge(e *evaluation) *Error {
	if e.facts.names().alt.Fault(san.IPAddress) != nil {
		return e.refuse(r, false)
	}
	for _, address := range e.facts.names().alt.IPs {
		for _, allowed := range r.prefixes {
			if allowed.Contains(address) {
				return nil
			}
		}
	}
	return e.refuse(r, true)
}

func (r *ipRule) refusal(e *evaluation) *Error {
	if err := e.facts.names().alt.Fault(san.IPAddress); err != nil {
		return refusal(ReasonCertificateMalformed, r.path, "%w", err)
	}
	have := e.facts.names().alt.IPs
	refused := refusal(ReasonNameNotAllowed, r.path, "have %d (%s), want one of %d (%s)", len(have), listOf[netip.Addr](have), len(r.prefixes), listOf[netip.Prefix](r.prefixes))
	if len(have) == 0 {
		noSuchName(refused, e.facts, "IP address", san.IPAddress)
	}
	return refused
}

func (r *ipRule) describe(p *printer) {
	var list []string
	for _, allowed := range r.prefixes {
		list = append(list, allowed.String())
	}
	p.line("IP address is within %s", strings.Join(list, ", "))
}
