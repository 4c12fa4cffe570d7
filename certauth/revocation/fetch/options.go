package fetch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
)

// The defaults of HTTPOptions.
const (
	DefaultOCSPTimeout = 3 * time.Second
	DefaultCRLTimeout  = 30 * time.Second
	DefaultUserAgent   = "go-certauth"
)

// HTTPOptions are the terms of an [HTTPFetcher]. The zero value is the strict choice:
// URLs of certificates lead to ports 80 and 443 of global addresses and nowhere else.
type HTTPOptions struct {
	// AllowNets are private networks that URLs of certificates may lead to, such as the
	// one of a responder behind a private endpoint. A prefix opens the private addresses
	// in it (RFC 1918, fc00::/7) and no others. A prefix of one single address (/32, /128)
	// opens that address, be it loopback, link-local, or a platform's. None by default.
	AllowNets []netip.Prefix

	// AllowHosts are names whose URLs may lead to private addresses, whatever they resolve
	// to; never to loopback, link-local, and platform addresses. Each is one whole name,
	// upper and lower case alike. None by default.
	AllowHosts []string

	// AllowPorts are ports besides 80 and 443.
	AllowPorts []int

	// Proxy is an HTTP proxy, http or https. By default there is none: HTTP_PROXY and the
	// like are never read. A proxy resolves names anew and makes the connection itself, so
	// it has to be told by its own rules what it may connect to; what is checked here is
	// that no address that a host of a certificate's URL has at this moment is denied. Names
	// in configured URLs are left to the proxy, which alone may know them.
	Proxy *url.URL

	// RootCAs are the authorities of https responders. Nil means the system's: https adds
	// privacy, the evidence is signed for itself. The responders' own certificates are not
	// checked for revocation, which would never end (RFC 5280, section 8).
	RootCAs *x509.CertPool

	// OCSPTimeout and CRLTimeout bound a whole fetch, redirects and body included. The
	// defaults are 3 s and 30 s. The headers of the answer must have come within the longer of
	// the two that are set, and within 3 s in any case that sets neither longer.
	OCSPTimeout, CRLTimeout time.Duration

	// OCSPRedirects is how many redirects a fetch of OCSP follows: 0, the default, or 1.
	OCSPRedirects int

	// UserAgent is the User-Agent of requests, "go-certauth" by default.
	UserAgent string

	// Resolver looks names up. Nil means Go's default.
	Resolver *net.Resolver
}

// check reports all mistakes at once.
func (o *HTTPOptions) check() error {
	found := mistakes.Flatten(checkAllowNets(o.AllowNets), checkAllowHosts(o.AllowHosts))
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	for i, port := range o.AllowPorts {
		refuse(port < 1 || port > 65535, "AllowPorts[%d]: %d, want 1 to 65535", i, port)
	}
	err := checkProxy(o.Proxy)
	refuse(err != nil, "Proxy: %w", err)
	refuse(o.OCSPTimeout < 0, "OCSPTimeout: %s, want 0 for %s, or more", o.OCSPTimeout, DefaultOCSPTimeout)
	refuse(o.CRLTimeout < 0, "CRLTimeout: %s, want 0 for %s, or more", o.CRLTimeout, DefaultCRLTimeout)
	refuse(o.OCSPRedirects < 0 || o.OCSPRedirects > maxOCSPRedirects, "OCSPRedirects: %d, want 0 or %d", o.OCSPRedirects, maxOCSPRedirects)
	refuse(!isFieldText(o.UserAgent), "UserAgent: %s, want at most %d bytes of printable ASCII", logtext.Quote(o.UserAgent), maxFieldText)
	return errors.Join(mistakes.Prefix("HTTPOptions.", found...)...)
}

// checkAllowNets refuses prefixes that would open nothing, or addresses that accept no connections.
func checkAllowNets(nets []netip.Prefix) error {
	var found []error
	for i, p := range nets {
		if err := checkAllowNet(p); err != nil {
			found = append(found, fmt.Errorf("AllowNets[%d]: %s: %w", i, p, err))
		}
	}
	return errors.Join(found...)
}

func checkAllowNet(p netip.Prefix) error {
	a := p.Addr()
	switch {
	case !p.IsValid():
		return errors.New("no prefix")
	case a.Is4In6():
		return errors.New("write an IPv4-mapped prefix as IPv4")
	case p != p.Masked():
		return fmt.Errorf("bits outside the prefix, want %s", p.Masked())
	case p.IsSingleIP():
		if a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			return errors.New("nobody can be connected to there")
		}
		return nil
	}
	for _, ranges := range [][]addressRange{ranges4, ranges6} {
		for _, r := range ranges {
			if r.class == addressPrivate && r.prefix.Overlaps(p) {
				return nil
			}
		}
	}
	return errors.New("opens nothing: a prefix opens private networks only, other addresses are named one by one")
}

func checkAllowHosts(names []string) error {
	var found []error
	for i, name := range names {
		literal, err := checkHost(name)
		switch {
		case err != nil:
			found = append(found, fmt.Errorf("AllowHosts[%d]: %s: want a name", i, logtext.Quote(name)))
		case literal.IsValid():
			found = append(found, fmt.Errorf("AllowHosts[%d]: %s: an address belongs into AllowNets", i, literal))
		}
	}
	return errors.Join(found...)
}

func checkProxy(proxy *url.URL) error {
	if proxy == nil {
		return nil
	}
	if proxy.Scheme != "http" && proxy.Scheme != "https" {
		return fmt.Errorf("scheme %s, want http or https", logtext.Quote(proxy.Scheme))
	}
	if proxy.Opaque != "" || strings.Trim(proxy.Path, "/") != "" || proxy.RawQuery != "" || proxy.Fragment != "" {
		return errors.New("want scheme, host and port alone")
	}
	_, port, err := splitAuthority(proxy.Host)
	if err == nil {
		err = checkPort(proxy.Scheme, port, true, nil)
	}
	if err != nil {
		return fmt.Errorf("host %s, want a name or an address, and a port", logtext.Quote(proxy.Host))
	}
	return nil
}
