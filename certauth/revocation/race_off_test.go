//go:build !race

package revocation_test

// raceEnabled: the race detector allocates, so the exact gates hold without it.
const raceEnabled = false
