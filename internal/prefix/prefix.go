// Package prefix parses IP prefixes in configurations.
package prefix

import (
	"errors"
	"fmt"
	"net/netip"
)

// Parse reads an address, which denotes only itself, or a prefix without bits beyond its length.
// IPv4-mapped prefixes and zones are refused.
func Parse(s string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(s); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, errors.New("neither an IP address nor a prefix")
	}
	if p.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("write an IPv4-mapped prefix as IPv4")
	}
	if p != p.Masked() {
		return netip.Prefix{}, fmt.Errorf("bits outside the prefix, want %s", p.Masked())
	}
	return p, nil
}
