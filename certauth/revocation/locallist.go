package revocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	maxFilesOfDir = 4096
	neverDue      = 100 * 365 * 24 * time.Hour
)

// localLists are the CRLs that the operator names. They are read on Preload, before the
// first decision that may need them, and again when they change. Each source is read, judged
// and swapped alone.
type localLists struct {
	checker *Checker
	issuers []*authority

	present atomic.Bool            // there is at least one source
	looked  atomic.Int64           // Unix nanoseconds
	overdue atomic.Pointer[flight] // a reading after a pause, which requests wait for
	view    atomic.Pointer[localView]
	anew    atomic.Uint64 // readings that began before this call of Refresh do not do

	looking sync.Mutex // of those who may start a reading

	mu      sync.Mutex // of everything below, and of the flights and lists of the sources
	flight  *flight    // reads the files
	sources []*localSource
	readers chan struct{} // places
	swapped chan struct{} // closed when there is another view
}

// maxReaders is how many of the operator's URLs are read at once.
const maxReaders = 8

// localView is what requests see: the lists of each CA, the newest of each scope.
type localView struct {
	of     map[string][]*loadedList     // by authority
	deltas map[string][]*evidence.Delta // those that stand among the lists, by authority
	err    error                        // what could not be read
	unread bool                         // that some source has not been read yet, or never could be

	held map[*localList]*loadedList // what was in each place
}

// name is the place in the Config.
func (s *localSource) name() string { return s.list.URL + s.list.File + s.list.Dir }

type localSource struct {
	list  List
	lists map[string]*localList // by file, or the URL
	err   error
	read  bool // once at least, whatever came of it

	flight *flight // reads the URL
	forced bool    // whatever its time
	broken bool    // the directory itself could not be read

	told   string // what could not be read when that was told last
	toldAt time.Time
}

type localList struct {
	place
	seen seen         // of a file; only its reader looks
	by   []*authority // who has signed it: several after a change of key
	told bool         // that the delta continues no list
	err  error
	gone bool // from its directory, or set aside

	asideOf string // whose place it had, if it is set aside

	// deltaDue is when the delta of a file is to be fetched, again as well: it changes while the
	// file does not. Zero for a list that names none.
	deltaDue time.Time
}

func newLocalLists(c *Checker) *localLists {
	m := &localLists{checker: c, readers: make(chan struct{}, maxReaders), swapped: make(chan struct{})}
	for _, cert := range c.config.Issuers {
		m.issuers = append(m.issuers, c.authorities.intern(cert))
	}
	for _, l := range c.config.Lists {
		m.sources = append(m.sources, newLocalSource(l))
	}
	m.present.Store(len(m.sources) > 0)
	return m
}

func newLocalSource(l List) *localSource {
	return &localSource{list: l, lists: map[string]*localList{}}
}

// serves reports whether a list of this CA may be among the operator's.
func (m *localLists) serves(by *authority) bool {
	for _, issuer := range m.issuers {
		if issuer.key == by.key || slices.ContainsFunc(by.kinNow(), func(k kin) bool { return k.key == issuer.key }) {
			return true
		}
	}
	return false
}

// current reports whether nothing has to be read before a decision.
func (m *localLists) current(now time.Time) bool {
	if !m.present.Load() {
		return true
	}
	return m.isRecent(now) && !m.isUnread() && m.overdue.Load() == nil
}

// listsOf is the lists of a CA, whichever of its keys has signed them; nil for one whose
// signer's certificate is not valid any more. Those of the key that issues come first.
func (view *localView) listsOf(a *authority, terms *VerifyOptions) []*loadedList {
	if view == nil {
		return nil
	}
	lists := view.of[a.key]
	for _, k := range a.kinNow() {
		for _, l := range view.of[k.key] {
			if !evidence.ValidAt(k.cert, terms.Now, terms.Tolerance()) {
				l = nil
			}
			lists = append(slices.Clip(lists), l)
		}
	}
	return lists
}

// completed lays the newest delta over a list that stands among Config.Lists, if there is one
// that continues it.
func (view *localView) completed(a *authority, l *loadedList, terms *VerifyOptions) *loadedList {
	if view == nil || len(view.deltas) == 0 {
		return l
	}
	best, known := l.crl, !l.deltaMissing
	look := func(key string) {
		for _, d := range view.deltas[key] {
			switch merged, err := l.base.With(d); {
			case err == nil && (best.Delta() == nil || d.Edition().CheckNewer(best.Delta().Edition()) != nil):
				best, known = merged, true
			case errors.Is(err, evidence.ErrRollback):
				known = known || !d.Edition().IsOver(terms.Now, terms.Tolerance()) // the list holds all of it
			}
		}
	}
	look(a.key)
	for _, k := range a.kinNow() {
		look(k.key)
	}
	if best == l.crl && known != l.deltaMissing {
		return l
	}
	next := *l
	next.crl, next.deltaMissing = best, !known
	return &next
}

