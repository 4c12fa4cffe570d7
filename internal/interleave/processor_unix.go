//go:build unix

package interleave

import (
	"syscall"
	"time"
)

// processorTime returns the processor time that this process has used so far, in all threads.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
