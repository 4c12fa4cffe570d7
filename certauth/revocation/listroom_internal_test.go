package revocation

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// Room was made and a list put into memory in two steps: of several that came at the same time
// each found the room that the others were about to take.
func TestChecker_RoomIsMadeAndTakenInOneStep(t *testing.T) {
	c, err := New(Config{MaxListMemory: 1000})
	require.NoError(t, err)
	held, refused := 0, 0
	var all sync.WaitGroup
	var mu sync.Mutex
	for range 50 {
		all.Go(func() {
			err := c.inRoom(300, nil, c.partners.operator(), func() {
				before := c.local.bytes.Load()
				time.Sleep(time.Millisecond) //nolint:forbidigo // lets the others come in between, if they can
				c.local.bytes.Store(before + 300)
			})
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
	assert.Equal(t, int64(900), c.local.bytes.Load())
}

// finding K22: a clock that is wrong was not called so. Two signers do not err alike.
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
