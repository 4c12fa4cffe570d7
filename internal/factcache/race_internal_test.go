//go:build race

package factcache

// raceDetector reports that exact byte counts are meaningless and a million insertions take long.
const raceDetector = true
