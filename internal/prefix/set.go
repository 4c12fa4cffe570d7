package prefix

import (
	"cmp"
	"net/netip"
	"slices"
)

// Set is a list of prefixes in which an address is looked up without comparing it with each of
// them. The zero value contains nothing.
type Set struct {
	disjoint []netip.Prefix // sorted; none contains another
}

// NewSet returns the set of the addresses in the prefixes, which are as Parse returns them and may
// overlap.
func NewSet(list []netip.Prefix) Set {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), a.Bits()-b.Bits())
	})
	var set Set
	for _, one := range sorted { // prefixes overlap only if the wider one contains the other, and it comes first
		if !set.Contains(one.Addr()) {
			set.disjoint = append(set.disjoint, one)
		}
	}
	return set
}

// ContainsAny reports whether one of the prefixes contains one of the addresses, which are sorted. It
// looks the shorter of the two lists up in the other.
func (s Set) ContainsAny(addresses []netip.Addr) bool {
	if len(addresses) <= len(s.disjoint) {
		return slices.ContainsFunc(addresses, s.Contains)
	}
	return slices.ContainsFunc(s.disjoint, func(p netip.Prefix) bool {
		n, _ := slices.BinarySearchFunc(addresses, p.Addr(), netip.Addr.Compare) // the first that is not below the prefix
		return n < len(addresses) && p.Contains(addresses[n])
	})
}

// Contains reports whether one of the prefixes contains the address.
func (s Set) Contains(address netip.Addr) bool {
	n, _ := slices.BinarySearchFunc(s.disjoint, address, func(p netip.Prefix, address netip.Addr) int {
		if p.Addr().Compare(address) <= 0 {
			return -1
		}
		return 1
	})
	return n > 0 && s.disjoint[n-1].Contains(address)
}
