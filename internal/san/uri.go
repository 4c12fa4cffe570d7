package san

import (
	"encoding/hex"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// NormalURI returns the same text for all spellings of a URI (RFC 3986, section 6.2.2, with the
// default ports of section 6.2.3). It ignores the letter case of the scheme, of the authority (RFC
// 5280, section 4.2.1.6), of a URN's namespace, of a UUID (RFC 9562, section 4) and of an address
// (addressSchemes), the escapes in an address, the dot at the end of a host name (RFC 3986, section
// 3.2.2), the form of an IPv6 address, what follows a URN's name (RFC 8141, section 3.1), segments that
// change nothing, empty ones included, and an empty user, password or query.
func NormalURI(uri string) string {
	u, err := url.Parse(normalEscapes(uri))
	if err != nil { // CheckURI refuses it, and crypto/x509 such a certificate
		return uri
	}
	path := u.EscapedPath()
	if u.Opaque != "" {
		path = u.Opaque
	}
	if namespace, name, ok := strings.Cut(path, ":"); ok && u.Scheme == "urn" {
		if namespace = FoldASCII(namespace); namespace == "uuid" {
			name = FoldASCII(name)
		}
		path = namespace + ":" + name
		u = &url.URL{Scheme: u.Scheme}
	}
	if slices.Contains(addressSchemes, u.Scheme) {
		if plain, err := url.PathUnescape(path); err == nil {
			path = plain
		}
		path = strings.TrimSuffix(hostDots.Replace(FoldASCII(path)), ".")
	}
	u.Opaque, u.Path, u.RawPath = "", "", ""
	host, port := strings.TrimSuffix(FoldASCII(u.Hostname()), "."), strings.TrimLeft(u.Port(), "0")
	if address, err := netip.ParseAddr(host); err == nil { // that of IPv6 has many forms (RFC 5952)
		host = address.String()
	}
	if port == defaultPorts[u.Scheme] {
		port = ""
	}
	u.Host = net.JoinHostPort(host, port)
	user := u.User
	if u.User, u.ForceQuery = nil, false; user != nil {
		if text := strings.TrimSuffix(FoldASCII(user.String()), ":"); text != "" {
			u.User = url.User(text)
		}
	}
	return normalSegments(path) + " " + u.String()
}

// addressSchemes are those with a host, or a mailbox, and no slashes before it (RFC 6068, sections 2 and
// 5; RFC 3261, section 19.1.4; RFC 7622, section 3; RFC 7565, section 4).
var addressSchemes = []string{"mailto", "sip", "sips", "xmpp", "acct"}

// hostDots removes the dot at the end of a host in an address, behind which a port (RFC 3261, section
// 25.1), parameters, a resource (RFC 7622, section 3.2) or another mailbox (RFC 6068, section 2) may follow.
var hostDots = strings.NewReplacer(".:", ":", ".;", ";", "./", "/", ".,", ",")

// defaultPorts are those of RFC 9110, section 4.2, RFC 6455, section 3, RFC 7252, section 6, RFC 8323,
// section 8, RFC 4516, section 2, RFC 1738, section 3.2, and RFC 7826, section 4.2; that of ldaps is only
// registered.
var defaultPorts = map[string]string{
	"http": "80", "https": "443", "ws": "80", "wss": "443", "ldap": "389", "ldaps": "636", "ftp": "21",
	"coap": "5683", "coaps": "5684", "coap+tcp": "5683", "coaps+tcp": "5684", "coap+ws": "80", "coaps+ws": "443",
	"rtsp": "554", "rtsps": "322",
}

// normalSegments removes dot segments (RFC 3986, section 5.2.4), empty segments, and the difference
// between a path with a slash in front and one without.
func normalSegments(path string) string {
	var kept []string
	last := ""
	for segment := range strings.SplitSeq(path, "/") {
		last = segment
		switch {
		case segment == "..":
			kept = kept[:max(0, len(kept)-1)]
		case segment != ".":
			kept = append(kept, segment)
		}
	}
	kept = slices.DeleteFunc(kept, func(segment string) bool { return segment == "" })
	if last == "" || last == "." || last == ".." {
		kept = append(kept, "")
	}
	return "/" + strings.Join(kept, "/")
}

// normalEscapes decodes the letters that need no escape, and writes other escapes in capitals.
func normalEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' || i+3 > len(s) {
			b.WriteByte(s[i])
			continue
		}
		escaped, err := hex.DecodeString(s[i+1 : i+3])
		if err == nil && (IsAlphanumeric(escaped[0]) || strings.ContainsRune("-._~", rune(escaped[0]))) {
			b.WriteByte(escaped[0])
		} else {
			b.WriteString(strings.ToUpper(s[i : i+3]))
		}
		i += 2
	}
	return b.String()
}
