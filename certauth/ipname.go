package certauth

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/prefix"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// IPs accepts certificates that have, among their alternative names, one of the listed addresses
// or an address within one of the listed prefixes: "10.1.2.3", "10.0.0.0/8". It concerns the name
// in the certificate, not the address from which the request came. A certificate with an address
// that has neither 4 nor 16 bytes, or that is an IPv4-mapped IPv6 address, is refused as
// malformed.
type IPs []string

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
	r.set = prefix.NewSet(r.prefixes)
	if slices.ContainsFunc(r.prefixes, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		return r, at.standing // every address distinguishes nobody
	}
	return r, at.standing.withName()
}

type ipRule struct {
	path     string
	prefixes []netip.Prefix
	set      prefix.Set // of the prefixes
}

func (r *ipRule) judge(e *evaluation) *Error {
	if e.facts.names().alt.Fault(san.IPAddress) != nil {
		return e.refuse(r, false)
	}
	if r.set.ContainsAny(e.facts.names().sortedAddresses()) {
		return nil
	}
	return e.refuse(r, true)
}

func (r *ipRule) refusal(e *evaluation) *Error {
	if err := e.facts.names().alt.Fault(san.IPAddress); err != nil {
		return unreadableName(r.path, err)
	}
	have := e.facts.names().alt.IPs
	refused := refusal(ReasonNameNotAllowed, r.path, "have %d (%s), want one of %d (%s)", len(have), listOf[netip.Addr](have), len(r.prefixes), listOf[netip.Prefix](r.prefixes))
	if len(have) == 0 {
		noSuchName(refused, e.facts, "IP address", san.IPAddress)
	}
	return refused
}

func (r *ipRule) describe(p *printer) {
	p.line("IP address is within %s", strings.Join(stringsOf(r.prefixes), ", "))
}
