package outbound

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// readFile reads a regular file of bounded size. It does not block if the path names a pipe.
func readFile(path string) blob {
	b := blob{name: path}
	data, exposed, err := readRegular(path)
	if err != nil {
		b.err = asError(err, ReasonSourceUnavailable)
		return b
	}
	b.data, b.exposed = data, exposed
	return b
}

func readRegular(path string) (data []byte, exposed bool, err error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // G304: the path is the operator's, from the configuration or a folder of it
	if err != nil {
		return nil, false, withoutPath(err, path)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, false, withoutPath(err, path)
	case !info.Mode().IsRegular():
		return nil, false, fail(ReasonSourceUnavailable, "%s is not a regular file", path)
	}
	data, err = io.ReadAll(io.LimitReader(file, maxSize+1))
	switch {
	case err != nil:
		return nil, false, withoutPath(err, path)
	case len(data) > maxSize:
		return nil, false, fail(ReasonMalformed, "%s has more than %d bytes", path, maxSize)
	case len(data) == 0:
		return nil, false, fail(ReasonMalformed, "%s is empty", path)
	}
	return data, runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0, nil
}

// withoutPath removes the path from the error, so that the file is named only once.
func withoutPath(err error, path string) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fail(ReasonSourceUnavailable, "%s: %w", path, err)
}
