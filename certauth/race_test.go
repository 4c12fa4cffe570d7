//go:build race

package certauth_test

// raceDetector reports that exact allocation counts are meaningless.
const raceDetector = true
