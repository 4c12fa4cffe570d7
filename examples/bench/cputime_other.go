//go:build !linux

package main

import (
	"fmt"
	"runtime"
	"time"
)

// cpuTime is not supported on this system.
func cpuTime(int) (time.Duration, error) {
	return 0, fmt.Errorf("processor time is read by a clock that Linux has; this is %s", runtime.GOOS)
}
