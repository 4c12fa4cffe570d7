package fetch

import "net/netip"

// addressClass classifies an address by the services reachable at it. Whoever may connect to a class may
// connect to those after it.
type addressClass uint8

const (
	addressSpecial  addressClass = iota // never connected to unless it is named by itself
	addressLoopback                     // this machine
	addressPrivate                      // a network of the operator
	addressGlobal                       // the Internet
)

// addressRange is one row of the registries of special addresses.
type addressRange struct {
	prefix netip.Prefix
	class  addressClass
	name   string
}

func rangeOf(prefix string, class addressClass, name string) addressRange {
	return addressRange{netip.MustParsePrefix(prefix), class, name}
}

// ranges4 are the IPv4 addresses that are not global (IANA IPv4 Special-Purpose Address Registry,
// RFC 6890), and a public address that belongs to a platform.
var ranges4 = []addressRange{
	rangeOf("0.0.0.0/8", addressSpecial, "unspecified"),
	rangeOf("10.0.0.0/8", addressPrivate, "private"),
	rangeOf("100.64.0.0/10", addressSpecial, "shared address space"), // 100.100.100.200 is a metadata service
	rangeOf("127.0.0.0/8", addressLoopback, "loopback"),
	rangeOf("168.63.129.16/32", addressSpecial, "the platform's"), // Azure: WireServer, resolver, health probes
	rangeOf("169.254.0.0/16", addressSpecial, "link-local"),       // 169.254.169.254 is the metadata service
	rangeOf("172.16.0.0/12", addressPrivate, "private"),
	rangeOf("192.0.0.0/24", addressSpecial, "protocol assignment"), // 192.0.0.192 is a metadata service
	rangeOf("192.0.2.0/24", addressSpecial, "documentation"),
	rangeOf("192.88.99.0/24", addressSpecial, "6to4 relay"),
	rangeOf("192.168.0.0/16", addressPrivate, "private"),
	rangeOf("198.18.0.0/15", addressSpecial, "benchmarking"),
	rangeOf("198.51.100.0/24", addressSpecial, "documentation"),
	rangeOf("203.0.113.0/24", addressSpecial, "documentation"),
	rangeOf("224.0.0.0/4", addressSpecial, "multicast"),
	rangeOf("240.0.0.0/4", addressSpecial, "reserved"), // 255.255.255.255, broadcast, is the last
}

// ranges6 are read from the top; an address in none of them is special. The metadata services of
// the clouds have unique local addresses, which would otherwise be private.
var ranges6 = []addressRange{
	rangeOf("::/128", addressSpecial, "unspecified"),
	rangeOf("::1/128", addressLoopback, "loopback"),
	rangeOf("fd00:ec2::/32", addressSpecial, "the platform's"),          // AWS
	rangeOf("fd20:ce::254/128", addressSpecial, "the platform's"),       // Google Cloud
	rangeOf("fd00:c1::a9fe:a9fe/128", addressSpecial, "the platform's"), // Oracle Cloud
	rangeOf("fd00:42::42/128", addressSpecial, "the platform's"),        // Scaleway
	rangeOf("fd00:a9fe:a9fe::1/128", addressSpecial, "the platform's"),  // Akamai
	rangeOf("fd00:100::100:200/128", addressSpecial, "the platform's"),  // Alibaba Cloud
	rangeOf("fc00::/7", addressPrivate, "private"),                      // RFC 4193
	rangeOf("fe80::/10", addressSpecial, "link-local"),                  // RFC 4291
	rangeOf("fec0::/10", addressSpecial, "site-local"),                  // RFC 3879
	rangeOf("ff00::/8", addressSpecial, "multicast"),                    // RFC 4291
	rangeOf("64:ff9b:1::/48", addressSpecial, "local translation"),      // RFC 8215: leads to any IPv4 address, at several offsets
	rangeOf("::/96", addressSpecial, "IPv4-compatible"),                 // RFC 4291
	rangeOf("2001::/23", addressSpecial, "protocol assignment"),         // RFC 2928; Teredo is 2001::/32
	rangeOf("2001:db8::/32", addressSpecial, "documentation"),           // RFC 3849
	rangeOf("3fff::/20", addressSpecial, "documentation"),               // RFC 9637
	rangeOf("2000::/3", addressGlobal, "global"),                        // RFC 4291: the only global unicast space
}

var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// classify returns the class of an address and the name of its range. IPv4-mapped addresses are
// IPv4, and zones are ignored. An address that a gateway translates to IPv4 is global if the IPv4
// address is.
func classify(a netip.Addr) (addressClass, string) {
	a = plain(a)
	if !a.IsValid() {
		return addressSpecial, "no address"
	}
	ranges := ranges6
	if a.Is4() {
		ranges = ranges4
	} else if inner, ok := embedded(a); ok {
		if class, name := classify(inner); class != addressGlobal {
			return addressSpecial, "translated to " + name
		}
		return addressGlobal, "global"
	}
	for _, r := range ranges {
		if r.prefix.Contains(a) {
			return r.class, r.name
		}
	}
	if a.Is4() {
		return addressGlobal, "global"
	}
	return addressSpecial, "reserved"
}

// plain returns the address as it is compared: IPv4-mapped as IPv4, and without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// embedded returns the IPv4 address that a translator or relay would connect to.
func embedded(a netip.Addr) (netip.Addr, bool) {
	bytes := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(bytes[12:16])), true
	case sixTo.Contains(a):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}
