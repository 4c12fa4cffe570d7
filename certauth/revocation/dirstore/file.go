package dirstore

import (
	"bytes"
	"crypto/rand"
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

	// maxHead bounds the first line of a file.
	maxHead = 256

	// filePeriod is the unit of the times in names. A temporary file lasts less than a second; two
	// periods later nothing waits for it.
	filePeriod = 10 * time.Minute
)

func evidenceName(key string) string {
	return fmt.Sprintf("%s%x%s", filePrefix, sha256.Sum256([]byte(key)), evidenceSuffix)
}

func periodOf(t time.Time) int64 { return t.Unix() / int64(filePeriod/time.Second) }

func tempName(now time.Time) string {
	return filePrefix + rand.Text() + "-" + strconv.FormatInt(periodOf(now), 10) + tempSuffix
}

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

// evidenceFile holds the fields of the first line.
type evidenceFile struct {
	written time.Time
	expires time.Time
	head    int // length of the line
	length  int64
	sum     []byte
}

func parseHead(b []byte) (evidenceFile, bool) {
	line, _, ok := bytes.Cut(b, []byte("\n"))
	fields := strings.Split(string(line), " ")
	if !ok || len(fields) != 5 || fields[0] != evidenceMagic {
		return evidenceFile{}, false
	}
	written, errWritten := time.Parse(time.RFC3339Nano, fields[1])
	expires, errExpires := time.Parse(time.RFC3339Nano, fields[2])
	length, errLength := strconv.ParseInt(fields[3], 10, 64)
	sum, errSum := hex.DecodeString(fields[4])
	err := errors.Join(errWritten, errExpires, errLength, errSum)
	return evidenceFile{written: written, expires: expires, head: len(line) + 1, length: length, sum: sum}, err == nil
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
	head, err := readHead(file)
	if err != nil {
		return nil, err
	}
	says, ok := parseHead(head)
	if !ok || says.length < 0 || says.length != size-int64(says.head) || !now.Before(says.expires) {
		return nil, nil
	}
	if says.length > maxStored {
		return nil, tooLarge(says.length)
	}
	der := make([]byte, says.length)
	begun := copy(der, head[says.head:])
	if _, err := io.ReadFull(file, der[begun:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, nil // it was truncated meanwhile
		}
		return nil, err
	}
	if !bytes.Equal(evidenceSum(key, der), says.sum) {
		return nil, nil
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

func readHead(file *os.File) ([]byte, error) {
	head := make([]byte, maxHead)
	n, err := io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:n], nil
}
