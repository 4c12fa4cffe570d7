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
	"syscall"
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
	sources := slices.Clone(m.sources)
	m.mu.Unlock()
	var failed error
	for _, s := range sources {
		if s.list.URL == "" {
			failed = errors.Join(failed, m.readFiles(ctx, s))
		}
	}
	m.swap(ctx)
	var alone []*flight
	for _, s := range sources {
		run := func(ctx context.Context) error { return m.readURL(ctx, s) }
		if s.list.URL == "" {
			lists := m.incomplete(s)
			if len(lists) == 0 {
				continue
			}
			run = func(ctx context.Context) error { return m.complete(ctx, lists) }
		}
		alone = append(alone, m.checker.crew.join(&m.mu, &s.flight, m.anew.Load(), run))
	}
	for _, f := range alone { // a moment, for those who wait for the news
		f.waitAMoment(ctx)
	}
	return failed
}

// readURL is the flight of one URL.
func (m *localLists) readURL(ctx context.Context, s *localSource) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	select {
	case m.readers <- struct{}{}:
		defer func() { <-m.readers }()
	case <-ctx.Done():
		return ctx.Err()
	}
	m.fetchURL(ctx, s)
	failed := m.sourceRead(ctx, s, nil)
	m.swap(ctx)
	return failed
}

// unreadAgain is how often it is told that the same cannot be read.
const unreadAgain = time.Hour

const unreadable = "a configured CRL could not be read; what was read before stays in use until it runs out"

// mayComplain reports whether it is to be told that these lists of a source cannot be read: when
// there are others than before, and then once an hour. The caller holds the mutex.
func (m *localLists) mayComplain(s *localSource, names []string) bool {
	slices.Sort(names)
	what, now := strings.Join(names, "\n"), m.checker.config.Now()
	if what == "" || what == s.told && !hasCome(s.toldAt.Add(unreadAgain), now, unreadAgain) {
		if what == "" {
			s.told = ""
		}
		return false
	}
	s.told, s.toldAt = what, now
	return true
}

// swap lets requests see what has been read.
func (m *localLists) swap(ctx context.Context) {
	m.mu.Lock()
	view := m.newView()
	m.forgetGone(view)
	m.view.Store(view)
	lone := m.loneDeltas(view)
	close(m.swapped)
	m.swapped = make(chan struct{})
	m.mu.Unlock()
	m.checker.generation.Add(1)
	for _, name := range lone {
		m.checker.write(ctx, slog.LevelWarn, "revocation: a configured delta CRL continues none of the configured lists",
			slog.String("list", logtext.Quote(name)))
	}
}

// sourceRead keeps what became of reading a source, and returns what is wrong with it.
func (m *localLists) sourceRead(ctx context.Context, s *localSource, err error) error {
	m.mu.Lock()
	var names []string
	if err != nil {
		names = append(names, s.name())
	}
	for name, l := range s.lists {
		if l.err != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
			names = append(names, name)
		}
	}
	s.err, s.read = err, true
	tell := m.mayComplain(s, names)
	m.mu.Unlock()
	if tell {
		m.checker.complain(ctx, unreadable, err)
	}
	return err
}

// newView is what requests see from now on. It looks once at each place.
func (m *localLists) newView() *localView {
	now := m.checker.config.Now().Add(m.checker.skew)
	view := &localView{of: map[string][]*loadedList{}, deltas: map[string][]*evidence.Delta{}, held: map[*localList]*loadedList{}}
	for _, s := range m.sources {
		view.err = errors.Join(view.err, s.err)
		view.unread = view.unread || !s.read
		for _, l := range s.lists {
			held := l.current.Load()
			if held == nil {
				continue
			}
			view.held[l] = held
			for _, by := range l.by {
				if held.lone != nil {
					view.deltas[by.key] = append(view.deltas[by.key], held.lone)
				} else {
					view.of[by.key] = newest(view.of[by.key], held, now)
				}
			}
		}
	}
	return view
}

// uses reports whether the list counts, which no other one of its scope has displaced, or the
// delta completes one that does.
func (view *localView) uses(signers []*authority, held *loadedList) bool {
	return slices.ContainsFunc(signers, func(by *authority) bool {
		return slices.ContainsFunc(view.of[by.key], func(list *loadedList) bool {
			return list == held || held.lone != nil && view.completed(by, list, &VerifyOptions{}).crl.Delta() == held.lone
		})
	})
}

