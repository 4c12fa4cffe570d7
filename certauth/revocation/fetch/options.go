package fetch

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
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

// HTTPOptions configures an [HTTPFetcher]. The zero value is the strict choice: URLs in
// certificates can lead only to ports 80 and 443 of public addresses.
type HTTPOptions struct {
	// AllowNets are private networks to which URLs in certificates may lead, for example that of
	// a responder behind a private endpoint. A prefix permits the private addresses in it (RFC
	// 1918, fc00::/7) and no others. A prefix of a single address (/32, /128) permits that
	// address, even a loopback, link-local or platform address. The default is none.
	AllowNets []netip.Prefix

	// AllowHosts are host names whose URLs may lead to private addresses, but never to loopback,
	// link-local or platform addresses. Each is a complete name, compared without case. The
	// default is none.
	AllowHosts []string

	// AllowPorts are ports permitted in addition to 80 and 443.
	AllowPorts []int

	// Proxy is an HTTP proxy, http or https. The default is none; HTTP_PROXY and similar
	// variables are never read. A proxy resolves names again and makes the connection itself, so
	// its own rules must restrict what it connects to. This package only checks that no address
	// to which a certificate's host resolves at this moment is denied, so a name that cannot be
	// resolved here is not fetched. Names in configured URLs are left to the proxy, because it may
	// be the only one that knows them.
	Proxy *url.URL

	// RootCAs are the CAs of https responders. Nil means the system's. https only adds privacy,
	// because the evidence itself is signed. The responders' own certificates are not checked for
	// revocation, which would be circular (RFC 5280, section 8).
	RootCAs *x509.CertPool

	// OCSPTimeout and CRLTimeout bound a whole fetch, including redirects and body. The defaults
	// are 3s and 30s. Response headers must arrive within 3s, or within the longer of the two
	// timeouts that are set explicitly, if that is longer.
	OCSPTimeout, CRLTimeout time.Duration

	// UserAgent is the User-Agent of requests. The default is "go-certauth".
	UserAgent string

	// Resolver resolves names. Nil means Go's default.
	Resolver *net.Resolver
}

// check reports all mistakes at once.
func (o *HTTPOptions) check() error {
	var found []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Errorf(format, args...))
		}
	}
	for i, p := range o.AllowNets {
		err := checkAllowNet(p)
		refuse(err != nil, "AllowNets[%d]: %s: %w", i, p, err)
	}
	for i, name := range o.AllowHosts {
		literal, err := checkHost(name)
		refuse(err != nil, "AllowHosts[%d]: %s: want a name", i, logtext.Quote(name))
		refuse(literal.IsValid(), "AllowHosts[%d]: %s: an address belongs in AllowNets", i, literal)
	}
	for i, port := range o.AllowPorts {
		refuse(port < 1 || port > 65535, "AllowPorts[%d]: %d, want 1 to 65535", i, port)
	}
	err := checkProxy(o.Proxy)
	refuse(err != nil, "Proxy: %w", err)
	refuse(o.OCSPTimeout < 0, "OCSPTimeout: %s, want 0 for %s, or more", o.OCSPTimeout, DefaultOCSPTimeout)
	refuse(o.CRLTimeout < 0, "CRLTimeout: %s, want 0 for %s, or more", o.CRLTimeout, DefaultCRLTimeout)
	refuse(!isFieldText(o.UserAgent), "UserAgent: %s, want at most %d bytes of printable ASCII", logtext.Quote(o.UserAgent), maxFieldText)
	return errors.Join(mistakes.Prefix("HTTPOptions.", found...)...)
}

// checkAllowNet refuses a prefix that permits nothing, and addresses that accept no connections.
func checkAllowNet(p netip.Prefix) error {
	a := p.Addr()
	isOpened := func(r addressRange) bool { return r.class == addressPrivate && r.prefix.Overlaps(p) }
	switch {
	case !p.IsValid():
		return errors.New("no prefix")
	case a.Is4In6():
		return errors.New("write an IPv4-mapped prefix as IPv4")
	case p != p.Masked():
		return fmt.Errorf("bits outside the prefix, want %s", p.Masked())
	case p.IsSingleIP() && (a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255})):
		return errors.New("this address accepts no connections")
	case !p.IsSingleIP() && !slices.ContainsFunc(slices.Concat(ranges4, ranges6), isOpened):
		return errors.New("opens nothing: a prefix permits only private networks; name other addresses one by one")
	}
	return nil
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
	if CheckURL(proxy.Scheme+"://"+proxy.Host) != nil || strings.ContainsAny(proxy.Host, "/?") {
		return fmt.Errorf("host %s, want a name or an address, and a port", logtext.Quote(proxy.Host))
	}
	return nil
}
