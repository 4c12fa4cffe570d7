// Package safely calls functions of users.
package safely

import (
	"fmt"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// maxDetail bounds the text of a panic, in bytes.
const maxDetail = 512

// Do calls f and turns a panic of it into an error.
func Do[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s", logtext.Line(fmt.Sprint(p), maxDetail))
		}
	}()
	return f()
}
