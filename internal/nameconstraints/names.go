package nameconstraints

import (
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// name is one name of a certificate, split for the comparison.
type name struct {
	form form
	text string

	// problem says why the name cannot be compared with subtrees of its form. It is empty if it
	// can.
	problem string

	local, host string // of an e-mail address; host also of a URI and of a wildcard DNS name
	wildcard    bool
	address     netip.Addr
	name        dn.Prepared // of a directoryName, with one key per RDN
	keys        []string
}

type names []name

// String formats the type and the quoted value of the name.
func (n *name) String() string {
	if n.text == "" {
		return n.form.String()
	}
	return n.form.String() + " " + logtext.Quote(n.text)
}

// namesOf returns every name of the certificate: the subject, unless it is empty, its e-mail
// addresses, and the alternative names. RFC 5280 considers the addresses in the subject only if
// there is no alternative name. OpenSSL always considers them, and so does this function, because
// a rule on the subject may read them.
func namesOf(cert *x509.Certificate) (names, error) {
	list := names{} // not nil, so that a certificate without names also counts as read
	subject, err := dn.Parse(cert.RawSubject)
	switch {
	case err != nil:
		const problem = "cannot be read"
		list = append(list, name{form: form{number: san.DirectoryName}, problem: problem}, name{form: form{number: san.RFC822Name}, problem: problem})
	case len(subject) > 0:
		list = append(list, directoryName(subject))
		for _, attribute := range slices.Concat(subject...) {
			if attribute.OID != dn.OIDEmailAddress {
				continue
			}
			email := name{form: form{number: san.RFC822Name}, problem: "cannot be read"}
			if attribute.Raw == nil {
				email = emailAddress(attribute.Text)
			}
			list = append(list, email)
		}
	}
	e := certcheck.Extension(cert, san.OID)
	if e == nil {
		return list, nil
	}
	elements, err := san.General(e.Value)
	for _, element := range elements {
		if !san.IsForm(element) {
			return nil, errors.New("subject alternative name: not a GeneralName")
		}
		list = append(list, nameOf(element))
	}
	return list, err
}

func nameOf(element der.Element) name {
	kind, ok := formOf(element)
	if !ok {
		return name{form: kind, problem: "has no type"}
	}
	n := name{form: kind}
	switch kind.number {
	case san.DNSName:
		n.text = string(element.Content)
		if n.host, n.wildcard = strings.CutPrefix(n.text, "*."); !san.IsHostName(n.host) {
			n.problem = "is not a host name"
		}
	case san.RFC822Name:
		return emailAddress(string(element.Content))
	case san.URI:
		n.text = string(element.Content)
		if n.host, ok = uriHost(n.text); !ok {
			n.problem = "has no host name"
		}
	case san.IPAddress:
		if n.address, ok = netip.AddrFromSlice(element.Content); !ok || n.address.Is4In6() {
			n.text, n.problem = hex.EncodeToString(element.Content), "is neither an IPv4 nor an IPv6 address"
			break
		}
		n.text = n.address.String()
	case san.DirectoryName:
		subject, err := dn.Parse(element.Content)
		if err != nil {
			n.problem = "cannot be read"
			break
		}
		return directoryName(subject)
	default: // with a constraint on it, it cannot be compared
		if kind.oid == san.OIDSMTPUTF8Mailbox {
			n.problem = "is an internationalized address, which is not compared"
		}
	}
	return n
}

func directoryName(subject dn.Name) name {
	return name{form: form{number: san.DirectoryName}, text: subject.String(), name: subject.Prepare(), keys: subject.FoldRDNs()}
}

func emailAddress(text string) name {
	n := name{form: form{number: san.RFC822Name}, text: text}
	var ok bool
	if n.local, n.host, ok = san.SplitMailbox(text); !ok {
		n.problem = "is not one plain mailbox"
	}
	return n
}

// uriHost returns the host of a URI (RFC 3986, section 3.2) if there is one and it is a name. It
// returns none if readers of URIs disagree about the host.
func uriHost(uri string) (host string, ok bool) {
	scheme, rest, found := strings.Cut(uri, ":")
	if !found || scheme == "" || strings.Trim(scheme, letters+digits+"+-.") != "" || strings.Trim(scheme[:1], letters) != "" {
		return "", false
	}
	authority, found := strings.CutPrefix(rest, "//")
	if !found {
		return "", false
	}
	if end := strings.IndexAny(authority, "/?#"); end >= 0 {
		authority = authority[:end]
	}
	if user, behind, found := strings.Cut(authority, "@"); found {
		if strings.Trim(user, letters+digits+"-._~%!$&'()*+,;=:") != "" {
			return "", false
		}
		authority = behind
	}
	host, port, _ := strings.Cut(authority, ":")
	return host, strings.Trim(port, digits) == "" && san.IsHostName(host) && !san.EndsInNumber(host)
}

const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)