// forgetGone forgets what is gone from a directory, or was set aside, once it is replaced or has
// run out. It counts until then.
func (m *localLists) forgetGone(view *localView) {
	now := m.checker.config.Now()
	isOver := func(l *localList, held *loadedList) bool {
		if held != nil && held.lone != nil {
			return held.edition().Current(now, m.checker.skew) != nil
		}
		return held == nil || !view.uses(l.by, held) || m.isOver(held.base, now)
	}
	for _, s := range m.sources {
		for name, l := range s.lists {
			if l.gone && isOver(l, view.held[l]) {
				m.checker.lists.drop(&l.place)
				delete(s.lists, name)
			}
		}
	}
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

// readFiles reads the file of a source, or those of its directory.
func (m *localLists) readFiles(ctx context.Context, s *localSource) error {
	if s.list.File != "" {
		m.readFile(ctx, s, s.list.File)
		return m.sourceRead(ctx, s, nil)
	}
	names, err := filesOf(s.list.Dir)
	there := map[string]bool{}
	for _, name := range names {
		path := filepath.Join(s.list.Dir, name)
		there[path] = true
		m.readFile(ctx, s, path)
	}
	m.mu.Lock()
	s.broken = err != nil
	for path, l := range s.lists {
		l.gone = l.gone || names != nil && !there[path]
	}
	m.mu.Unlock()
	return m.sourceRead(ctx, s, err)
}

// filesOf is the files of a directory that may be lists; nil if it cannot be read.
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

// at is the list of that name. Only the reader of its source calls it.
func (m *localLists) at(s *localSource, name string) *localList {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := s.lists[name]
	if l == nil {
		l = &localList{}
		l.operated = true
		l.partner.Store(m.checker.partners.operator())
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
	der, seen, err := readChanged(path, l.seen, m.checker.config.MaxListBytes)
	if err == nil && der == nil {
		return // l.err, if any, still says what is wrong with it
	}
	if err == nil {
		err = m.accept(ctx, s, path, &inHand{Response: Response{Body: der}, size: len(der), drop: func() {}})
	}
	m.ended(l, err)
	// These may be over next time.
	if !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrBudget) && !errors.Is(err, ErrNotFresh) && seen.info != nil {
		l.seen = seen
	}
}

// seen is what tells whether a file holds another list: its size, its time, and its first bytes,
// since what a CA signs begins with the times of the list.
type seen struct {
	info fs.FileInfo
	head []byte
}

const maxHead = 4096

// readChanged reads a file, and returns nothing if it is the one that was seen before.
func readChanged(path string, before seen, most int) (der []byte, now seen, err error) {
	if err := checkFile(os.Stat(path)); err != nil { // opening a device can have effects
		return nil, seen{}, err
	}
	// It may be a pipe by now, whose other end would be waited for.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, seen{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err := checkFile(info, err); err != nil {
		return nil, seen{}, err
	}
	if info.Size() > int64(most) {
		return nil, seen{}, fmt.Errorf("%w: %d bytes, more than %d", ErrTooLarge, info.Size(), most)
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
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	return der, now, err
}

func checkFile(info fs.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	return err
}

func (m *localLists) fetchURL(ctx context.Context, s *localSource) {
	l := m.at(s, s.list.URL)
	now := m.checker.config.Now()
	request := Request{
		Kind: fetch.CRL, Method: http.MethodGet, URL: s.list.URL, MaxBytes: int64(m.checker.config.MaxListBytes), Configured: true,
	}
	m.mu.Lock()
	forced := s.forced
	s.forced = false
	m.mu.Unlock()
	old := l.current.Load()
	if old != nil && !forced && !hasCome(old.soft, now, maxSoftCRL) && (old.lone != nil || old.edition().Current(now, m.checker.skew) == nil) {
		return
	}
	if old != nil && old.lone == nil {
		request.ETag, request.LastModified = old.etag, old.lastModified
	}
	operator := m.checker.partners.operator()
	err := m.checker.get(ctx, operator, request, func(response *inHand) (Result, error) {
		if response.NotModified {
			return m.checker.renew(ctx, &l.place, m.sourceOf(l), old, response.MaxAge)
		}
		if err := m.accept(ctx, s, s.list.URL, response); err != nil {
			return Result{}, err
		}
		return l.current.Load().result(), nil
	})
	m.ended(l, err)
}

func (m *localLists) sourceOf(l *localList) source {
	m.mu.Lock()
	defer m.mu.Unlock()
	from := source{by: m.checker.partners.operator()}
	if len(l.by) > 0 {
		from.of = l.by[0]
	}
	return from
}

// accept verifies a list, or a delta, against the CAs that it may be of. One of another scope
// than the list before it takes its place; what that one says counts until it runs out. A list
// counts before its delta is fetched; which list a delta completes is decided when one is looked
// into: that may come later, from elsewhere in the Config or from a certificate.
func (m *localLists) accept(ctx context.Context, s *localSource, name string, response *inHand) error {
	c := m.checker
	next, by, err := m.verify(ctx, response.Body)
	if err != nil {
		return err
	}
	next.url, next.etag, next.lastModified = s.list.URL, response.ETag, response.LastModified
	response.Body = nil
	response.drop()
	l := m.at(s, name)
	if err := m.put(s, name, l, next, by, response.MaxAge); err != nil || next.lone != nil {
		return err
	}
	if c.wantsDelta(next.base, deltaPlaces{}) && !c.config.IgnoreCertificateURLs {
		if s.list.URL == "" {
			m.mu.Lock()
			defer m.mu.Unlock()
			l.deltaDue = c.config.Now()
			return nil
		}
		m.swap(ctx)
	}
	return m.refine(ctx, l)
}

// put lets a list count, if it may take the place of the one before it.
func (m *localLists) put(s *localSource, name string, l *localList, next *loadedList, by []*authority, maxAge time.Duration) error {
	c := m.checker
	m.mu.Lock()
	defer m.mu.Unlock()
	now, before := c.config.Now(), l.current.Load()
	aside := before != nil && (before.lone != nil) != (next.lone != nil)
	switch {
	case next.edition().Begun(now, c.skew) != nil:
		return next.edition().Begun(now, c.skew)
	case before == nil || aside:
	case next.lone != nil:
		if errors.Is(before.edition().CheckNewer(next.edition()), evidence.ErrRollback) {
			return evidence.ErrRollback
		}
	default:
		err := c.mayReplace(before.edition(), next.edition(), now)
		// A CA of the same name may be another one, with numbers of its own.
		isOther := slices.ContainsFunc(l.by, func(known *authority) bool { return !slices.Contains(by, known) })
		aside = errors.Is(err, ErrCRLScope) || errors.Is(err, ErrCRLIssuer) || isOther && (err == nil || errors.Is(err, evidence.ErrRollback))
		if err != nil && !aside {
			return err
		}
		if c.wantsDelta(next.base, deltaPlaces{}) {
			next.crl = withDeltaOf(next.base, before.crl)
		}
	}
	next.fetched, next.soft = now, c.softOf(next.whole(), now, maxAge)
	if s.list.URL == "" { // a file is read again when it changes, whatever is asked for
		next.soft = now.Add(neverDue)
	}
	if aside {
		if err := m.mayBeAside(s, name, before, next); err != nil {
			return err
		}
		m.setAside(s, name, l)
	}
	l.by, l.told, l.deltaDue = by, false, time.Time{}
	return c.lists.put(&l.place, next, nil)
}

// refine completes a list that counts already by its delta.
func (m *localLists) refine(ctx context.Context, l *localList) error {
	m.mu.Lock()
	held := l.current.Load()
	m.mu.Unlock()
	if held == nil || held.lone != nil { // set aside meanwhile
		return nil
	}
	c := m.checker
	err := c.refine(ctx, &l.place, m.sourceOf(l), held)
	m.mu.Lock()
	defer m.mu.Unlock()
	if list := l.current.Load(); held.url == "" && list != nil && list.lone == nil && list.base == held.base { // still in the file
		l.deltaDue = c.softOf(list.crl.Edition(), c.config.Now(), 0)
		if err != nil { // there was no room for it
			l.deltaDue = c.config.Now()
		}
	}
	return err
}

// incomplete are the lists of a source of files whose deltas are to be fetched.
func (m *localLists) incomplete(s *localSource) (lists []*localList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.checker.config.Now()
	for _, l := range s.lists {
		if !l.deltaDue.IsZero() && (s.forced || hasCome(l.deltaDue, now, maxSoftCRL)) {
			lists = append(lists, l)
		}
	}
	s.forced = false
	return lists
}

// complete is the flight of the deltas of a source of files. They are fetched side by side: the
// files of a directory may be of several partners.
func (m *localLists) complete(ctx context.Context, lists []*localList) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
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
	if failed != nil {
		m.checker.complainOnce(ctx, unreadable, failed)
	}
	return failed
}

