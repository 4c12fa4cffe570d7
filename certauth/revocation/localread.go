package revocation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// read brings every source up to date. What cannot be read keeps what it had: its lists
// count until they run out, and the error is told.
func (m *localLists) read(ctx context.Context) error {
	m.reading.Lock()
	defer m.reading.Unlock()
	m.mu.Lock()
	sources := append([]*localSource(nil), m.sources...)
	m.mu.Unlock()
	var failed error
	for _, s := range sources {
		s.err = m.readSource(ctx, s)
		for name, l := range s.lists {
			if l.err != nil {
				s.err = errors.Join(s.err, fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
			}
		}
		failed = errors.Join(failed, s.err)
	}
	m.view.Store(m.newView(sources, failed))
	if failed != nil {
		m.checker.complain(ctx, "a configured CRL could not be read; what was read before stays in use until it runs out", failed)
	}
	return failed
}

// newView is what requests see from now on. What is gone from a directory counts until it
// is replaced or runs out, and is forgotten then.
func (m *localLists) newView(sources []*localSource, failed error) *localView {
	view := &localView{number: m.checker.numbers.Add(1), of: map[string][]*loadedList{}, err: failed}
	for _, s := range sources {
		for _, l := range s.lists {
			if l.loaded != nil {
				view.of[l.by.key] = newest(view.of[l.by.key], l.loaded)
			}
		}
	}
	counts := map[*loadedList]bool{}
	for _, lists := range view.of {
		for _, l := range lists {
			counts[l] = true
		}
	}
	now := m.checker.config.Now()
	for _, s := range sources {
		state := sourceState{name: s.list.URL + s.list.File + s.list.Dir, err: s.err}
		for name, l := range s.lists {
			switch {
			case l.gone && (!counts[l.loaded] || m.checker.notOver(l.loaded.base, now) != nil):
				m.forget(s, name)
				continue
			case l.loaded == nil:
				continue
			case counts[l.loaded]:
				state.count = append(state.count, l.loaded)
			}
			state.lists = append(state.lists, l.loaded)
		}
		view.sources = append(view.sources, state)
	}
	return view
}

func (m *localLists) forget(s *localSource, name string) {
	if l := s.lists[name]; l.loaded != nil {
		m.bytes.Add(-int64(l.loaded.crl.Size()))
	}
	delete(s.lists, name)
}

// newest adds the list, or replaces one of the same scope that is older (rule C9).
func newest(lists []*loadedList, next *loadedList) []*loadedList {
	for i, known := range lists {
		switch err := known.base.CheckNewer(next.base); {
		case err == nil:
			lists[i] = next
			return lists
		case errors.Is(err, ErrRollback):
			return lists
		}
	}
	return append(lists, next)
}

func (m *localLists) readSource(ctx context.Context, s *localSource) error {
	if s.lists == nil {
		s.lists = map[string]*localList{}
	}
	switch {
	case s.list.URL != "":
		m.readURL(ctx, s)
		return nil
	case s.list.File != "":
		m.readFile(ctx, s, s.list.File)
		return nil
	}
	entries, err := os.ReadDir(s.list.Dir)
	if err != nil {
		return err
	}
	for _, l := range s.lists {
		l.gone = true
	}
	read := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		if read++; read > maxFilesOfDir {
			return fmt.Errorf("%w: more than %d files", ErrLimits, maxFilesOfDir)
		}
		m.readFile(ctx, s, filepath.Join(s.list.Dir, e.Name()))
	}
	if read == 0 {
		return fmt.Errorf("%w: no file in %s", ErrNotReady, logtext.Quote(s.list.Dir))
	}
	return nil
}

func (s *localSource) at(name string) *localList {
	l := s.lists[name]
	if l == nil {
		l = &localList{}
		s.lists[name] = l
	}
	return l
}

