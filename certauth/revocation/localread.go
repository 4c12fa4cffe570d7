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
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
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
		if s.list.URL == "" {
			failed = errors.Join(failed, m.readWhole(ctx, s))
		}
	}
	if m.view.Load() != nil { // a URL that hangs keeps nobody from seeing the files
		m.view.Store(m.newView(sources, failed))
	}
	ctx, cancel := context.WithTimeout(ctx, flightLimit) // until then no file is read again
	defer cancel()
	for _, s := range sources {
		if s.list.URL != "" {
			failed = errors.Join(failed, m.readWhole(ctx, s))
		}
	}
	m.view.Store(m.newView(sources, failed))
	m.tellLoneDeltas(ctx, sources)
	if failed != nil {
		m.checker.complain(ctx, "a configured CRL could not be read; what was read before stays in use until it runs out", failed)
	}
	return failed
}

// readWhole reads one source and returns what is wrong with it.
func (m *localLists) readWhole(ctx context.Context, s *localSource) error {
	s.err = m.readSource(ctx, s)
	for name, l := range s.lists {
		if l.err != nil {
			s.err = errors.Join(s.err, fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
		}
	}
	return s.err
}

// newView is what requests see from now on. What is gone from a directory counts until it
// is replaced or runs out, and is forgotten then.
func (m *localLists) newView(sources []*localSource, failed error) *localView {
	now := m.checker.config.Now()
	view := &localView{number: m.checker.numbers.Add(1), of: map[string][]*loadedList{}, deltas: map[string][]*index{}, err: failed}
	for _, s := range sources {
		for _, l := range s.lists {
			for _, by := range l.by {
				if l.loaded != nil {
					view.of[by.key] = newest(view.of[by.key], l.loaded, now.Add(m.checker.skew))
				}
				if l.delta != nil {
					view.deltas[by.key] = append(view.deltas[by.key], l.delta)
				}
			}
		}
	}
	counts := map[*loadedList]bool{}
	for _, lists := range view.of {
		for _, l := range lists {
			counts[l] = true
		}
	}
	completes, terms := map[*index]bool{}, m.checker.terms(now)
	for _, s := range sources {
		for _, l := range s.lists {
			if counts[l.loaded] {
				completes[view.completed(l.by[0], l.loaded, &terms).crl.delta] = true
			}
		}
	}
	for _, s := range sources {
		state := sourceState{name: s.list.URL + s.list.File + s.list.Dir, err: s.err}
		for name, l := range s.lists {
			switch {
			case l.delta != nil && l.gone && m.checker.indexNotOver(l.delta, now) != nil:
				m.forget(s, name)
				continue
			case l.delta != nil:
				state.hasDelta = true
				if completes[l.delta] && !l.gone {
					state.deltas = append(state.deltas, l.delta)
				}
				continue
			case l.gone && (!counts[l.loaded] || m.isOver(l.loaded.base, now)):
				m.forget(s, name)
				continue
			case l.loaded == nil:
				continue
			case counts[l.loaded] && !l.gone:
				state.count = append(state.count, l.loaded)
			}
			state.lists = append(state.lists, l.loaded)
		}
		view.sources = append(view.sources, state)
	}
	return view
}

// isOver reports whether nothing that the list says counts any more. One without nextUpdate
// ends by age.
func (m *localLists) isOver(l *CRL, now time.Time) bool {
	if l.NextUpdate().IsZero() {
		terms := m.checker.terms(now)
		return !l.base.isFresh(true, &terms)
	}
	return m.checker.notOver(l, now) != nil
}

func (m *localLists) forget(s *localSource, name string) {
	m.bytes.Add(-int64(s.lists[name].size()))
	delete(s.lists, name)
}

// size is the memory that it holds.
func (l *localList) size() int {
	switch {
	case l.loaded != nil:
		return l.loaded.crl.Size()
	case l.delta != nil:
		return l.delta.size()
	}
	return 0
}

// newest adds the list, or replaces one of the same scope that is older (rule C9). Where one
// has the newer base and the other the newer delta both count, as does one whose time has
// not come: it displaces none.
func newest(lists []*loadedList, next *loadedList, now time.Time) []*loadedList {
	if next.base.ThisUpdate().After(now) {
		return append(lists, next)
	}
	kept := make([]*loadedList, 0, len(lists)+1)
	for _, known := range lists {
		if err := known.base.CheckNewer(next.base); known.base.ThisUpdate().After(now) || err != nil && !errors.Is(err, ErrRollback) {
			kept = append(kept, known) // not comparable
			continue
		}
		base, whole := next.base.standing().compare(known.base.standing()), next.crl.standing().compare(known.crl.standing())
		switch {
		case base >= 0 && whole >= 0: // known goes
		case base <= 0 && whole <= 0:
			return lists
		default:
			kept = append(kept, known)
		}
	}
	return append(kept, next)
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
	l.err = m.accept(ctx, s, path, Response{Body: der})
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
	if l.delta != nil && !hasCome(l.soft, now, maxSoftCRL) {
		return
	}
	if old := l.loaded; old != nil {
		if !hasCome(old.soft, now, maxSoftCRL) {
			return
		}
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	_, l.err = m.checker.get(ctx, "", request, func(response Response) (Result, error) {
		if err := m.acceptOrRenew(ctx, s, response); err != nil {
			return Result{}, err
		}
		if l := s.at(s.list.URL); l.delta != nil {
			return Result{Status: Good, ThisUpdate: l.delta.thisUpdate, NextUpdate: l.delta.nextUpdate}, nil
		}
		return Result{Status: Good, ThisUpdate: l.loaded.crl.ThisUpdate(), NextUpdate: l.loaded.crl.NextUpdate()}, nil
	})
}

func (m *localLists) acceptOrRenew(ctx context.Context, s *localSource, response Response) error {
	if !response.NotModified {
		return m.accept(ctx, s, s.list.URL, response)
	}
	l := s.at(s.list.URL)
	if l.loaded == nil {
		return fmt.Errorf("%w: 304 without a condition", HTTPStatusError{Status: http.StatusNotModified})
	}
	next, err := m.checker.renewed(ctx, l.loaded, l.by[0], freshest{}, response.MaxAge)
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

// accept verifies a list against the CAs that it may be of. One of another scope than the
// list before it takes its place; what that one says counts until it runs out.
func (m *localLists) accept(ctx context.Context, s *localSource, name string, response Response) error {
	c := m.checker
	base, by, err := m.parse(ctx, response.Body)
	if errors.Is(err, errIsDelta) {
		return m.acceptDelta(ctx, s, name, response)
	}
	if err != nil {
		return err
	}
	l, now := s.at(name), c.config.Now()
	if l.delta != nil {
		m.setAside(s, name, l)
	}
	before, held := l.loaded, 0
	if before != nil {
		held = before.crl.Size()
		err := c.mayReplace(before.base, base, now)
		// A CA of the same name may be another one, with numbers of its own.
		isOther := slices.ContainsFunc(l.by, func(known *authority) bool { return !slices.Contains(by, known) })
		if errors.Is(err, ErrCRLScope) || errors.Is(err, ErrCRLIssuer) || isOther && (err == nil || errors.Is(err, ErrRollback)) {
			held, err = 0, nil
		}
		if err != nil {
			return err
		}
	}
	next := &loadedList{number: c.numbers.Add(1), crl: base, base: base, url: s.list.URL, etag: response.ETag, lastModified: response.LastModified}
	next.crl, next.deltaMissing = c.withDelta(ctx, base, before, by[0], freshest{})
	if err := c.makeRoom(next.crl.Size()-held, nil, now); err != nil {
		return err
	}
	next.soft = c.softOf(next.crl, now, response.MaxAge)
	if s.list.URL == "" { // a file is read again when it changes, whatever is asked for
		next.soft = now.Add(neverDue)
	}
	if before != nil && held == 0 {
		m.setAside(s, name, l)
	}
	l.by, l.loaded = by, next
	m.bytes.Add(int64(next.crl.Size() - held))
	return nil
}

// parse returns the list and those of Issuers that it is of: the one whose name it bears, or
// several of that name where one of Verify.CRLIssuers signs for all of them.
func (m *localLists) parse(ctx context.Context, content []byte) (*CRL, []*authority, error) {
	der, err := unwrapPEM(content)
	if err != nil {
		return nil, nil, err
	}
	l, err := parseList(der, completeList)
	if err != nil {
		return nil, nil, err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, nameText(l.issuer))
	var crl *CRL
	var by []*authority
	for _, issuer := range m.issuers {
		cert := issuer.cert()
		if !dn.Match(l.issuer, cert.RawSubject) {
			continue
		}
		if crl != nil {
			terms := m.checker.listTerms(issuer, m.checker.config.Now())
			if _, _, err := openList(der, completeList, cert, &terms); err == nil && dn.Match(cert.RawSubject, crl.by.RawSubject) {
				by = append(by, issuer)
			}
			continue
		}
		if crl, err = m.checker.build(ctx, der, issuer); err != nil {
			crl, failed = nil, err
			continue
		}
		by = append(by, issuer)
	}
	if crl == nil {
		return nil, nil, failed
	}
	return crl, by, nil
}
