// Package advice lets an error carry the one step that helps an operator.
package advice

import (
	"errors"
	"fmt"
)

type advised struct {
	error
	step string
}

func (e *advised) Unwrap() error { return e.error }

// New returns an error of the given class with the step that helps the operator.
func New(step string, class error, format string, args ...any) error {
	return &advised{fmt.Errorf("%w: "+format, append([]any{class}, args...)...), step}
}

// In returns the first such step in the error's chain, or "".
func In(err error) string {
	if known, ok := errors.AsType[*advised](err); ok {
		return known.step
	}
	return ""
}