// verify returns the list and those of Issuers that it is of: the one whose name it bears, or
// several of that name where one of Verify.CRLIssuers signs for all of them.
func (m *localLists) verify(ctx context.Context, content []byte) (*loadedList, []*authority, error) {
	there, err := evidence.Look(content)
	if err != nil {
		return nil, nil, err
	}
	failed := fmt.Errorf("%w: %s is not among Issuers", ErrCRLIssuer, dn.Quote(there.Issuer))
	var next *loadedList
	var by []*authority
	for _, issuer := range m.issuers {
		if !dn.Match(there.Issuer, issuer.cert().RawSubject) {
			continue
		}
		one := &loadedList{}
		one.base, err = m.checker.partners.operator().hand.build(ctx, func() (crl *evidence.CRL, err error) {
			terms := m.checker.listTerms(issuer, m.checker.config.Now())
			if there.IsDelta {
				one.lone, err = evidence.ParseDelta(content, issuer.cert(), terms)
				return nil, err
			}
			return evidence.ParseCRL(content, issuer.cert(), terms)
		})
		if err != nil {
			failed = err
			continue
		}
		one.crl = one.base
		if next == nil {
			next = one
		}
		by = append(by, issuer)
	}
	if next == nil {
		return nil, nil, failed
	}
	return next, by, nil
}

