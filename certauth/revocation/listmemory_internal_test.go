package revocation

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// Making room and storing a list were separate steps: several concurrent lists each found the room
// that the others were about to take.
func TestChecker_RoomIsMadeAndTakenInOneStep(t *testing.T) {
	_, lists := listsByOneKey(t, 1)
	crl := lists[0].crl
	c, err := New(Config{MaxListMemory: 3*crl.Size() + crl.Size()/2})
	require.NoError(t, err)
	held, refused := 0, 0
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 50 {
		all.Go(func() {
			p := &place{operated: true}
			err := c.lists.put(p, &loadedList{crl: crl, base: crl}, nil)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				held++
			} else {
				refused++
				assert.ErrorIs(t, err, ErrBudget)
			}
		})
	}
	all.Wait()
	assert.Equal(t, []int{3, 47}, []int{held, refused})
	count, size, _ := c.lists.count()
	assert.Equal(t, []int{3, 3 * crl.Size()}, []int{count, size})
}

// finding K22: a wrong local clock was not reported as such. Two signers are not wrong in the same
// way.
func TestSignersAhead_SeveralMeanOurClock(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	var ahead signersAhead
	assert.False(t, ahead.several("a:80", now))
	assert.False(t, ahead.several("a:80", now.Add(time.Minute)), "the same one")
	assert.True(t, ahead.several("b:80", now.Add(2*time.Minute)))
	assert.False(t, ahead.several("b:80", now.Add(time.Hour)), "long ago")
	assert.True(t, isFromTheFuture(evidence.ErrFuture))
	assert.True(t, isFromTheFuture(evidence.ErrProducedAt))
	assert.False(t, isFromTheFuture(ErrNotFresh))
}
