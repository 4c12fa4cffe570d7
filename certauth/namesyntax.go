package certauth

import (
	"errors"
	"net/url"
	"strings"
)

// The syntax of the names that rules list and certificates carry. Everything covers the
// whole value; there are no regular expressions, and no pattern spans a dot or an at
// sign.

// parseDNSPattern checks a host name or "*." in front of one with at least two labels.
func parseDNSPattern(s string) error {
	host, wildcard := strings.CutPrefix(s, "*.")
	if !isHostName(host) {
		return errors.New("not a host name (give international names in their xn-- form, without a final dot)")
	}
	if wildcard && !strings.Contains(host, ".") {
		return errors.New("wildcard over a top-level name")
	}
	return nil
}

// dnsPattern is a pattern of DNSNames in lower case: a host name, or what stands behind the
// asterisk, dot included.
type dnsPattern struct {
	text     string
	wildcard bool
}

func newDNSPattern(s string) dnsPattern {
	text, wildcard := strings.CutPrefix(strings.ToLower(s), "*")
	return dnsPattern{text, wildcard}
}

// matches compares a host name in lower case with the pattern, label by label.
func (p *dnsPattern) matches(host string) bool {
	if !p.wildcard {
		return host == p.text
	}
	n := len(host) - len(p.text) // of the one label that the asterisk stands for
	return n > 0 && host[n:] == p.text && strings.IndexByte(host[:n], '.') < 0
}

// hostNamesOf returns those of the names that are host names, in lower case. It makes no
// copy of a list that is already like that.
func hostNamesOf(names []string) []string {
	asTheyAre := func(name string) bool { return isHostName(name) && strings.ToLower(name) == name }
	if all(names, asTheyAre) {
		return names
	}
	var hosts []string
	for _, name := range names {
		if isHostName(name) {
			hosts = append(hosts, strings.ToLower(name)) // ASCII, by the line above
		}
	}
	return hosts
}

// isHostName accepts letters, digits, hyphens and underscores in labels of 1 to 63
// bytes, 253 in all. A wildcard is not a host name.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	start := 0 // of the label
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] != '.' {
			if !hostBytes[s[i]] {
				return false
			}
			continue
		}
		if i == start || i-start > 63 || s[start] == '-' || s[i-1] == '-' {
			return false
		}
		start = i + 1
	}
	return true
}

// hostBytes are the bytes of a label.
var hostBytes = func() (table [256]bool) {
	for c := range 256 {
		table[c] = isAlphanumeric(byte(c)) || c == '-' || c == '_'
	}
	return table
}()

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
			return errors.New("a URI in a certificate is printable ASCII")
		}
	}
	return nil
}

// splitMailbox splits "local@host" where both are plain: no quotes, no comments, no
// second at sign, no space or control character.
func splitMailbox(s string) (local, host string, ok bool) {
	local, host, found := strings.Cut(s, "@")
	if !found || !isHostName(host) {
		return "", "", false
	}
	for atom := range strings.SplitSeq(local, ".") { // the dot-atom of RFC 5321, section 4.1.2
		if atom == "" {
			return "", "", false
		}
	}
	for i := range len(local) {
		if c := local[i]; !isAlphanumeric(c) && strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) < 0 {
			return "", "", false
		}
	}
	return local, host, true
}

func isMailbox(s string) bool {
	_, _, ok := splitMailbox(s)
	return ok
}

func parseMailboxPattern(s string) error {
	if host, every := strings.CutPrefix(s, "@"); every {
		if !isHostName(host) {
			return errors.New("not \"@\" and a host name")
		}
		return nil
	}
	if !isMailbox(s) {
		return errors.New("not one plain mailbox")
	}
	return nil
}

func matchMailbox(have, want string) bool {
	local, host, ok := splitMailbox(have)
	if !ok {
		return false
	}
	wantLocal, wantHost, _ := strings.Cut(want, "@")
	return equalFoldASCII(host, wantHost) && (wantLocal == "" || local == wantLocal)
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
	return user == wantUser && equalFoldASCII(suffix, wantSuffix)
}

// equalFoldASCII compares without regard to the case of ASCII letters only: Unicode
// folding would let the Kelvin sign stand for a k.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	if a == b {
		return true
	}
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
