package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// reading begins to bring every source up to date, or joins who does: it ends with the files.
// The URLs have flights of their own, those of deltas included, so that one that hangs keeps
// nobody from what the others say.
func (m *localLists) reading() *flight {
	return m.checker.crew.join(&m.mu, &m.flight, m.anew.Load(), m.read)
}

// read reads the files, and sets the URLs off. What cannot be read keeps what it had: its
// lists count until they run out, and the error is told.
func (m *localLists) read(ctx context.Context) error {
	m.mu.Lock()
	sources := append([]*localSource(nil), m.sources...)
	m.mu.Unlock()
	var failed error
	for _, s := range sources {
		if s.list.URL == "" {
			failed = errors.Join(failed, m.readWhole(ctx, s))
		}
	}
	m.swap(ctx)
	m.complain(ctx, failed)
	var alone []*flight
	for _, s := range sources {
		switch {
		case s.list.URL != "":
			alone = append(alone, m.checker.crew.join(&m.mu, &s.flight, m.anew.Load(), func(ctx context.Context) error { return m.readURLAlone(ctx, s) }))
		case len(m.incomplete(s)) > 0:
			alone = append(alone, m.checker.crew.join(&m.mu, &s.flight, m.anew.Load(), func(ctx context.Context) error { return m.complete(ctx, s) }))
		}
	}
	for _, f := range alone { // a moment, for those who wait for the news
		if f != nil {
			f.waitAMoment(ctx)
		}
	}
	return failed
}

// readURLAlone is the flight of one URL.
func (m *localLists) readURLAlone(ctx context.Context, s *localSource) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	select {
	case m.readers <- struct{}{}:
		defer func() { <-m.readers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	failed := m.readWhole(ctx, s)
	m.swap(ctx)
	m.complain(ctx, failed)
	return failed
}

func (m *localLists) complain(ctx context.Context, failed error) {
	if failed != nil {
		m.checker.complain(ctx, "a configured CRL could not be read; what was read before stays in use until it runs out", failed)
	}
}

// swap lets requests see what has been read.
func (m *localLists) swap(ctx context.Context) {
	m.mu.Lock()
	m.view.Store(m.newView(m.sources))
	lone := m.loneDeltas(m.sources)
	close(m.swapped)
	m.swapped = make(chan struct{})
	m.mu.Unlock()
	m.checker.generation.Add(1)
	for _, name := range lone {
		m.checker.write(ctx, slog.LevelWarn, "revocation: a configured delta CRL continues none of the configured lists",
			slog.String("list", logtext.Quote(name)))
	}
}

// readWhole reads one source and returns what is wrong with it.
func (m *localLists) readWhole(ctx context.Context, s *localSource) error {
	err := m.readSource(ctx, s)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, l := range s.lists {
		if l.err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
		}
	}
	s.err, s.read = err, true
	return err
}

