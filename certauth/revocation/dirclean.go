package revocation

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// cleanInterval is how often a store looks for files of the past, at most.
	cleanInterval = time.Minute

	// cleanBatch is how many files it looks at each time.
	cleanBatch = 1024

	// leaseKept is how long a lease stays after its end. It is longer than any claim, so
	// that the claims on "no lease" are gone when there is none again.
	leaseKept = time.Hour
)

// clean removes files of the past, if it is time and nobody else in this process does. It
// goes through the directory in the order of names, a batch at a time. It has no error: what
// cannot be removed now is tried again, and who cannot write is told by Set.
func (s *DirectoryStore) clean() {
	if !s.cleaning.TryLock() {
		return
	}
	defer s.cleaning.Unlock()
	now := s.now()
	if elapsed := time.Duration(now.UnixNano() - s.cleaned.Load()); elapsed >= 0 && elapsed < cleanInterval {
		return
	}
	s.cleaned.Store(now.UnixNano())
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return
	}
	defer root.Close()
	names, err := namesAfter(root, s.cursor)
	if err != nil {
		return
	}
	s.cursor = ""
	if len(names) == cleanBatch {
		s.cursor = names[cleanBatch-1]
	}
	for _, name := range names {
		s.cleanFile(root, name)
	}
}

// namesAfter returns the next names of the store's files, in order. It keeps no more of them
// at a time than it needs, however many there are.
func namesAfter(root *os.Root, cursor string) ([]string, error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var names []string
	for {
		more, err := dir.Readdirnames(cleanBatch)
		for _, name := range more {
			if name > cursor && strings.HasPrefix(name, filePrefix) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		names = names[:min(len(names), cleanBatch)]
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// cleanFile removes the file if its time is over. A value that is set at the same moment may
// go with it; that costs a fetch.
func (s *DirectoryStore) cleanFile(root *os.Root, name string) {
	now := s.now()
	base := strings.TrimPrefix(name, filePrefix)
	switch hash, isLease := strings.CutSuffix(base, leaseSuffix); {
	case isLease:
		s.cleanLease(root, hash, now)
	case strings.HasSuffix(base, evidenceSuffix):
		if evidenceIsOver(root, name, now) {
			_ = root.Remove(name)
		}
	case strings.HasSuffix(base, claimSuffix), strings.HasSuffix(base, tempSuffix):
		if periodIsOver(base, now) {
			_ = root.Remove(name)
		}
	}
}

// cleanLease removes a lease as others replace it, lest it remove one that was just taken.
func (s *DirectoryStore) cleanLease(root *os.Root, hash string, now time.Time) {
	lease, err := readLease(root, hash)
	if err != nil || lease == nil {
		return
	}
	if _, until := leaseTimes(lease); now.Sub(until) > leaseKept {
		_, _ = s.replaceLease(root, hash, lease, nil, now)
	}
}

func evidenceIsOver(root *os.Root, name string, now time.Time) bool {
	file, size, err := openRegular(root, name)
	if file == nil {
		return err == nil // a link, or something else that does not belong here
	}
	defer file.Close()
	head, err := readHead(file)
	if err != nil {
		return false
	}
	says, ok := parseEvidenceHead(head)
	return !ok || says.length != size-int64(says.head) || !now.Before(says.expires)
}

// periodIsOver reports whether the time in a name is long ago, or so far in the future that
// a wrong clock made it.
func periodIsOver(base string, now time.Time) bool {
	_, rest, _ := strings.Cut(base, "-")
	text, _, _ := strings.Cut(rest, ".")
	period, err := strconv.ParseInt(text, 10, 64)
	age := periodOf(now) - period
	return err != nil || age > 1 || age < -1
}
