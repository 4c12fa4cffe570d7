// Package safely calls functions supplied by users.
package safely

import (
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// maxDetail bounds the text of a panic, in bytes.
const maxDetail = 512

// PanicError is a panic.
type PanicError string

func (e PanicError) Error() string { return "panic: " + string(e) }

// Do calls f and returns a panic in it as a [PanicError].
func Do[T any](f func() (T, error)) (result T, err error) {
	ended := false // with GODEBUG=panicnil=1, recover does not notice panic(nil)
	defer func() {
		if p := recover(); p != nil || !ended {
			err = PanicError(logtext.Line(fmt.Sprint(p), maxDetail))
		}
	}()
	result, err = f()
	ended = true
	return result, err
}
