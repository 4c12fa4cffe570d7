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

// dnsKeys returns the host names in lower case, each with its parent, which the asterisk of a pattern
// leaves: ".partner.example". Without a dot that is empty, which no entry is.
func dnsKeys(n *san.Names, keys []string) ([]string, bool) {
	all := true
	for _, name := range n.DNS {
		if !san.IsHostName(name) {
			all = false
			continue
		}
		host := foldASCII(name)
		label, _, _ := strings.Cut(host, ".")
		keys = append(keys, host, host[len(label):])
	}
	return keys, all
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func parseURI(s string) error {
	parsed, err := url.Parse(s)
	if err != nil || !parsed.IsAbs() {
		return errors.New("not an absolute URI")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("not printable ASCII, which a URI in a certificate must be")
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

// mailboxKeys returns the mailboxes with the host in lower case, each with "@" and that host.
// Internationalized ones are not compared.
func mailboxKeys(n *san.Names, keys []string) ([]string, bool) {
	all := len(n.UTF8Emails) == 0
	for _, name := range n.Emails {
		local, _, ok := san.SplitMailbox(name)
		if !ok {
			all = false
			continue
		}
		mailbox := foldHost(name)
		keys = append(keys, mailbox, mailbox[len(local):])
	}
	return keys, all
}

// upnKeys returns the user principal names with the suffix in lower case.
func upnKeys(n *san.Names, keys []string) ([]string, bool) {
	all := true
	for _, name := range n.UPNs {
		if !isUPN(name) {
			all = false
			continue
		}
		keys = append(keys, foldHost(name))
	}
	return keys, all
}

// foldHost writes what follows the first at sign in lower case.
func foldHost(s string) string {
	user, host, _ := strings.Cut(s, "@")
	return user + "@" + foldASCII(host)
}

// foldASCII writes the letters of ASCII in lower case. Unicode folding would make the Kelvin sign
// equal to k.
func foldASCII(s string) string {
	return strings.Map(lowerASCII, s)
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

func lowerASCII[T byte | rune](c T) T {
	if 'A' <= c && c <= 'Z' {
		return c + ('a' - 'A')
	}
	return c
}
