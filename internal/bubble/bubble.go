// Package bubble runs tests in the bubbles of [synctest], in FIPS 140-3 mode as well.
package bubble

import (
	"crypto/fips140"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
)

// Test is [synctest.Test]. In FIPS 140-3 mode the random generator of the standard library takes its
// entropy from the time that instructions need, and panics where the clock stands still. There,
// the test has random numbers from another generator.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if fips140.Enabled() {
		cryptotest.SetGlobalRandom(t, rand.Uint64()) //nolint:gosec // random enough for tests
	}
	synctest.Test(t, f)
}
