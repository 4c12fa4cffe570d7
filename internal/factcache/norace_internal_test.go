//go:build !race

package factcache

// raceDetector says that exact numbers of bytes mean nothing, and that a million takes long.
const raceDetector = false
