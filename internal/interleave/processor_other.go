//go:build !unix

package interleave

import "time"

// processorTime is the wall clock, because this system has no cheap alternative.
func processorTime() time.Duration { return time.Since(begun) } //nolint:forbidigo // it measures time

var begun = time.Now() //nolint:forbidigo // it measures time
