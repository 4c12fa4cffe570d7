// Package regular opens files that an operator names.
package regular

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// ErrNot is the error for a directory, pipe, socket or device.
var ErrNot = errors.New("not a regular file")

// Open opens a regular file, or a link to one, for reading, with what is known of the file that
// was opened. A device or pipe could block, or never end: it is refused without being opened, and
// one that takes the place of a file at this moment does not make Open wait.
func Open(name string) (*os.File, fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, ErrNot
	}
	file, err := os.OpenFile(name, Flags, 0) //nolint:gosec // the operator names it
	if err != nil {
		return nil, nil, err
	}
	info, err = file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNot
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Flags are for opening a file without waiting for the other end of a pipe.
const Flags = os.O_RDONLY | syscall.O_NONBLOCK