// newView is what requests see from now on. What is gone from a directory counts until it
// is replaced or runs out, and is forgotten then.
func (m *localLists) newView(sources []*localSource) *localView {
	now := m.checker.config.Now()
	view := &localView{of: map[string][]*loadedList{}, deltas: map[string][]*evidence.Delta{}}
	for _, s := range sources {
		view.err = errors.Join(view.err, s.err)
		view.unread = view.unread || !s.read
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
	completes, terms := map[*evidence.Delta]bool{}, m.checker.terms(now)
	for _, s := range sources {
		for _, l := range s.lists {
			if counts[l.loaded] {
				completes[view.completed(l.by[0], l.loaded, &terms).crl.Delta()] = true
			}
		}
	}
	for _, s := range sources {
		state := sourceState{name: s.list.URL + s.list.File + s.list.Dir, err: s.err, read: s.read}
		if s.broken {
			state.none = s.err
		}
		for name, l := range s.lists {
			if l.err != nil && l.loaded == nil && l.delta == nil && !l.gone {
				state.none = errors.Join(state.none, fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
			}
			switch {
			case l.delta != nil && l.gone && l.delta.Edition().Current(now, m.checker.skew) != nil:
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
func (m *localLists) isOver(l *evidence.CRL, now time.Time) bool {
	if l.NextUpdate().IsZero() {
		terms := m.checker.terms(now)
		return !l.IsFresh(true, &terms)
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
		return l.delta.Size()
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
		err := known.base.CheckNewer(next.base)
		if known.base.ThisUpdate().After(now) || err != nil && !errors.Is(err, evidence.ErrRollback) {
			kept = append(kept, known) // not comparable
			continue
		}
		switch {
		case err == nil && known.crl.CheckNewer(next.crl) == nil: // known goes
		case next.base.CheckNewer(known.base) == nil && next.crl.CheckNewer(known.crl) == nil:
			return lists
		default:
			kept = append(kept, known)
		}
	}
	return append(kept, next)
}

func (m *localLists) readSource(ctx context.Context, s *localSource) error {
	m.mu.Lock()
	if s.lists == nil {
		s.lists = map[string]*localList{}
	}
	m.mu.Unlock()
	switch {
	case s.list.URL != "":
		m.readURL(ctx, s)
		return nil
	case s.list.File != "":
		m.readFile(ctx, s, s.list.File)
		return nil
	}
	names, err := m.namesIn(s.list.Dir)
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

// namesIn is the files of a directory that may be lists.
func (m *localLists) namesIn(dir string) ([]string, error) {
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

// at is the list of that name. Only the reader of its source calls it.
func (m *localLists) at(s *localSource, name string) *localList {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := s.lists[name]
	if l == nil {
		l = &localList{}
		s.lists[name] = l
	}
	return l
}

// ended keeps what became of a reading.
func (m *localLists) ended(l *localList, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.err = err
}

func (m *localLists) readFile(ctx context.Context, s *localSource, path string) {
	l := m.at(s, path)
	m.mu.Lock()
	l.gone = false
	m.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		m.ended(l, err)
		return
	}
	isSame := l.info != nil && os.SameFile(l.info, info) && l.info.ModTime().Equal(info.ModTime()) && l.info.Size() == info.Size()
	der, head, err := readBounded(path, info, m.checker.config.MaxListBytes, isSame, l.head)
	if err == nil && der == nil {
		return // l.err, if any, still says what is wrong with it
	}
	if err == nil {
		err = m.accept(ctx, s, path, &inHand{Response: Response{Body: der}, size: len(der), drop: func() {}})
	}
	m.ended(l, err)
	// These may be over next time.
	if !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrBudget) && !errors.Is(err, ErrNotFresh) && head != nil {
		l.info, l.head = info, head
	}
}

// fileHead is how much of a file tells whether it holds another list: what a CA signs begins
// with the times of the list.
const fileHead = 4096

// readBounded returns nothing if the file is the same, as far as its size, its time and its
// first bytes say.
func readBounded(path string, info fs.FileInfo, most int, isSame bool, known []byte) (der, head []byte, err error) {
	switch {
	case !info.Mode().IsRegular():
		return nil, nil, errors.New("not a regular file")
	case info.Size() > int64(most):
		return nil, nil, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, info.Size(), most)
	}
	f, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	head = make([]byte, fileHead)
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return nil, nil, err
	case isSame && bytes.Equal(head, known):
		return nil, nil, nil
	}
	der, err = io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), f), int64(most)+1))
	if err == nil && len(der) > most {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	if err == nil && der == nil {
		der = []byte{}
	}
	return der, head, err
}

func (m *localLists) readURL(ctx context.Context, s *localSource) {
	l := m.at(s, s.list.URL)
	now := m.checker.config.Now()
	request := Request{
		Kind: fetch.CRL, Method: http.MethodGet, URL: s.list.URL, MaxBytes: int64(m.checker.config.MaxListBytes), Configured: true,
	}
	m.mu.Lock()
	forced := s.forced
	s.forced = false
	delta, old := l.delta, l.loaded
	m.mu.Unlock()
	if delta != nil && !forced && !hasCome(l.soft, now, maxSoftCRL) {
		return
	}
	if old != nil {
		if !forced && !hasCome(old.soft, now, maxSoftCRL) && m.checker.notOver(old.base, now) == nil {
			return
		}
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	err := m.checker.get(ctx, m.checker.partners.operator(), request, func(response *inHand) (Result, error) {
		if err := m.acceptOrRenew(ctx, s, response); err != nil {
			return Result{}, err
		}
		if l.delta != nil {
			return Result{Status: Good, ThisUpdate: l.delta.Edition().ThisUpdate, NextUpdate: l.delta.Edition().NextUpdate}, nil
		}
		return Result{Status: Good, ThisUpdate: l.loaded.crl.ThisUpdate(), NextUpdate: l.loaded.crl.NextUpdate()}, nil
	})
	m.ended(l, err)
}

func (m *localLists) acceptOrRenew(ctx context.Context, s *localSource, response *inHand) error {
	if !response.NotModified {
		return m.accept(ctx, s, s.list.URL, response)
	}
	l := m.at(s, s.list.URL)
	if l.loaded == nil {
		return fmt.Errorf("%w: 304 without a condition", fetch.HTTPStatusError{Status: http.StatusNotModified})
	}
	next, err := m.checker.renewed(l.loaded, response.MaxAge)
	if err != nil {
		return err
	}
	m.mu.Lock()
	l.loaded = next
	m.mu.Unlock()
	return m.refine(ctx, l)
}

// accept verifies a list against the CAs that it may be of. One of another scope than the
// list before it takes its place; what that one says counts until it runs out. A list counts
// before its delta is fetched.
func (m *localLists) accept(ctx context.Context, s *localSource, name string, response *inHand) error {
	c := m.checker
	there, err := evidence.Look(response.Body)
	if err == nil && there.IsDelta {
		return m.acceptDelta(ctx, s, name, response.Response, there)
	}
	if err != nil {
		return err
	}
	base, by, err := m.parse(ctx, response.Body, there)
	if err != nil {
		return err
	}
	response.Body = nil
	response.drop()
	l, now := m.at(s, name), c.config.Now()
	if err := m.put(s, name, l, base, by, response, now); err != nil {
		return err
	}
	if !c.wantsDelta(base, deltaPlaces{}) || c.config.IgnoreCertificateURLs {
		return m.refine(ctx, l)
	}
	if s.list.URL == "" {
		m.mu.Lock()
		defer m.mu.Unlock()
		l.incomplete = true
		return nil
	}
	m.swap(ctx)
	return m.refine(ctx, l)
}

// put lets a list count, if it may take the place of the one before it.
func (m *localLists) put(s *localSource, name string, l *localList, base *evidence.CRL, by []*authority, response *inHand, now time.Time) error {
	c := m.checker
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.delta != nil {
		m.setAside(s, name, l)
	}
	before, held := l.loaded, 0
	if before != nil {
		held = before.crl.Size()
		err := c.mayReplace(before.base.Edition(), base.Edition(), now)
		// A CA of the same name may be another one, with numbers of its own.
		isOther := slices.ContainsFunc(l.by, func(known *authority) bool { return !slices.Contains(by, known) })
		if errors.Is(err, ErrCRLScope) || errors.Is(err, ErrCRLIssuer) || isOther && (err == nil || errors.Is(err, evidence.ErrRollback)) {
			held, err = 0, nil
		}
		if err != nil {
			return err
		}
	}
	next := &loadedList{crl: base, base: base, fetched: now, url: s.list.URL, etag: response.ETag, lastModified: response.LastModified}
	if before != nil && c.wantsDelta(base, deltaPlaces{}) {
		next.crl = withDeltaOf(base, before.crl)
	}
	if err := c.inRoom(next.crl.Size()-held, nil, c.partners.operator(), func() { m.bytes.Add(int64(next.crl.Size() - held)) }); err != nil {
		return err
	}
	next.soft = c.softOf(next.crl.Edition(), now, response.MaxAge)
	if s.list.URL == "" { // a file is read again when it changes, whatever is asked for
		next.soft = now.Add(neverDue)
	}
	if before != nil && held == 0 {
		m.setAside(s, name, l)
	}
	l.by, l.loaded = by, next
	return nil
}

// refine completes a list that counts already by its delta.
func (m *localLists) refine(ctx context.Context, l *localList) error {
	c := m.checker
	m.mu.Lock()
	held, by := l.loaded, l.by
	l.incomplete = false
	m.mu.Unlock()
	if held == nil { // set aside meanwhile
		return nil
	}
	next := *held
	next.crl, next.deltaMissing = c.withDelta(ctx, held.base, held, c.partners.operator(), by[0], deltaPlaces{})
	m.mu.Lock()
	defer m.mu.Unlock()
	if l.loaded != held { // another list is there by now, and is completed for itself
		return nil
	}
	grows := next.crl.Size() - held.crl.Size()
	if err := c.inRoom(grows, nil, c.partners.operator(), func() { m.bytes.Add(int64(grows)) }); err != nil {
		l.incomplete = held.url == "" // tried again at the next reading
		return err
	}
	if held.url != "" {
		next.soft = earliest(held.soft, c.softOf(next.crl.Edition(), held.fetched, 0))
	}
	l.loaded = &next
	return nil
}

// incomplete are the lists of a source of files whose deltas have not been looked for.
func (m *localLists) incomplete(s *localSource) (lists []*localList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range s.lists {
		if l.incomplete {
			lists = append(lists, l)
		}
	}
	return lists
}

// complete is the flight of the deltas of a source of files. They are fetched side by side: the
// files of a directory may be of several partners.
func (m *localLists) complete(ctx context.Context, s *localSource) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	lists := m.incomplete(s)
	ended := make(chan error, len(lists))
	for _, l := range lists {
		go func() {
			err := guarded(func() error { return m.refine(ctx, l) })
			m.swap(ctx)
			ended <- err
		}()
	}
	var failed error
	for range lists {
		failed = errors.Join(failed, <-ended)
	}
	m.complain(ctx, failed)
	return failed
}

// parse returns the list and those of Issuers that it is of: the one whose name it bears, or
// several of that name where one of Verify.CRLIssuers signs for all of them.
func (m *localLists) parse(ctx context.Context, content []byte, there evidence.Preview) (*evidence.CRL, []*authority, error) {
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, dn.Quote(there.Issuer))
	var crl *evidence.CRL
	var by []*authority
	for _, issuer := range m.issuers {
		if !dn.Match(there.Issuer, issuer.cert().RawSubject) {
			continue
		}
		one, err := m.checker.build(ctx, content, m.checker.partners.operator(), issuer)
		if err != nil {
			failed = err
			continue
		}
		if crl == nil {
			crl = one
		}
		by = append(by, issuer)
	}
	if crl == nil {
		return nil, nil, failed
	}
	return crl, by, nil
}
