package certauth

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemo_EachRuleHasItsOwnPlaceOrNone(t *testing.T) {
	c := &compilation{memos: &atomic.Int64{}}
	seen := map[uint64]bool{}
	for range maxMemos {
		bit := c.place().bit
		assert.False(t, bit == 0 || bit&(bit-1) != 0 || seen[bit], "%x", bit)
		seen[bit] = true
	}
	for range 3 {
		none := c.place()
		assert.Zero(t, none.bit)
		var a acceptedBy
		a.note(none)
		assert.False(t, a.has(none), "without a place nothing is remembered")
	}
	assert.Zero(t, (&compilation{}).place().bit)
}