func (m *localLists) readFile(ctx context.Context, s *localSource, path string) {
	l := s.at(path)
	l.gone = false
	info, err := os.Stat(path)
	if err != nil {
		l.err = err
		return
	}
	if l.info != nil && os.SameFile(l.info, info) && l.info.ModTime().Equal(info.ModTime()) && l.info.Size() == info.Size() {
		return // l.err, if any, still says what is wrong with it
	}
	der, err := readBounded(path, info, m.checker.config.MaxListBytes)
	if err != nil {
		l.err = err
		return
	}
	l.err = m.accept(ctx, l, Response{Body: der}, "")
	// These may be over next time.
	if !errors.Is(l.err, ErrTimeout) && !errors.Is(l.err, ErrBudget) && !errors.Is(l.err, ErrNotFresh) {
		l.info = info
	}
}

func readBounded(path string, info fs.FileInfo, most int) ([]byte, error) {
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, err
	}
	defer f.Close()
	der, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err == nil && len(der) > most {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	return der, err
}

func (m *localLists) readURL(ctx context.Context, s *localSource) {
	l := s.at(s.list.URL)
	now := m.checker.config.Now()
	request := Request{
		Kind: SourceCRL, Method: http.MethodGet, URL: s.list.URL, MaxBytes: int64(m.checker.config.MaxListBytes), Configured: true,
	}
	if old := l.loaded; old != nil {
		if !hasCome(old.soft, now, maxSoftCRL) {
			return
		}
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	_, l.err = m.checker.get(ctx, "", request, func(response Response) (Result, error) {
		if err := m.acceptOrRenew(ctx, l, response, s.list.URL); err != nil {
			return Result{}, err
		}
		return Result{Status: Good, ThisUpdate: l.loaded.crl.ThisUpdate(), NextUpdate: l.loaded.crl.NextUpdate()}, nil
	})
}

func (m *localLists) acceptOrRenew(ctx context.Context, l *localList, response Response, url string) error {
	if !response.NotModified {
		return m.accept(ctx, l, response, url)
	}
	if l.loaded == nil {
		return fmt.Errorf("%w: 304 without a condition", HTTPStatusError{Status: http.StatusNotModified})
	}
	next, err := m.checker.renewed(ctx, l.loaded, l.by.cert(), nil, response.MaxAge)
	if err != nil {
		return err
	}
	grows := next.crl.Size() - l.loaded.crl.Size() // by its delta
	if err := m.checker.makeRoom(grows, nil, m.checker.config.Now()); err != nil {
		return err
	}
	m.bytes.Add(int64(grows))
	l.loaded = next
	return nil
}

// accept verifies a list against the CA that it names.
func (m *localLists) accept(ctx context.Context, l *localList, response Response, url string) error {
	c := m.checker
	base, by, err := m.parse(ctx, response.Body)
	if err != nil {
		return err
	}
	now := c.config.Now()
	held := 0
	if l.loaded != nil {
		held = l.loaded.crl.Size()
		if err := c.mayReplace(l.loaded.base, base, now); err != nil {
			return err
		}
	}
	next := &loadedList{number: c.numbers.Add(1), crl: base, base: base, url: url, etag: response.ETag, lastModified: response.LastModified}
	next.crl, next.deltaMissing = c.withDelta(ctx, base, l.loaded, by.cert(), nil)
	if err := c.makeRoom(next.crl.Size()-held, nil, now); err != nil {
		return err
	}
	next.soft = c.softOf(next.crl, now, response.MaxAge)
	if url == "" { // a file is read again when it changes, whatever is asked for
		next.soft = now.Add(neverDue)
	}
	l.by, l.loaded = by, next
	m.bytes.Add(int64(next.crl.Size() - held))
	return nil
}

func (m *localLists) parse(ctx context.Context, content []byte) (*CRL, *authority, error) {
	der, err := unwrapPEM(content)
	if err != nil {
		return nil, nil, err
	}
	l, err := parseList(der, completeList)
	if err != nil {
		return nil, nil, err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, nameText(l.issuer))
	for _, issuer := range m.issuers {
		if !sameName(l.issuer, issuer.cert().RawSubject) {
			continue
		}
		crl, err := m.checker.build(ctx, der, issuer.cert())
		if err == nil {
			return crl, issuer, nil
		}
		failed = err
	}
	return nil, nil, failed
}
