package fetch

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The first and the last address of every range, and their neighbours outside. The ranges are those
// of the IANA registries of special addresses.
func TestAddress_RangesEndWhereTheRegistriesSay(t *testing.T) {
	const (
		s = addressSpecial
		l = addressLoopback
		p = addressPrivate
		g = addressGlobal
	)
	for _, c := range []struct {
		name                string
		below, first        string // below and above are empty at the ends of the address space
		last, above         string
		under, inside, over addressClass
	}{
		{"this network", "", "0.0.0.0", "0.255.255.255", "1.0.0.0", s, s, g},
		{"private, class A", "9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0", g, p, g},
		{"shared address space", "100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0", g, s, g},
		{"loopback", "126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0", g, l, g},
		{"Azure's platform address", "168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17", g, s, g},
		{"link-local", "169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0", g, s, g},
		{"private, class B", "172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0", g, p, g},
		{"protocol assignments", "191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0", g, s, g},
		{"documentation 1", "192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0", g, s, g},
		{"6to4 relays", "192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0", g, s, g},
		{"private, class C", "192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0", g, p, g},
		{"benchmarking", "198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0", g, s, g},
		{"documentation 2", "198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0", g, s, g},
		{"documentation 3", "203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0", g, s, g},
		{"multicast and reserved", "223.255.255.255", "224.0.0.0", "255.255.255.255", "", g, s, s},
		{"multicast ends where reserved begins", "239.255.255.255", "240.0.0.0", "255.255.255.255", "", s, s, s},

		{"unspecified", "", "::", "::", "::1", s, s, l},
		{"loopback of IPv6", "::", "::1", "::1", "::2", s, l, s},
		{"IPv4-compatible", "", "::2", "::ffff:ffff", "::1:0:0", s, s, s},
		{"translated, SIIT", "::fffe:ffff:ffff:ffff", "::ffff:0:0:0", "::ffff:0:ffff:ffff", "::ffff:1:0:0", s, s, s},
		{"NAT64 of local use", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::", s, s, s},
		{"discard", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:ffff:ffff:ffff", "100:0:0:1::", s, s, s},
		{"protocol assignments of IPv6, Teredo first", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::", g, s, g},
		{"Teredo", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001::ffff:ffff:ffff:ffff:ffff:ffff", "2001:1::", g, s, s},
		{"documentation of IPv6", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", g, s, g},
		{"documentation 2 of IPv6", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", g, s, g},
		{"global unicast", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2000::", "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", s, g, s},
		{"the end of global unicast", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", g, g, s},
		{"unique local", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::", "fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fd00::", s, p, p},
		{"the end of unique local", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::", p, p, s},
		{"AWS", "fd00:ec1:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:ec2::", "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:ec3::", p, s, p},
		{"Google Cloud", "fd20:ce::253", "fd20:ce::254", "fd20:ce::254", "fd20:ce::255", p, s, p},
		{"Oracle Cloud", "fd00:c1::a9fe:a9fd", "fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9fe", "fd00:c1::a9fe:a9ff", p, s, p},
		{"Scaleway", "fd00:42::41", "fd00:42::42", "fd00:42::42", "fd00:42::43", p, s, p},
		{"Akamai", "fd00:a9fe:a9fe::", "fd00:a9fe:a9fe::1", "fd00:a9fe:a9fe::1", "fd00:a9fe:a9fe::2", p, s, p},
		{"Alibaba Cloud", "fd00:100::100:1ff", "fd00:100::100:200", "fd00:100::100:200", "fd00:100::100:201", p, s, p},
		{"link-local of IPv6", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", s, s, s},
		{"site-local", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", s, s, s},
		{"multicast of IPv6", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "", s, s, s},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, last := netip.MustParseAddr(c.first), netip.MustParseAddr(c.last)
			assertClass(t, c.inside, first)
			assertClass(t, c.inside, last)
			if c.below != "" {
				assertClass(t, c.under, netip.MustParseAddr(c.below))
			}
			if c.above != "" {
				require.Equal(t, last.Next(), netip.MustParseAddr(c.above), "not the neighbour")
				assertClass(t, c.over, last.Next())
			}
		})
	}
}

// assertClass checks the address in all forms that a resolver may return.
func assertClass(t *testing.T, want addressClass, a netip.Addr) {
	t.Helper()
	forms := []netip.Addr{a}
	if a.Is4() {
		forms = append(forms, netip.AddrFrom16(a.As16()), netip.AddrFrom16(a.As16()).WithZone("eth0"))
	} else {
		forms = append(forms, a.WithZone("eth0"))
	}
	for _, form := range forms {
		class, name := classify(form)
		assert.Equal(t, want, class, "%s is %s", form, name)
		assert.NotEmpty(t, name)
	}
}

// An address that a gateway translates leads to IPv4, and is denied if the IPv4 address is.
func TestAddress_TranslatedAddressesAreWhatTheyLeadTo(t *testing.T) {
	for text, want := range map[string]addressClass{
		"64:ff9b::9.9.9.9":         addressGlobal,
		"64:ff9b::127.0.0.1":       addressSpecial,
		"64:ff9b::10.0.0.1":        addressSpecial,
		"64:ff9b::169.254.169.254": addressSpecial,
		"64:ff9b::168.63.129.16":   addressSpecial,
		"64:ff9b::":                addressSpecial,
		"64:ff9b::ffff:ffff":       addressSpecial,
		"64:ff9b::1:909:909":       addressSpecial, // beyond the /96
		"2002:909:909::1":          addressGlobal,
		"2002:7f00:1::":            addressSpecial,
		"2002:a00:1::1":            addressSpecial,
		"2002:a9fe:a9fe::":         addressSpecial,
		"2002::":                   addressSpecial,
		"2002:ffff:ffff:ffff::":    addressSpecial,
		"2003::":                   addressGlobal,
		"::ffff:9.9.9.9":           addressGlobal,
		"::ffff:127.0.0.1":         addressLoopback,
	} {
		assertClass(t, want, netip.MustParseAddr(text))
	}
	class, _ := classify(netip.Addr{})
	assert.Equal(t, addressSpecial, class, "not an address")
}

// What each kind of permission permits, address by address.
func TestGuard_PermissionsOpenWhatTheyName(t *testing.T) {
	nets := func(list ...string) *guard {
		g := &guard{}
		for _, p := range list {
			g.nets = append(g.nets, netip.MustParsePrefix(p))
		}
		return g
	}
	certificate, byHost, byOperator := addressGlobal, addressPrivate, addressLoopback
	for _, c := range []struct {
		name    string
		guard   *guard
		open    addressClass
		address string
		want    bool
	}{
		{"nothing opens nothing private", nets(), certificate, "10.1.2.3", false},
		{"a network opens what is in it", nets("10.1.0.0/16"), certificate, "10.1.2.3", true},
		{"and as IPv4-mapped", nets("10.1.0.0/16"), certificate, "::ffff:10.1.2.3", true},
		{"and nothing outside it", nets("10.1.0.0/16"), certificate, "10.2.0.0", false},
		{"a network of IPv6 opens what is in it", nets("fd12::/16"), certificate, "fd12::1", true},
		{"and with a zone", nets("fd12::/16"), certificate, "fd12::1%eth0", true},
		{"all networks do not open loopback", nets("0.0.0.0/0", "::/0"), certificate, "127.0.0.1", false},
		{"nor loopback of IPv6", nets("0.0.0.0/0", "::/0"), certificate, "::1", false},
		{"nor link-local", nets("0.0.0.0/0", "169.254.0.0/16"), certificate, "169.254.169.254", false},
		{"nor two link-local addresses", nets("169.254.169.254/31"), certificate, "169.254.169.254", false},
		{"nor the platform's address", nets("0.0.0.0/0"), certificate, "168.63.129.16", false},
		{"nor metadata services within unique local", nets("::/0", "fd00::/8"), certificate, "fd00:ec2::254", false},
		{"nor shared address space", nets("100.64.0.0/10"), certificate, "100.64.0.1", false},
		{"one address opens loopback", nets("127.0.0.1/32"), certificate, "127.0.0.1", true},
		{"and not the next", nets("127.0.0.1/32"), certificate, "127.0.0.2", false},
		{"one address opens link-local", nets("169.254.169.254/32"), certificate, "169.254.169.254", true},
		{"one address opens link-local of IPv6 on any zone", nets("fe80::1/128"), certificate, "fe80::1%eth0", true},
		{"one address opens the platform's", nets("168.63.129.16/32"), certificate, "168.63.129.16", true},
		{"one address opens shared address space", nets("100.64.0.1/32"), certificate, "100.64.0.1", true},
		{"a private network does not open its translation", nets("10.0.0.0/8"), certificate, "64:ff9b::a00:1", false},
		{"a host opens private addresses", nets(), byHost, "192.168.1.1", true},
		{"and of IPv6", nets(), byHost, "fd12::1", true},
		{"and no loopback", nets(), byHost, "127.0.0.1", false},
		{"and no loopback of IPv6", nets(), byHost, "::1", false},
		{"and no metadata service", nets(), byHost, "169.254.169.254", false},
		{"and no metadata service within unique local", nets(), byHost, "fd00:ec2::254", false},
		{"and no platform's address", nets(), byHost, "168.63.129.16", false},
		{"the operator's URL opens private addresses", nets(), byOperator, "10.1.2.3", true},
		{"and loopback", nets(), byOperator, "127.0.0.1", true},
		{"and loopback of IPv6", nets(), byOperator, "::1", true},
		{"and no metadata service", nets(), byOperator, "169.254.169.254", false},
		{"and no metadata service within unique local", nets(), byOperator, "fd00:ec2::254", false},
		{"and no platform's address", nets(), byOperator, "168.63.129.16", false},
		{"and no link-local", nets(), byOperator, "fe80::1", false},
		{"and no multicast", nets(), byOperator, "224.0.0.1", false},
		{"and not the unspecified address", nets(), byOperator, "0.0.0.0", false},
		{"and not that of IPv6", nets(), byOperator, "::", false},
		{"unless it is named", nets("169.254.169.254/32"), byOperator, "169.254.169.254", true},
		{"global addresses are open", nets(), certificate, "9.9.9.9", true},
		{"and of IPv6", nets(), certificate, "2620:fe::fe", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.guard.admit(netip.MustParseAddr(c.address), c.open)
			if c.want {
				assert.NoError(t, err)
				return
			}
			assert.ErrorIs(t, err, ErrBlockedAddress)
		})
	}
}
