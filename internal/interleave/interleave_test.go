package interleave_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/interleave"
)

// onRequest skips a test that compares times, which a busy machine upsets.
func onRequest(t *testing.T) {
	t.Helper()
	if os.Getenv("CERTAUTH_RATIOS") == "" {
		t.Skip("compares times: asked for with CERTAUTH_RATIOS=1")
	}
}

// Ten times the work takes several times as long, on any machine.
func TestMeasure_TellsMoreWorkFromLess(t *testing.T) {
	onRequest(t)
	var sum uint64
	work := func(rounds int) func(int) {
		return func(n int) {
			for range n {
				for i := range rounds {
					sum = sum*31 + uint64(i)
				}
			}
		}
	}
	results := interleave.Measure(5, 4*time.Millisecond, interleave.Case{Name: "less", Run: work(1000)}, interleave.Case{Name: "more", Run: work(10_000)})
	require.Len(t, results, 2)
	assert.Equal(t, "less", results[0].Name)
	assert.Equal(t, 1.0, results[0].Ratio) //nolint:testifylint // a number divided by itself
	assert.Greater(t, results[1].Ratio, 3.0)
	assert.Less(t, results[1].Ratio, 30.0)
	assert.Greater(t, results[1].MinNanoseconds, results[0].MinNanoseconds)
}

// What a mutex holds up does not scale, on any number of processors.
func TestScale_TellsWhatWaitsFromWhatDoesNot(t *testing.T) {
	onRequest(t)
	var mutex sync.Mutex
	work := func(lock bool) func() func(int) {
		return func() func(int) {
			var sum uint64
			return func(n int) {
				if lock {
					mutex.Lock()
					defer mutex.Unlock()
				}
				for range n {
					for i := range 1000 {
						sum = sum*31 + uint64(i)
					}
				}
			}
		}
	}
	factors := interleave.Scale(5, 4*time.Millisecond, interleave.Worker{Name: "free", New: work(false)}, interleave.Worker{Name: "held up", New: work(true)})
	require.Len(t, factors, 2)
	assert.Less(t, factors[1], 1.6)
	assert.Greater(t, factors[0], 0.4)
}
