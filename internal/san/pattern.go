package san

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// The patterns for names in rules, and the texts under which they find those of a certificate. Every
// function checks the whole value; there are no regular expressions, and no pattern spans a dot or an
// at sign.

// CheckDNSPattern checks a host name, or "*." before a host name of at least two labels.
func CheckDNSPattern(s string) error {
	host, wildcard := strings.CutPrefix(s, "*.")
	if !IsHostName(host) {
		return errors.New("not a host name; give the name alone, such as api.partner.example or *.partner.example, without a final dot and in its xn-- form")
	}
	if wildcard && !strings.Contains(host, ".") {
		return errors.New("wildcard over a top-level name")
	}
	return nil
}

// DNSKeys appends the host names in lower case, each with its parent, which the asterisk of a pattern
// leaves: ".partner.example". Without a dot that is empty, which no entry is. It reports whether every
// name is a host name.
func (n *Names) DNSKeys(keys []string) ([]string, bool) {
	all := true
	for _, name := range n.DNS {
		if !IsHostName(name) {
			all = false
			continue
		}
		host := FoldASCII(name)
		label, _, _ := strings.Cut(host, ".")
		keys = append(keys, host, host[len(label):])
	}
	return keys, all
}

// CheckURI checks an absolute URI as a certificate can have it.
func CheckURI(s string) error {
	parsed, err := url.Parse(s)
	if err != nil || !parsed.IsAbs() {
		return errors.New("not an absolute URI")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("not printable ASCII, which a URI in a certificate must be")
	}
	if parsed.Host != "" && slices.Contains(strings.Split(parsed.Host, "."), "") { // crypto/x509 refuses such certificates
		return errors.New("the host has a dot at the end or an empty label, which no URI in a certificate may have")
	}
	return nil
}

// CheckMailboxPattern checks a mailbox, or "@" before a host name.
func CheckMailboxPattern(s string) error {
	if host, every := strings.CutPrefix(s, "@"); every {
		if !IsHostName(host) {
			return errors.New("not \"@\" and a host name")
		}
		return nil
	}
	if _, _, ok := SplitMailbox(s); !ok {
		return errors.New("not one plain mailbox")
	}
	return nil
}

// MailboxKeys appends the mailboxes with the host in lower case, each with "@" and that host.
// Internationalized ones are not compared. It reports whether every mailbox is a plain one.
func (n *Names) MailboxKeys(keys []string) ([]string, bool) {
	all := len(n.UTF8Emails) == 0
	for _, name := range n.Emails {
		local, _, ok := SplitMailbox(name)
		if !ok {
			all = false
			continue
		}
		mailbox := FoldHost(name)
		keys = append(keys, mailbox, mailbox[len(local):])
	}
	return keys, all
}

// UPNKeys appends the user principal names with the suffix in lower case. It reports whether each has
// one at sign.
func (n *Names) UPNKeys(keys []string) ([]string, bool) {
	all := true
	for _, name := range n.UPNs {
		if !isUPN(name) {
			all = false
			continue
		}
		keys = append(keys, FoldHost(name))
	}
	return keys, all
}

// FoldHost writes what follows the first at sign in lower case.
func FoldHost(s string) string {
	user, host, _ := strings.Cut(s, "@")
	return user + "@" + FoldASCII(host)
}

func isUPN(s string) bool {
	user, suffix, found := strings.Cut(s, "@")
	return found && user != "" && suffix != "" && !strings.Contains(suffix, "@")
}

// CheckUPN checks a user principal name.
func CheckUPN(s string) error {
	if !isUPN(s) {
		return errors.New("not a user principal name (user@suffix)")
	}
	if strings.TrimSpace(s) != s || !utf8.ValidString(s) {
		return errors.New("has a leading or trailing space, or is not UTF-8")
	}
	return nil
}
