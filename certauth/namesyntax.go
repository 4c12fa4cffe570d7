package certauth

import (
	"errors"
	"net/url"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// The syntax of the names in rules and certificates. Every function checks the whole value; there
// are no regular expressions, and no pattern spans a dot or an at sign.

// parseDNSPattern checks a host name, or "*." before a host name of at least two labels.
func parseDNSPattern(s string) error {
	host, wildcard := strings.CutPrefix(s, "*.")
	if !san.IsHostName(host) {
		return errors.New("not a host name (give international names in their xn-- form, without a final dot)")
	}
	if wildcard && !strings.Contains(host, ".") {
		return errors.New("wildcard over a top-level name")
	}
	return nil
}

// dnsPattern is a pattern of DNSNames in lower case: a host name, or the part after the asterisk,
// including the dot.
type dnsPattern struct {
	text     string
	wildcard bool
}

func newDNSPattern(s string) dnsPattern {
	text, wildcard := strings.CutPrefix(strings.ToLower(s), "*")
	return dnsPattern{text, wildcard}
}

// matches compares a host name in lower case with the pattern.
func (p *dnsPattern) matches(host string) bool {
	if !p.wildcard {
		return host == p.text
	}
	n := len(host) - len(p.text) // length of the one label that the asterisk matches
	return n > 0 && host[n:] == p.text && strings.IndexByte(host[:n], '.') < 0
}

// hostNamesOf returns the names that are host names, in lower case. It does not copy a list that
// already has that form.
func hostNamesOf(names []string) []string {
	asTheyAre := func(name string) bool { return san.IsHostName(name) && strings.ToLower(name) == name }
	if all(names, asTheyAre) {
		return names
	}
	var hosts []string
	for _, name := range names {
		if san.IsHostName(name) {
			hosts = append(hosts, strings.ToLower(name)) // the condition above restricts it to ASCII
		}
	}
	return hosts
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func parseURI(s string) error {
	parsed, err := url.Parse(s)
	if err != nil || !parsed.IsAbs() {
		return errors.New("not an absolute URI")
	}
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7F {
			return errors.New("not printable ASCII, which a URI in a certificate must be")
		}
	}
	return nil
}

func parseMailboxPattern(s string) error {
	if host, every := strings.CutPrefix(s, "@"); every {
		if !san.IsHostName(host) {
			return errors.New("not \"@\" and a host name")
		}
		return nil
	}
	if !san.IsMailbox(s) {
		return errors.New("not one plain mailbox")
	}
	return nil
}

// matchMailbox compares the texts before it checks the syntax of the name, because a name can have
// thousands of bytes and is compared with every entry of a list.
func matchMailbox(have, want string) bool {
	local, _, _ := strings.Cut(want, "@")
	host := want[len(local):]
	end := len(have) - len(host) // of the local part, if the host is that of the pattern
	if end < 0 || !san.EqualFoldASCII(have[end:], host) {
		return false
	}
	return (local == "" || have[:end] == local) && san.IsMailbox(have)
}

func isUPN(s string) bool {
	user, suffix, found := strings.Cut(s, "@")
	return found && user != "" && suffix != "" && !strings.Contains(suffix, "@")
}

func parseUPN(s string) error {
	if !isUPN(s) {
		return errors.New("not a user principal name (user@suffix)")
	}
	return nil
}

func matchUPN(have, want string) bool {
	user, suffix, _ := strings.Cut(have, "@")
	wantUser, wantSuffix, _ := strings.Cut(want, "@")
	return user == wantUser && san.EqualFoldASCII(suffix, wantSuffix)
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