// load reads whatever is new or has changed, and waits for all of it. All who ask meanwhile
// wait for the same reading.
func (m *localLists) load(ctx context.Context, most time.Duration) error {
	if !m.present.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	m.looked.Store(m.checker.config.Now().UnixNano())
	err := m.reading().wait(ctx)
	m.mu.Lock()
	var urls []*flight
	for _, s := range m.sources {
		if s.flight != nil {
			urls = append(urls, s.flight)
		}
	}
	m.mu.Unlock()
	for _, f := range urls {
		if one := f.wait(ctx); errors.Is(one, ErrTimeout) && ctx.Err() != nil {
			return errors.Join(err, one)
		}
	}
	if err != nil && ctx.Err() != nil || errors.Is(err, ErrClosed) {
		return err
	}
	return m.trouble()
}

// refresh reads everything anew, whatever its time.
func (m *localLists) refresh(ctx context.Context, anew uint64) error {
	m.mu.Lock()
	m.anew.Store(max(m.anew.Load(), anew)) // another call may have been faster
	for _, s := range m.sources {
		s.forced = true
	}
	m.mu.Unlock()
	return m.load(ctx, flightLimit)
}

// firstReading waits until every source has been read once, or enough of them. What could not
// be read has been told, and is asked for where it is needed.
func (m *localLists) firstReading(ctx context.Context, enough func() bool) error {
	m.mu.Lock()
	under := m.flight
	m.mu.Unlock()
	if m.view.Load() == nil {
		m.looked.Store(m.checker.config.Now().UnixNano())
		if under = m.reading(); under == nil {
			return ErrClosed
		}
	}
	if under != nil { // the files, and a moment for the URLs
		_ = under.wait(ctx)
	}
	for {
		m.mu.Lock()
		swapped := m.swapped
		m.mu.Unlock()
		if !m.isUnread() || m.view.Load() != nil && enough() {
			return nil
		}
		select {
		case <-swapped:
		case <-ctx.Done():
			return fmt.Errorf("%w: the configured lists: %w", ErrNotReady, ctx.Err())
		}
	}
}

// isUnread reports whether there are sources of which some have never been read.
func (m *localLists) isUnread() bool {
	if !m.present.Load() {
		return false
	}
	view := m.view.Load()
	return view == nil || view.unread
}

// look starts a reading if the last one is an interval ago. It returns the one to wait a
// moment for, if any: after two intervals without a look, or when the clock went back, a
// list that is there already may say that the caller is revoked.
func (m *localLists) look(now time.Time) *flight {
	if !m.present.Load() {
		return nil
	}
	if m.isRecent(now) {
		return m.overdue.Load()
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	if m.isRecent(now) {
		return m.overdue.Load()
	}
	passed, interval := now.UnixNano()-m.looked.Load(), int64(m.checker.config.PollInterval)
	reading := m.reading()
	if reading != nil && (passed < 0 || passed/2 >= interval) {
		m.overdue.Store(reading) // before looked says that there is nothing to wait for
	}
	m.looked.Store(now.UnixNano())
	return m.overdue.Load()
}

// isRecent reports whether the last look was less than an interval ago. A request that was
// held up since it read the clock is no clock that went back.
func (m *localLists) isRecent(now time.Time) bool {
	passed, interval := now.UnixNano()-m.looked.Load(), int64(m.checker.config.PollInterval)
	return passed > -interval && passed < interval
}

// waitAMoment waits for a reading that look returned. Who comes when its moment is over
// does not wait any more.
func (m *localLists) waitAMoment(ctx context.Context, reading *flight) {
	if reading == nil {
		return
	}
	reading.waitAMoment(ctx)
	if ctx.Err() == nil {
		m.overdue.CompareAndSwap(reading, nil)
	}
}

// add takes further URLs, once each.
func (m *localLists) add(urls []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, url := range urls {
		if !slices.ContainsFunc(m.sources, func(s *localSource) bool { return s.list.URL == url }) {
			m.sources = append(m.sources, newLocalSource(List{URL: url}))
		}
	}
	m.present.Store(len(m.sources) > 0)
}

// trouble is what could not be read at the last reading.
func (m *localLists) trouble() error {
	if view := m.view.Load(); view != nil {
		return view.err
	}
	return nil
}

// ready says what is missing: a source that gave nothing, or a list that has run out.
func (m *localLists) ready(now time.Time) error {
	if !m.present.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	view, skew := m.newView(), m.checker.skew
	var missing []error
	for _, s := range m.sources {
		lack := func(err error) {
			if err != nil {
				missing = append(missing, fmt.Errorf("%w: %s: %w", ErrNotReady, logtext.Quote(s.name()), err))
			}
		}
		if !s.read {
			lack(errors.New("not read yet"))
			continue
		}
		if s.broken {
			lack(s.err)
		}
		empty := true
		for name, l := range s.lists {
			held := view.held[l]
			empty = empty && held == nil
			switch {
			case l.gone:
			case held == nil && l.err != nil:
				lack(fmt.Errorf("%s: %w", logtext.Quote(name), l.err))
			case held != nil && view.uses(l.by, held):
				lack(held.edition().Current(now, skew))
			}
		}
		if empty {
			lack(errors.Join(errors.New("no list"), s.err))
		}
	}
	return errors.Join(missing...)
}

// holds reports whether the URL was read at least once since it was added.
func (m *localLists) holds(url string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.sources, func(s *localSource) bool { return s.list.URL == url && s.read })
}
