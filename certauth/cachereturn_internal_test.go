package certauth

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A newcomer that comes back becomes a regular at once, and the regular that makes room gets
// a second probation: whoever is seen regularly is still known after that.
func TestCache_RegularThatMakesRoomIsNotForgotten(t *testing.T) {
	c := newFactCache(cacheWays) // one set
	const regulars = cacheWays - probationWays
	for range 2 {
		for i := range regulars {
			c.ask("regular " + strconv.Itoa(i))
		}
	}
	for i := range probationWays + 1 { // the first of them is displaced by the last
		assert.False(t, c.ask("once "+strconv.Itoa(i)))
	}
	assert.False(t, c.ask("once 0"), "it was forgotten, but is recognised")
	for i := range regulars {
		assert.True(t, c.ask("regular "+strconv.Itoa(i)), "regular %d", i)
	}
	assert.True(t, c.ask("once 0"))
}
