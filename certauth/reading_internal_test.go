package certauth

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Whoever sends certificates that all end alike makes no list that others have to walk.
func TestReadings_OfOneSampleAreBounded(t *testing.T) {
	var rs readings
	var begun []*reading
	for i := range 1000 {
		offer := source.NewOffer("text " + strconv.Itoa(i))
		one, first := rs.join(7, &offer)
		assert.True(t, first)
		begun = append(begun, one)
	}
	assert.Len(t, rs.open[7], maxSameSample)
	again := source.NewOffer("text 1")
	shared, first := rs.join(7, &again)
	assert.False(t, first)
	assert.Same(t, begun[1], shared)
	rs.leave(shared)
	for _, one := range begun {
		rs.finish(one)
		rs.leave(one)
	}
	assert.Empty(t, rs.open)
}