// setAside keeps what a file said that now holds something of another kind: it counts until it
// is replaced or runs out, like what was in a file that is gone.
func (m *localLists) setAside(s *localSource, name string, l *localList) {
	aside := &localList{by: l.by, told: true, gone: true, asideOf: name}
	aside.operated = true
	m.checker.lists.move(&l.place, &aside.place)
	s.lists[fmt.Sprintf("%s, list %d", name, m.checker.generation.Add(1))] = aside
}

// mayBeAside bounds what is set aside of one file or URL: one list of any size, and with further
// ones a quarter of MaxListBytes, beside those that next replaces. Whoever writes what is there
// could use up the memory of all lists otherwise.
func (m *localLists) mayBeAside(s *localSource, name string, before, next *loadedList) error {
	held := 0
	for _, l := range s.lists {
		known := l.current.Load()
		if l.asideOf != name || known == nil || (known.lone != nil) == (next.lone != nil) && known.edition().CheckNewer(next.edition()) == nil {
			continue
		}
		held += known.size()
	}
	if most := m.checker.config.MaxListBytes / 4; held > 0 && held+before.size() > most {
		return fmt.Errorf("%w: it has changed its scope again, and what it said before still counts: %d bytes, more than %d",
			ErrBudget, held+before.size(), most)
	}
	return nil
}

// loneDeltas names, once each, the deltas that complete none of the operator's lists.
func (m *localLists) loneDeltas(view *localView) (names []string) {
	for _, s := range m.sources {
		for name, l := range s.lists {
			held := view.held[l]
			if held == nil || held.lone == nil || l.told || view.unread {
				continue
			}
			l.told = true
			if !view.continues(held.lone, l.by) {
				names = append(names, name)
			}
		}
	}
	return names
}

// continues reports whether the delta belongs to a list that counts.
func (view *localView) continues(delta *evidence.Delta, signers []*authority) bool {
	for _, by := range signers {
		for _, list := range view.of[by.key] {
			if _, err := list.base.With(delta); err == nil || errors.Is(err, evidence.ErrRollback) {
				return true
			}
		}
	}
	return false
}
