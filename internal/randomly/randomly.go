// Package randomly repeats tests with random cases.
package randomly

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Seed returns the seed in CERTAUTH_SEED, or a new one, and the number of cases: usual, or ten times
// as many with CERTAUTH_EXHAUSTIVE=1. It logs the seed.
func Seed(t *testing.T, usual int) (seed uint64, count int) {
	t.Helper()
	seed, count = rand.Uint64(), usual //nolint:gosec // random enough for tests
	if text := os.Getenv("CERTAUTH_SEED"); text != "" {
		given, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("CERTAUTH_SEED: %v", err)
		}
		seed = given
	}
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		count *= 10
	}
	t.Logf("CERTAUTH_SEED=%d repeats these %d", seed, count)
	return seed, count
}
