package fetch

import "net/netip"

// addressClass classifies an address by the services reachable at it.
type addressClass uint8

const (
	// addressSpecial is never connected to unless it is named by itself.
	addressSpecial addressClass = iota
	// addressLoopback is the machine that we run on.
	addressLoopback
	// addressPrivate is a network of the operator.
	addressPrivate
	// addressGlobal is the Internet.
	addressGlobal
)

// addressRange is one row of the registries of special addresses.
type addressRange struct {
	prefix netip.Prefix
	class  addressClass
	name   string
}

func specialRange(prefix, name string) addressRange {
	return addressRange{netip.MustParsePrefix(prefix), addressSpecial, name}
}

func privateRange(prefix string) addressRange {
	return addressRange{netip.MustParsePrefix(prefix), addressPrivate, "private"}
}

func loopbackRange(prefix string) addressRange {
	return addressRange{netip.MustParsePrefix(prefix), addressLoopback, "loopback"}
}

// ranges4 are the IPv4 addresses that are not global (IANA IPv4 Special-Purpose Address
// Registry, RFC 6890), and the one public address behind which a platform answers.
var ranges4 = []addressRange{
	specialRange("0.0.0.0/8", "unspecified"),
	privateRange("10.0.0.0/8"),
	specialRange("100.64.0.0/10", "shared address space"), // 100.100.100.200 is a metadata service
	loopbackRange("127.0.0.0/8"),
	specialRange("168.63.129.16/32", "the platform's"), // Azure: WireServer, resolver, health probes
	specialRange("169.254.0.0/16", "link-local"),       // 169.254.169.254 is the metadata service
	privateRange("172.16.0.0/12"),
	specialRange("192.0.0.0/24", "protocol assignment"), // 192.0.0.192 is a metadata service
	specialRange("192.0.2.0/24", "documentation"),
	specialRange("192.88.99.0/24", "6to4 relay"),
	privateRange("192.168.0.0/16"),
	specialRange("198.18.0.0/15", "benchmarking"),
	specialRange("198.51.100.0/24", "documentation"),
	specialRange("203.0.113.0/24", "documentation"),
	specialRange("224.0.0.0/4", "multicast"),
	specialRange("240.0.0.0/4", "reserved"), // 255.255.255.255, broadcast, is the last
}

// ranges6 are read from the top; what none of them holds is special. The metadata services
// of the clouds have unique local addresses, which would otherwise be private.
var ranges6 = []addressRange{
	specialRange("::/128", "unspecified"),
	loopbackRange("::1/128"),
	specialRange("fd00:ec2::/32", "the platform's"),              // AWS
	specialRange("fd20:ce::254/128", "the platform's"),           // Google Cloud
	specialRange("fd00:c1::a9fe:a9fe/128", "the platform's"),     // Oracle Cloud
	specialRange("fd00:42::42/128", "the platform's"),            // Scaleway
	specialRange("fd00:a9fe:a9fe::1/128", "the platform's"),      // Akamai
	specialRange("fd00:100::100:200/128", "the platform's"),      // Alibaba Cloud
	privateRange("fc00::/7"),                                     // RFC 4193
	specialRange("fe80::/10", "link-local"),                      // RFC 4291
	specialRange("fec0::/10", "site-local"),                      // RFC 3879
	specialRange("ff00::/8", "multicast"),                        // RFC 4291
	specialRange("64:ff9b:1::/48", "local translation"),          // RFC 8215: leads to any IPv4 address, at several offsets
	specialRange("::/96", "IPv4-compatible"),                     // RFC 4291
	specialRange("2001::/23", "protocol assignment"),             // RFC 2928; Teredo is 2001::/32
	specialRange("2001:db8::/32", "documentation"),               // RFC 3849
	specialRange("3fff::/20", "documentation"),                   // RFC 9637
	{netip.MustParsePrefix("2000::/3"), addressGlobal, "global"}, // RFC 4291: the only global unicast space
}

var (
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo = netip.MustParsePrefix("2002::/16")    // RFC 3056
)

// classify tells the class of an address and the name of its range. IPv4-mapped addresses
// are IPv4, and zones do not matter. Addresses that a gateway translates to IPv4 are global
// if what they lead to is.
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

// plain is the address as it is compared: IPv4-mapped as IPv4, and without a zone.
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
