package dirstore

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// The files of a Store. Each name begins with filePrefix and contains a hash in hex. Nothing else in the
// directory is touched. What is in another format is removed, so no two formats share a directory.
const (
	filePrefix = "certauth1-"
	fileSuffix = ".evidence"
	tempSuffix = ".tmp" // while it is written

	formatName = "certaut3" // the beginning of a file
	headerSize = 8 + 2*8 + sha256.Size
)

func fileName(key string) string {
	return fmt.Sprintf("%s%x%s", filePrefix, sha256.Sum256([]byte(key)), fileSuffix)
}

// header precedes the content of a file. The times of the file itself are not used, because they
// change when a directory is copied. The checksum detects what a crash left incomplete, and a file
// under the wrong name. It does not protect against attackers; the signature in the DER does.
type header struct {
	Format           [8]byte
	Written, Expires int64             // in microseconds since 1970
	Sum              [sha256.Size]byte // of key and content
}

func checksum(key string, der []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	_, _ = io.WriteString(h, key+"\n") // cannot fail
	_, _ = h.Write(der)                // cannot fail
	return [sha256.Size]byte(h.Sum(nil))
}

// readHeader returns false for a file that is not evidence, or has expired.
func readHeader(file io.Reader, now time.Time) (h header, ok bool, err error) {
	err = binary.Read(file, binary.BigEndian, &h)
	if isShort(err) {
		return h, false, nil
	}
	return h, err == nil && string(h.Format[:]) == formatName && now.Before(time.UnixMicro(h.Expires)), err
}

func isShort(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// readEvidence returns nil for a file that is missing, incomplete or expired. It allocates nothing
// for the value before it knows that the file is regular and within the limit.
func readEvidence(root *os.Root, key string, now time.Time) ([]byte, error) {
	file, size, err := openRegular(root, fileName(key))
	if file == nil {
		return nil, err
	}
	defer file.Close()
	if size -= headerSize; size > maxStored {
		return nil, tooLarge(size)
	}
	head, ok, err := readHeader(file, now)
	if !ok {
		return nil, err
	}
	der := make([]byte, max(size, 0))
	if _, err = io.ReadFull(file, der); isShort(err) { // it was truncated meanwhile
		return nil, nil
	}
	if err != nil || checksum(key, der) != head.Sum {
		return nil, err
	}
	return der, nil
}

// openRegular opens a regular file. It returns nil if there is no file of that name, or something
// else, such as a link. A file that is exchanged between the two checks cannot lead out of the
// directory, because [os.Root] prevents that, and opening a pipe does not wait for its other end.
func openRegular(root *os.Root, name string) (file *os.File, size int64, err error) {
	info, err := root.Lstat(name)
	if err == nil && info.Mode().IsRegular() {
		if file, err = root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			info, err = file.Stat()
		}
	}
	if err == nil && info.Mode().IsRegular() {
		return file, info.Size(), nil
	}
	if file != nil {
		_ = file.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, 0, err
}
