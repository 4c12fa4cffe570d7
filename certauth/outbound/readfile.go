package outbound

import (
	"errors"
	"io"
	"io/fs"
	"runtime"

	"github.com/seed2886b8ae/go-certauth/internal/regular"
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
	file, info, err := regular.Open(path)
	if errors.Is(err, regular.ErrNot) {
		other := fail(ReasonSourceUnavailable, "%s is not a regular file", path)
		other.Hint = "name the file of the certificate; for a folder use Directory"
		return nil, false, other
	}
	if err != nil {
		return nil, false, withoutPath(err, path)
	}
	defer file.Close()
	data, err = io.ReadAll(io.LimitReader(file, maxSize+1))
	switch {
	case err != nil:
		return nil, false, withoutPath(err, path)
	case len(data) > maxSize:
		return nil, false, malformed(tooMuch, "%s has more than %d bytes", path, maxSize)
	case len(data) == 0:
		return nil, false, fail(ReasonMalformed, "%s is empty", path)
	}
	return data, runtime.GOOS != "windows" && info.Mode().Perm()&0o004 != 0, nil
}

// withoutPath removes the path from the error, so that the file is named only once.
func withoutPath(err error, path string) *Error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		err = p.Err
	}
	return fail(ReasonSourceUnavailable, "%s: %w", path, err)
}
