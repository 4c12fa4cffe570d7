package dirstore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// The minimum time between two looks at all files, unless there are too many or they are too large, is a
// hundred times as long as the last one took, within these bounds. On a network share each file takes
// several requests.
const (
	cleanInterval    = time.Minute
	maxCleanInterval = time.Hour
)

// maxDifference is that between the clocks of two processes, and the longest time that writing a file takes.
const maxDifference = 10 * time.Minute

// room is what the store holds, as far as this process knows: what the last look found, and what
// this process has written since. Other processes also write, and look.
type room struct {
	files int
	bytes int64
}

func (r room) exceeds(most room) bool { return r.files > most.files || r.bytes > most.bytes }

// kept is one file, as its header describes it.
type kept struct {
	name    string
	size    int64
	written time.Time
}

// clean removes expired files, and then the oldest until the store is within its bounds. It
// returns no error: what cannot be removed now is tried again, and Set reports if files cannot be
// written.
func (s *Store) clean() {
	if !s.cleaning.TryLock() {
		return
	}
	defer s.cleaning.Unlock()
	now := s.now()
	s.mu.Lock()
	isFull := s.holds.exceeds(s.most)
	s.mu.Unlock()
	if elapsed := now.Sub(s.cleaned); !isFull && elapsed >= 0 && elapsed < s.pause {
		return
	}
	s.cleaned = now
	defer func() { s.pause = min(max(100*s.now().Sub(now), cleanInterval), maxCleanInterval) }()
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return
	}
	defer root.Close()
	files, err := sweep(root, now)
	if err != nil {
		return
	}
	slices.SortFunc(files, func(a, b kept) int { return a.written.Compare(b.written) })
	var holds room
	for _, f := range files {
		holds.files++
		holds.bytes += f.size
	}
	// A tenth more than necessary, so that the next file does not cause another look at all of them.
	most := s.most
	if holds.exceeds(most) {
		most = room{most.files * 9 / 10, most.bytes / 10 * 9}
	}
	for _, f := range files {
		if holds.exceeds(most) && root.Remove(f.name) == nil {
			holds.files--
			holds.bytes -= f.size
		}
	}
	s.mu.Lock()
	s.holds = holds
	s.mu.Unlock()
}

// sweep removes expired files, and returns the rest. It reads a part of the directory at a time, which may
// contain any number of other files.
func sweep(root *os.Root, now time.Time) (files []kept, err error) {
	dir, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	for err == nil {
		var names []string
		names, err = dir.Readdirnames(1024)
		for _, name := range names {
			base, isOurs := strings.CutPrefix(name, filePrefix)
			switch {
			case isOurs && strings.HasSuffix(base, tempSuffix) && isAbandoned(base, now):
				_ = root.Remove(name)
			case isOurs && strings.HasSuffix(base, fileSuffix):
				if f, counts := look(root, name, now); counts {
					files = append(files, f)
				}
			}
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return files, err
}

// look removes a file that has expired or is not evidence, and describes any other. A file dated
// in the future, by a clock ahead of this one, counts as the oldest. Otherwise it would be the
// newest until that time, and all others would be removed before it.
func look(root *os.Root, name string, now time.Time) (kept, bool) {
	file, size, err := openRegular(root, name)
	if file == nil {
		if err == nil { // a link, or something else that does not belong here
			_ = root.Remove(name)
		}
		return kept{}, false
	}
	head, ok, err := readHeader(file, now)
	_ = file.Close()
	if err != nil {
		return kept{}, false
	}
	if !ok {
		_ = root.Remove(name)
		return kept{}, false
	}
	written := time.UnixMicro(head.Written)
	if written.After(now.Add(maxDifference)) {
		written = time.Time{}
	}
	return kept{name, size, written}, true
}

// isAbandoned reports whether the time in the name of a temporary file is long past, or so far in
// the future that a wrong clock made it.
func isAbandoned(base string, now time.Time) bool {
	var begun int64
	_, err := fmt.Sscanf(base, "%d-", &begun)
	return err != nil || now.Sub(time.Unix(begun, 0)).Abs() > maxDifference
}
