package prefix_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/prefix"
)

// A set contains what one of its prefixes contains, whether or not they overlap.
func TestSet_ContainsWhatAPrefixContains(t *testing.T) {
	random := rand.New(rand.NewPCG(5280, 31))
	address := func() netip.Addr {
		var low [4]byte
		binary.BigEndian.PutUint32(low[:], random.Uint32()&0xC3) // few bits, so that prefixes often overlap
		if random.IntN(3) == 0 {
			var all [16]byte
			copy(all[12:], low[:])
			all[0] = 0x20 & byte(random.Uint32()&0xFF)
			return netip.AddrFrom16(all)
		}
		return netip.AddrFrom4(low)
	}
	for range 3000 {
		var list []netip.Prefix
		for range random.IntN(12) {
			one := address()
			list = append(list, netip.PrefixFrom(one, one.BitLen()-random.IntN(10)).Masked())
		}
		if random.IntN(20) == 0 {
			list = append(list, netip.MustParsePrefix([]string{"0.0.0.0/0", "::/0"}[random.IntN(2)]))
		}
		set := prefix.NewSet(list)
		var addresses []netip.Addr
		for range random.IntN(20) {
			addresses = append(addresses, address())
		}
		slices.SortFunc(addresses, netip.Addr.Compare)
		assert.Equal(t, slices.ContainsFunc(addresses, set.Contains), set.ContainsAny(addresses), "%s in %s", addresses, list)
		for range 40 {
			one := address()
			want := slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Contains(one) })
			assert.Equal(t, want, set.Contains(one), "%s in %s", one, list)
		}
	}
	assert.False(t, prefix.Set{}.Contains(netip.MustParseAddr("10.0.0.1")))
	assert.False(t, prefix.NewSet([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}).Contains(netip.MustParseAddr("::ffff:10.0.0.1")), "as a prefix itself")
}
