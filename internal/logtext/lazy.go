package logtext

import (
	"fmt"
	"slices"
)

// Errorf is [fmt.Errorf] for texts that are often never read: unless an argument is an error, the
// text is formatted each time when it is read. The arguments must not change.
func Errorf(format string, args ...any) error {
	if slices.ContainsFunc(args, isError) {
		return fmt.Errorf(format, args...)
	}
	return &lazyError{format, args}
}

func isError(arg any) bool {
	_, ok := arg.(error)
	return ok
}

type lazyError struct {
	format string
	args   []any
}

func (e *lazyError) Error() string { return fmt.Sprintf(e.format, e.args...) }
