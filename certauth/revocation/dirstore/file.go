package dirstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The files of a Store. Each name begins with filePrefix, which contains the version of the
// format, and a hash in hex. Nothing else in the directory is touched.
const (
	filePrefix     = "certauth1-"
	evidenceSuffix = ".evidence"
	tempSuffix     = ".tmp"

	evidenceMagic = "certauth-evidence-2"
	maxHead       = 256 // bytes of the first line of a file

	// filePeriod is the unit of the times in names. A temporary file lasts less than a second; two
	// periods later nothing waits for it.
	filePeriod = 10 * time.Minute
)

func evidenceName(key string) string {
	return fmt.Sprintf("%s%x%s", filePrefix, sha256.Sum256([]byte(key)), evidenceSuffix)
}

func periodOf(t time.Time) int64 { return t.Unix() / int64(filePeriod/time.Second) }

// evidenceHead is the first line: the time of writing, the expiry, the length, and a checksum of
// key and content. The times of the file itself are not used, because they change when a directory
// is copied. The checksum detects what a crash left incomplete, and a file under the wrong name.
// It does not protect against attackers; the signature in the DER does.
func evidenceHead(key string, der []byte, written, expires time.Time) []byte {
	return fmt.Appendf(nil, "%s %s %s %d %x\n", evidenceMagic, written.UTC().Format(time.RFC3339Nano), expires.UTC().Format(time.RFC3339Nano),
		len(der), evidenceSum(key, der))
}

func evidenceSum(key string, der []byte) []byte {
	h := sha256.New()
	_, _ = io.WriteString(h, key+"\n") // cannot fail
	_, _ = h.Write(der)                // cannot fail
	return h.Sum(nil)
}

// evidenceFile is a file as its first line describes it.
type evidenceFile struct {
	written time.Time
	begun   []byte // what was read of the content together with the line
	length  int64  // of the content
	sum     []byte
}

// readHead returns false for a file that is not evidence, not as long as it says, or expired.
func readHead(file io.Reader, size int64, now time.Time) (f evidenceFile, ok bool, err error) {
	head, err := io.ReadAll(io.LimitReader(file, maxHead))
	if err != nil {
		return f, false, err
	}
	line, begun, ok := bytes.Cut(head, []byte("\n"))
	fields := strings.Split(string(line), " ")
	if !ok || len(fields) != 5 || fields[0] != evidenceMagic {
		return f, false, nil
	}
	written, errWritten := time.Parse(time.RFC3339Nano, fields[1])
	expires, errExpires := time.Parse(time.RFC3339Nano, fields[2])
	length, errLength := strconv.ParseInt(fields[3], 10, 64)
	sum, errSum := hex.DecodeString(fields[4])
	f = evidenceFile{written, begun, length, sum}
	ok = errors.Join(errWritten, errExpires, errLength, errSum) == nil && length >= 0 && length == size-int64(len(line)+1) && now.Before(expires)
	return f, ok, nil
}

// readEvidence returns nil for a file that is missing, incomplete or expired. It allocates nothing
// for the value before it knows that the file is regular, within the limit, and as long as it
// says.
func readEvidence(root *os.Root, key string, now time.Time) ([]byte, error) {
	file, size, err := openRegular(root, evidenceName(key))
	if file == nil {
		return nil, err
	}
	defer file.Close()
	if size > maxStored+maxHead {
		return nil, tooLarge(size)
	}
	says, ok, err := readHead(file, size, now)
	if !ok {
		return nil, err
	}
	if says.length > maxStored {
		return nil, tooLarge(says.length)
	}
	der := make([]byte, says.length)
	_, err = io.ReadFull(file, der[copy(der, says.begun):])
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // it was truncated meanwhile
	case err != nil:
		return nil, err
	case bytes.Equal(evidenceSum(key, der), says.sum):
		return der, nil
	}
	return nil, nil
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
