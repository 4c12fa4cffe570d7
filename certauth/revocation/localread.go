package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// reading starts to bring every source up to date, or joins a reading in progress. It ends after a
// moment, even if a source hangs: each is read by a flight of its own.
func (m *localLists) reading() *flight { return m.start(&m.flight, m.read) }

func (m *localLists) start(s *slot, run func(context.Context) error) *flight {
	return m.checker.background.join(s, m.anew.Load(), run)
}

// read starts to read the sources. Files are read one after the other, so that only one is in memory,
// unless a share hangs. The lists of a source that cannot be read count until they expire, and the
// error is reported.
func (m *localLists) read(ctx context.Context) error {
	m.mu.Lock()
	sources := slices.Clone(m.sources)
	m.mu.Unlock()
	for _, s := range sources {
		if s.list.URL != "" {
			m.start(&s.flight, func(ctx context.Context) error { return m.readURL(ctx, s) })
		}
	}
	for _, s := range sources {
		if s.list.URL == "" {
			m.start(&s.files, func(ctx context.Context) error { return m.readFiles(ctx, s) }).waitBriefly(ctx)
		}
	}
	m.swap(ctx)
	for _, s := range sources { // requests may be waiting for these
		s.flight.Load().waitBriefly(ctx)
	}
	return nil
}

// readURL is the flight of one URL.
func (m *localLists) readURL(ctx context.Context, s *localSource) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	l := m.at(s, s.list.URL)
	now, old, anew := m.checker.config.Now(), l.first(), m.anew.Load()
	isDue := s.asked < anew || old == nil || hasCome(old.soft, now, maxSoftCRL) ||
		old.lone == nil && (old.edition().Current(now, m.checker.skew) != nil || m.checker.silence(old.edition(), now) != nil)
	s.asked = anew
	if isDue {
		m.ended(l, m.checker.fetchList(ctx, &l.place, s.list.URL, old, func(response *inHand) (Result, error) {
			if err := m.accept(ctx, s, l, response); err != nil {
				return Result{}, err
			}
			return l.first().result(), nil
		}))
	}
	failed := m.sourceRead(ctx, s, nil)
	m.swap(ctx)
	return failed
}

// unreadAgain is how often it is logged that the same lists of a source cannot be read.
const unreadAgain = time.Hour

const unreadable = "a configured CRL could not be read; what was read before stays in use until it expires"

// swap makes visible to requests what has been read.
func (m *localLists) swap(ctx context.Context) {
	m.mu.Lock()
	view := m.newView()
	if m.forgetGone(view) {
		view = m.newView()
	}
	m.view.Store(view)
	lone := m.loneDeltas(view)
	close(m.swapped)
	m.swapped = make(chan struct{})
	m.mu.Unlock()
	m.checker.generation.Add(1)
	for _, name := range lone {
		m.checker.write(ctx, slog.LevelWarn, "revocation: a configured delta CRL continues none of the configured lists",
			slog.String("list", name))
	}
}

// sourceRead records the result of reading a source, and returns what is wrong with it.
func (m *localLists) sourceRead(ctx context.Context, s *localSource, err error) error {
	m.mu.Lock()
	var names []string
	if err != nil {
		names = append(names, s.list.name())
	}
	failed := []error{err}
	for name, l := range s.lists {
		if l.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", s.list.shown(name), l.err))
			names = append(names, name)
		}
	}
	err = errors.Join(failed...)
	s.err, s.read = err, true
	slices.Sort(names)
	what, now := strings.Join(names, "\n"), m.checker.config.Now()
	tell := what != s.told || hasCome(s.toldAt.Add(unreadAgain), now, unreadAgain)
	if tell {
		s.told, s.toldAt = what, now
	}
	m.mu.Unlock()
	if tell && err != nil {
		m.checker.complain(ctx, unreadable, err)
	}
	return err
}

// readFiles is the flight of a file or directory. It starts that of the deltas.
func (m *localLists) readFiles(ctx context.Context, s *localSource) error {
	var err error
	if s.list.File != "" {
		m.readFile(ctx, s, s.list.File)
	} else {
		err = m.readDir(ctx, s)
	}
	err = m.sourceRead(ctx, s, err)
	m.swap(ctx)
	if lists := m.incomplete(s); len(lists) > 0 {
		m.start(&s.flight, func(ctx context.Context) error { return m.complete(ctx, lists) })
	}
	return err
}

func (m *localLists) readDir(ctx context.Context, s *localSource) error {
	names, err := filesOf(s.list.Dir)
	there := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(s.list.Dir, name)
		there[path] = true
		m.readFile(ctx, s, path)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.broken = err != nil
	for path, l := range s.lists {
		l.gone = l.gone || names != nil && !there[path]
	}
	return err
}

// filesOf returns the files of a directory that may be lists; nil if it cannot be read.
func filesOf(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		if len(names) == maxFilesOfDir {
			return names, fmt.Errorf("%w: more than %d files", evidence.ErrLimits, maxFilesOfDir)
		}
		names = append(names, e.Name())
	}
	if len(names) == 0 {
		return names, fmt.Errorf("%w: no file in %s", ErrNotReady, logtext.Quote(dir))
	}
	return names, nil
}

// at finds or makes the list of that name. Only the reader of its source calls it.
func (m *localLists) at(s *localSource, name string) *localList {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := s.lists[name]
	if l == nil {
		l = &localList{place: place{operated: true, partner: s.by}}
		s.lists[name] = l
	}
	l.gone = false
	return l
}

func (m *localLists) ended(l *localList, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.err = err
}

func (m *localLists) readFile(ctx context.Context, s *localSource, path string) {
	l := m.at(s, path)
	der, seen, err := m.readChanged(path, l.seen)
	if err == nil && der == nil {
		return // l.err, if any, still says what is wrong with it
	}
	if err == nil {
		err = m.accept(ctx, s, l, &inHand{Response: Response{Body: der}, budget: s.by.budget})
	}
	m.ended(l, err)
	// The same file may succeed after these errors. One that could not be opened was not seen, so that
	// it is read when it is back, even if it has not changed.
	if !isAny(err, ErrTimeout, ErrBudget, ErrNotFresh, errRevokedSigner, evidence.ErrRollback) {
		l.seen = seen
	}
}

// seen tells whether a file has changed: by its size, its time, and its first bytes, because a CRL
// begins with its times.
type seen struct {
	info fs.FileInfo
	head []byte
}

const maxHead = 4096

// readChanged reads a file, or returns nil if it is the one that was seen before.
func (m *localLists) readChanged(path string, before seen) (der []byte, now seen, err error) {
	most := m.checker.config.MaxListBytes
	f, info, err := m.open(path)
	if err != nil {
		return nil, seen{}, err
	}
	defer f.Close()
	if info.Size() > int64(most) {
		return nil, seen{}, advice.New(helpSize, ErrTooLarge, "%d bytes, MaxListBytes allows %d", info.Size(), most)
	}
	head, err := io.ReadAll(io.LimitReader(f, maxHead))
	if err != nil {
		return nil, seen{}, err
	}
	now = seen{info, head}
	if old := before.info; old != nil && os.SameFile(old, info) && old.ModTime().Equal(info.ModTime()) && old.Size() == info.Size() &&
		bytes.Equal(before.head, head) {
		return nil, now, nil
	}
	der, err = io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), f), int64(most)+1))
	if err == nil && len(der) > most {
		err = advice.New(helpSize, ErrTooLarge, "MaxListBytes allows %d", most)
	}
	return der, now, err
}
