package revocation

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// Each attempt has hedgeAfter before the next one begins, and not only the first.
func TestHedge_EveryAttemptHasItsTime(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var begins []time.Duration
		attempt := func(ctx context.Context, i int) (none struct{}, err error) {
			mu.Lock()
			begins = append(begins, time.Since(began))
			mu.Unlock()
			if i < 2 {
				<-ctx.Done()
			}
			return none, ctx.Err()
		}
		assert.True(t, hedge(t.Context(), hedgeAfter, 3, attempt, func(_ int, _ struct{}, err error) bool { return err == nil }))
		assert.Equal(t, []time.Duration{0, hedgeAfter, 2 * hedgeAfter}, begins)
	})
}

func TestHedge_SaysThatNoAttemptWasEnough(t *testing.T) {
	asked := 0
	attempt := func(context.Context, int) (none struct{}, err error) { asked++; return none, nil }
	assert.False(t, hedge(t.Context(), hedgeAfter, 3, attempt, func(int, struct{}, error) bool { return false }))
	assert.Equal(t, 3, asked)
}

// A host is contacted less often after 429 and after every 5xx (RFC 9110, sections 15.6 and 10.2.3), and not
// after other answers, which say that the host works.
func TestGate_StatusesThatCountAgainstAHost(t *testing.T) {
	for status, counts := range map[int]bool{404: false, 410: false, 428: false, 429: true, 430: false, 499: false, 500: true, 502: true, 503: true, 599: true} {
		assert.Equal(t, counts, countsAgainstHost(fetch.HTTPStatusError{Status: status}), status)
	}
}

// Retry-After is honoured for five minutes at most, so that one answer does not end the checks of a partner for a day.
func TestGate_RetryAfterEndsAfterFiveMinutes(t *testing.T) {
	const url = "http://busy.example/"
	for asked, pause := range map[time.Duration]time.Duration{time.Minute: time.Minute, 5 * time.Minute: 5 * time.Minute, 24 * time.Hour: 5 * time.Minute} {
		t.Run(fmt.Sprint(asked), func(t *testing.T) {
			now := time.Unix(1_000_000, 0)
			g := newGate(func() time.Time { return now }, func(context.Context, Event) {})
			p, err := g.enter(t.Context(), url)
			require.NoError(t, err)
			p.leave(t.Context(), fetch.HTTPStatusError{Status: 503, RetryAfter: asked})
			now = now.Add(pause - 1)
			_, err = g.enter(t.Context(), url)
			require.ErrorIs(t, err, ErrBreakerOpen)
			now = now.Add(1)
			_, err = g.enter(t.Context(), url)
			require.NoError(t, err)
		})
	}
}
