package nameconstraints

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// subtree is the base of one GeneralSubtree.
type subtree struct {
	form     form
	text     string // for the operator
	excluded bool   // or else permitted

	// problem says why no name can be compared with the subtree. It is empty if names can.
	problem string

	name        dn.Prepared // of a directoryName, with one key per RDN
	keys        []string
	prefix      netip.Prefix // of an iPAddress
	local, host string       // of an rfc822Name that is a mailbox
}

func newSubtree(base der.Element) (subtree, error) {
	if !san.IsForm(base) {
		return subtree{}, errors.New("the base of a subtree is not a GeneralName")
	}
	kind, ok := formOf(base)
	if !ok {
		return subtree{}, errors.New("the base of a subtree is an otherName without a type")
	}
	tree := subtree{form: kind, text: string(base.Content)}
	switch kind.number {
	case san.DNSName:
		if !isDomain(tree.text) {
			tree.problem = "is not a domain"
		}
	case san.RFC822Name:
		if tree.local, tree.host, ok = san.SplitMailbox(tree.text); !ok && !isDomain(tree.text) {
			tree.problem = "is neither a host, nor a domain, nor a mailbox"
		}
	case san.URI:
		if !isDomain(tree.text) || san.EndsInNumber(tree.text) {
			tree.problem = "is neither a host nor a domain"
		}
	case san.IPAddress:
		if tree.prefix, ok = prefixOf(base.Content); !ok {
			tree.text, tree.problem = hex.EncodeToString(base.Content), "is not an IP address with a contiguous mask"
			break
		}
		tree.text = tree.prefix.String()
	case san.DirectoryName:
		name, err := dn.Parse(base.Content)
		if err != nil {
			tree.text, tree.problem = "directory name", "cannot be read"
			break
		}
		tree.text, tree.name, tree.keys = name.String(), name.Prepare(), name.FoldRDNs()
	default:
		tree.text, tree.problem = kind.String(), "is of a form that no rule compares"
	}
	return tree, nil
}

// isDomain accepts the constraints on host names: the empty one, which covers every name, a host
// name, and a host name after a dot, which covers the names below it. RFC 5280 defines the dot
// for e-mail addresses and URIs; crypto/x509 and OpenSSL give it the same meaning for DNS names.
func isDomain(s string) bool {
	return s == "" || san.IsHostName(strings.TrimPrefix(s, "."))
}

// prefixOf reads an address with its mask, in network byte order (RFC 4632, section 3.1).
func prefixOf(content []byte) (netip.Prefix, bool) {
	half := len(content) / 2
	address, ok := netip.AddrFromSlice(content[:half])
	ones, size := net.IPMask(content[half:]).Size()
	if !ok || size != address.BitLen() { // 0 if the ones are not contiguous
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(address, ones).Masked(), true
}

// concerns reports whether the constraint applies to names of this form. Each type of otherName
// is a separate form, and a constraint on e-mail addresses also applies to internationalized
// addresses (RFC 9598, section 6). An otherName without a type can be of any form.
func (t *subtree) concerns(n *name) bool {
	switch {
	case t.form == n.form:
		return true
	case n.form.number != san.OtherName:
		return false
	case t.form.number == san.RFC822Name:
		return n.form.oid == san.OIDSMTPUTF8Mailbox || n.form.oid == ""
	}
	return t.form.number == san.OtherName && n.form.oid == ""
}

// holds reports whether the name is certainly within the subtree.
func (t *subtree) holds(n *name) bool {
	switch t.form.number {
	case san.DNSName:
		return t.text == "" || !strings.HasPrefix(t.text, ".") && san.EqualFoldASCII(n.text, t.text) || isBelow(n.text, t.text)
	case san.RFC822Name:
		if t.local != "" {
			return n.local == t.local && san.EqualFoldASCII(n.host, t.host)
		}
		return t.holdsHost(n.host)
	case san.URI:
		return t.holdsHost(n.host)
	case san.IPAddress:
		return t.prefix.Contains(n.address)
	case san.DirectoryName:
		return len(n.keys) >= len(t.keys) && slices.Equal(n.keys[:len(t.keys)], t.keys)
	}
	return false
}

// holdsHost is the rule for e-mail addresses and URIs: a host covers only that host, and a host
// after a dot covers the hosts below it.
func (t *subtree) holdsHost(host string) bool {
	if strings.HasPrefix(t.text, ".") {
		return isBelow(host, t.text)
	}
	return t.text == "" || san.EqualFoldASCII(host, t.text)
}

// mayHold reports whether the name may be within the subtree: as one of the names that a wildcard
// covers, or as the same directory name in a spelling that cannot be compared.
func (t *subtree) mayHold(n *name) bool {
	switch {
	case t.form.number == san.DirectoryName:
		return len(n.name) >= len(t.name) && !t.name.Differs(n.name[:len(t.name)])
	case n.wildcard:
		_, above, _ := strings.Cut(t.text, ".")
		return t.holds(n) || san.EqualFoldASCII(above, n.host)
	}
	return t.holds(n)
}

// isBelow reports whether the name has at least one label more than the domain, which may begin
// with a dot.
func isBelow(name, domain string) bool {
	domain = strings.TrimPrefix(domain, ".")
	cut := len(name) - len(domain)
	return cut > 1 && name[cut-1] == '.' && san.EqualFoldASCII(name[cut:], domain)
}

// form is the form of a name: the number of the GeneralName and, for an otherName, its type.
type form struct {
	number int
	oid    string
}

var formTexts = [...]string{
	san.OtherName: "otherName", san.RFC822Name: "e-mail address", san.DNSName: "DNS name", san.X400Address: "X.400 address",
	san.DirectoryName: "directory name", san.EDIPartyName: "EDI party name", san.URI: "URI", san.IPAddress: "IP address", san.RegisteredID: "registered ID",
}

// String returns the name of the form.
func (f form) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s", formTexts[f.number], f.oid))
}

// formOf returns false for an otherName without a type.
func formOf(element der.Element) (form, bool) {
	kind := form{number: int(element.Tag & der.NumberMask)}
	if kind.number != san.OtherName {
		return kind, true
	}
	var ok bool
	kind.oid, _, ok = san.OtherNameType(element)
	return kind, ok
}
