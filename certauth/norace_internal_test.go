//go:build !race

package certauth

// raceDetector reports that exact byte counts are meaningless and a million operations take long.
const raceDetector = false
