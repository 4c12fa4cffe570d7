package revocation_test

import (
	"time"
	"unsafe"
)

// onMachine is what time.Now returns on a machine that has run since began, when its clock
// showed start, and slept in between: the monotonic clock stood still meanwhile.
func onMachine(began, start time.Time, slept time.Duration) time.Time {
	t := time.Now().Add(start.Sub(began))
	inside := (*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&t)) // there is no other way to move one of the two clocks alone
	if inside.wall>>63 == 0 {
		panic("no monotonic reading")
	}
	inside.wall += uint64(slept/time.Second) << 30
	return t
}
