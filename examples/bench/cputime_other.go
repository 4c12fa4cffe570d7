//go:build !linux

package main

import (
	"fmt"
	"runtime"
	"time"
)

// cpuTime is an error here.
func cpuTime(int) (time.Duration, error) {
	return 0, fmt.Errorf("processor time is read by a clock that Linux has; this is %s", runtime.GOOS)
}
