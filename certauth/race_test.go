//go:build race

package certauth_test

// raceDetector says that exact numbers of allocations mean nothing.
const raceDetector = true
