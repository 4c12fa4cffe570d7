// Package mistakes keeps lists of configuration mistakes flat, so that each has its own line and
// its whole path and can be counted.
package mistakes

import "fmt"

// Flatten splits the results of errors.Join, at any depth. Nil errors are dropped.
func Flatten(errs ...error) []error {
	var flat []error
	for _, err := range errs {
		if err == nil {
			continue
		}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			flat = append(flat, Flatten(joined.Unwrap()...)...)
			continue
		}
		flat = append(flat, err)
	}
	return flat
}

// Prefix adds the path to every mistake in the errors.
func Prefix(path string, errs ...error) []error {
	flat := Flatten(errs...)
	for i, err := range flat {
		flat[i] = fmt.Errorf("%s%w", path, err)
	}
	return flat
}
