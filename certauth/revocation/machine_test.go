package revocation_test

import (
	"time"
	"unsafe"
)

// onMachine returns what time.Now returns on a machine that has run since began, when its clock
// showed start, and that slept in between, during which the monotonic clock stood still.
func onMachine(began, start time.Time, slept time.Duration) time.Time {
	t := time.Now().Add(start.Sub(began))
	inside := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t)) // there is no other way to move only one of the two clocks
	if inside.wall>>63 == 0 {
		panic("no monotonic reading")
	}
	inside.wall += uint64(slept/time.Second) << 30
	return t
}
