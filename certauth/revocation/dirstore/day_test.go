package dirstore_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A day at twenty fetches a second, each for another certificate and with evidence that is valid for
// a day: the files stay within their limits all the time. The everyday run makes a two-hundredth of
// the fetches in the same time, CERTAUTH_EXHAUSTIVE a tenth.
func TestStore_StaysWithinItsBoundsForADay(t *testing.T) {
	part := 200
	if os.Getenv("CERTAUTH_EXHAUSTIVE") != "" {
		part = 10
	}
	const aDay = 24 * 60 * 60
	mostFiles, between := 10_000/part, time.Second*time.Duration(part)/20
	s, dir, c := newDirectory(t)
	s.WithLimits(mostFiles, 1<<30)
	value := make([]byte, 1500) // as long as an OCSP answer
	sets, largest := 20*aDay/part, 0
	for i := range sets {
		require.NoError(t, s.Set(t.Context(), fmt.Sprintf("o1-%d", i), value, 24*time.Hour))
		s.Settle()
		c.Advance(between)
		if i%(sets/48) == 0 {
			largest = max(largest, len(files(t, dir, "")))
		}
	}
	largest = max(largest, len(files(t, dir, "")))
	t.Logf("%d fetches in a day: at most %d files of %d", sets, largest, mostFiles)
	assert.LessOrEqual(t, largest, mostFiles+1)
	assert.Greater(t, largest, mostFiles/2, "it keeps as much as it may")
	found(t, s, fmt.Sprintf("o1-%d", sets-1), string(value))
}
