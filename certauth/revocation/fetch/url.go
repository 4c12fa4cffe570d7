package fetch

import (
	"cmp"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

const maxURL = 2048

const alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// target is a URL whose text permits fetching it. Its host is looked at when it is dialled.
type target struct {
	url        *url.URL   // what is requested; its Host is in lower case
	host       string     // the name or, without brackets, the address
	literal    netip.Addr // the host if it is an address
	configured bool       // by the operator
}

// origin is what error texts contain of the URL.
func (t *target) origin() string { return t.url.Scheme + "://" + t.url.Host }

// CheckURL returns an error if the form of a URL that an operator configures is not allowed. It
// opens no socket.
func CheckURL(raw string) error {
	_, err := checkURL(raw, true, nil)
	return err
}

// checkURL reads a URL strictly: the standard library, a resolver and a proxy all read what it
// accepts in the same way (RFC 3986; the WHATWG URL Standard for hosts that are numbers). ports
// are allowed in addition to 80 and 443.
func checkURL(raw string, configured bool, ports []int) (*target, error) {
	if len(raw) > maxURL {
		return nil, refuse(ErrBlockedURL, "%d bytes, want at most %d", len(raw), maxURL)
	}
	if err := checkCharacters(raw); err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, refuse(ErrBlockedURL, "%s", describe(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, refuse(ErrBlockedURL, "scheme %s, want http or https", logtext.Quote(u.Scheme))
	case u.User != nil:
		return nil, refuse(ErrBlockedURL, "user information")
	case strings.HasSuffix(u.Host, ":"):
		return nil, refuse(ErrBlockedURL, "empty port")
	}
	t := &target{url: u, host: u.Hostname(), configured: configured}
	if strings.HasPrefix(u.Host, "[") {
		t.literal, err = netip.ParseAddr(t.host)
		if err != nil || !t.literal.Is6() || t.literal.Zone() != "" {
			return nil, refuse(ErrBlockedURL, "no IPv6 address in brackets")
		}
	} else if t.literal, err = checkHost(t.host); err != nil {
		return nil, err
	}
	if err := checkPort(u, configured, ports); err != nil {
		return nil, err
	}
	u.Host = strings.ToLower(u.Host) // one spelling, one pool of connections; the host is ASCII by now
	t.host = u.Hostname()
	return t, nil
}

// checkCharacters accepts only the characters of RFC 3986, and no fragment, which means nothing in
// a fetch.
func checkCharacters(s string) error {
	switch refused := strings.TrimLeft(s, alphanumeric+"-._~:/?[]@!$&'()*+,;=%"); {
	case refused == "":
		return nil
	case refused[0] == '#':
		return refuse(ErrBlockedURL, "fragment")
	default:
		return refuse(ErrBlockedURL, "byte 0x%02x", refused[0])
	}
}

// checkHost accepts a dotted IPv4 address, which it returns, or a host name. Internationalised names
// must be in their ASCII form, and an empty last label is refused. Some libraries read anything else
// that ends in a number as an address: 127.1, 0x7f.1, 2130706433.
func checkHost(host string) (netip.Addr, error) {
	isASCII := strings.Trim(host, alphanumeric+"-_.") == ""
	if isASCII && san.EndsInNumber(host) {
		address, err := netip.ParseAddr(host)
		if err != nil || !address.Is4() {
			return netip.Addr{}, refuse(ErrBlockedAddress, "host %s is a number, want four in dotted decimal", logtext.Quote(host))
		}
		return address, nil
	}
	if !san.IsHostName(host) {
		return netip.Addr{}, refuse(ErrBlockedURL, "host %s is neither a name in ASCII nor an address", logtext.Quote(host))
	}
	return netip.Addr{}, nil
}

func checkPort(u *url.URL, configured bool, ports []int) error {
	text := portOf(u)
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 || strconv.FormatUint(port, 10) != text {
		return refuse(ErrBlockedURL, "port %s", logtext.Quote(text))
	}
	if configured || port == 80 || port == 443 || slices.Contains(ports, int(port)) {
		return nil
	}
	return refuseUnless(helpPorts, ErrBlockedURL, "port %d, want 80, 443, or one of AllowPorts", port)
}

// portOf returns the port that a URL names or, if it names none, that of its scheme.
func portOf(u *url.URL) string {
	if u.Scheme == "https" {
		return cmp.Or(u.Port(), "443")
	}
	return cmp.Or(u.Port(), "80")
}
