package revocation

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/regular"
)

const maxFilesOfDir = 4096

// localLists are the CRLs that the operator names. They are read on Preload, before the first
// decision that may need them, and again when they change. Each source is read and replaced on its
// own.
type localLists struct {
	checker *Checker
	issuers []*authority
	open    func(name string) (*os.File, fs.FileInfo, error) // regular.Open, but in tests

	present atomic.Bool  // there is at least one source
	looked  atomic.Int64 // Unix nanoseconds
	overdue slot         // a reading after a pause, for which requests wait
	view    atomic.Pointer[localView]
	anew    atomic.Uint64 // the latest Refresh: readings that began before it do not count for it

	looking sync.Mutex // held while a reading is started

	flight slot // starts those of the sources

	mu      sync.Mutex // guards everything below, and the lists of the sources
	sources []*localSource
	swapped chan struct{} // closed when the view is replaced
}

// localView is what requests see: for each CA the newest list of each scope.
type localView struct {
	of     map[string][]*loadedList     // by authority
	deltas map[string][]*evidence.Delta // those among the lists, by authority
	err    error                        // what could not be read
	unread bool                         // some source was never read
	byURL  bool                         // some source is fetched

	held map[*localList][]*loadedList // the lists of each place
	ends time.Time                    // when the next of them expires
}

// isOutlived reports whether one of the lists has expired since. The next view is without those of
// them that were deleted, and with older ones that they had displaced.
func (view *localView) isOutlived(now time.Time) bool {
	return !view.ends.IsZero() && now.After(view.ends)
}

// name is the URL, file or directory.
func (l List) name() string { return l.URL + l.File + l.Dir }

// shown is the name of one of the source's lists for messages. The query of a URL may be a key to it,
// such as a shared access signature.
func (l List) shown(name string) string {
	if l.URL != "" {
		name, _, _ = strings.Cut(name, "?")
	}
	return logtext.Quote(name)
}

type localSource struct {
	list  List
	by    *partner              // fetches for it
	lists map[string]*localList // by file, or the URL
	err   error
	read  bool // at least once, with or without success

	files  slot   // reads the file or directory
	flight slot   // reads the URL, or the deltas of files
	asked  uint64 // the latest Refresh before the last reading; for its reader only
	broken bool   // the directory itself could not be read

	told   string // what could not be read according to the last log record
	toldAt time.Time
}

type localList struct {
	place
	seen seen // of a file; for its reader only
	told bool // it was logged that the delta continues no list
	err  error
	gone bool // deleted from its directory

	// deltaDue is when the delta of a file's list is fetched next, which can change although the
	// file does not. It is zero for a list that names none.
	deltaDue time.Time
}

func newLocalLists(c *Checker) *localLists {
	m := &localLists{checker: c, open: regular.Open, swapped: make(chan struct{})}
	for _, cert := range c.config.Issuers {
		m.issuers = append(m.issuers, c.authorities.intern(cert))
	}
	for _, l := range c.config.Lists {
		m.sources = append(m.sources, m.newSource(l))
	}
	m.present.Store(len(m.sources) > 0)
	m.view.Store(&localView{unread: true})
	return m
}

func (m *localLists) newSource(l List) *localSource {
	return &localSource{list: l, by: m.checker.partners.configured(l.name()), lists: map[string]*localList{}}
}

// serves reports whether the operator's lists may include one of this CA.
func (m *localLists) serves(by *authority) bool {
	return slices.ContainsFunc(m.issuers, func(issuer *authority) bool {
		return issuer.key == by.key || slices.ContainsFunc(by.otherSigners(), func(k listSigner) bool { return k.key == issuer.key })
	})
}

// listsOf returns the lists of a CA, whichever of its keys signed them, those by the issuing key
// first. It leaves out lists whose signer's certificate is not valid now.
func (view *localView) listsOf(a *authority, terms *VerifyOptions) []*loadedList {
	lists := view.of[a.key]
	for _, k := range a.otherSigners() {
		if evidence.ValidAt(k.cert, terms.Now, terms.Tolerance()) {
			lists = append(slices.Clip(lists), view.of[k.key]...)
		}
	}
	return lists
}

// completed returns the list with the newest delta among Config.Lists that continues it, if there is one, and
// if that one does not count now, also with the newest that does; or with each of different ones of one edition.
func (view *localView) completed(a *authority, l *loadedList, terms *VerifyOptions) (best []*loadedList) {
	if len(view.deltas) == 0 {
		return []*loadedList{l}
	}
	all, known := []*evidence.CRL{l.crl}, !l.deltaMissing
	look := func(key string) {
		for _, d := range view.deltas[key] {
			merged, err := l.base.With(d)
			if err == nil {
				all = append(all, merged)
			}
			known = known || err == nil || errors.Is(err, evidence.ErrRollback) && !d.Edition().IsOver(terms.Now, terms.Tolerance()) // the list already contains the delta
		}
	}
	look(a.key)
	for _, k := range a.otherSigners() {
		look(k.key)
	}
	counts := func(l *evidence.CRL) bool {
		return l.Delta() != nil && l.Delta().Edition().Current(terms.Now, terms.Tolerance()) == nil
	}
	for i, crl := range all {
		isDisplaced := slices.ContainsFunc(all, func(other *evidence.CRL) bool {
			return other.CheckNewer(crl) != nil && (counts(other) || !counts(crl))
		})
		if isDisplaced || slices.ContainsFunc(all[:i], func(other *evidence.CRL) bool { return reflect.DeepEqual(other.Delta(), crl.Delta()) }) {
			continue
		}
		next := *l
		next.crl, next.deltaMissing = crl, !known
		best = append(best, &next)
	}
	return best
}

// load reads what is new or has changed, and waits for it. Concurrent calls share one reading.
func (m *localLists) load(ctx context.Context) error {
	if !m.present.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	m.looked.Store(m.checker.config.Now().UnixNano())
	if err := m.reading().wait(ctx); err != nil {
		return err
	}
	m.mu.Lock()
	sources := slices.Clone(m.sources)
	m.mu.Unlock()
	for _, s := range sources {
		for _, reading := range []*slot{&s.files, &s.flight} {
			if err := reading.Load().wait(ctx); errors.Is(err, ErrTimeout) && ctx.Err() != nil {
				return err
			}
		}
	}
	return m.view.Load().err
}

// countFrom makes readings that began before this call of Refresh not count.
func (m *localLists) countFrom(anew uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.anew.Store(max(m.anew.Load(), anew)) // another call may have been faster
}

// firstReading waits until every source was read once, or until those read are enough. What could
// not be read has been logged, and is missing where it is needed.
func (m *localLists) firstReading(ctx context.Context, enough func() bool) error {
	_ = m.flight.Load().wait(ctx) // a moment for all of them
	for {
		m.mu.Lock()
		swapped := m.swapped
		m.mu.Unlock()
		if !m.isUnread() || enough() {
			return nil
		}
		select {
		case <-swapped:
		case <-m.checker.background.base.Done():
			return ErrClosed
		case <-ctx.Done():
			return fmt.Errorf("%w: the configured lists: %w", ErrNotReady, ctx.Err())
		}
	}
}

// isUnread reports whether some source was never read.
func (m *localLists) isUnread() bool { return m.present.Load() && m.view.Load().unread }

// look starts a reading if the last look was at least an interval ago. It returns the reading for
// which requests should wait a moment, if there is one: two intervals after the last look, or
// after the clock was set back, a list may have changed that calls the caller revoked.
func (m *localLists) look(ctx context.Context, now time.Time) *flight {
	if !m.present.Load() {
		return nil
	}
	if m.isRecent(now) && !m.view.Load().isOutlived(now) {
		return m.overdue.Load()
	}
	m.looking.Lock()
	defer m.looking.Unlock()
	if m.view.Load().isOutlived(now) {
		m.swap(ctx)
	}
	if m.isRecent(now) { // another request was faster
		return m.overdue.Load()
	}
	passed, interval := now.UnixNano()-m.looked.Load(), int64(m.checker.config.PollInterval)
	isOverdue := passed < 0 || passed/2 >= interval
	if isOverdue && m.flight.Load() != nil {
		m.countFrom(m.checker.background.refreshes.Add(1)) // it may have read the files before the pause
	}
	reading := m.reading()
	if isOverdue {
		m.overdue.Store(reading) // before looked says that there is nothing to wait for
	}
	m.looked.Store(now.UnixNano())
	return m.overdue.Load()
}

// isRecent reports whether the last look was less than an interval ago. A request that was delayed
// after it read the clock does not look like a clock that was set back.
func (m *localLists) isRecent(now time.Time) bool {
	passed, interval := now.UnixNano()-m.looked.Load(), int64(m.checker.config.PollInterval)
	return passed > -interval && passed < interval
}

// waitBriefly waits for a reading that look returned. When its moment is over, later requests do
// not wait for it.
func (m *localLists) waitBriefly(ctx context.Context, reading *flight) {
	reading.waitBriefly(ctx)
	if ctx.Err() == nil {
		m.overdue.CompareAndSwap(reading, nil)
	}
}

func (m *localLists) add(urls []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, url := range urls {
		if !slices.ContainsFunc(m.sources, func(s *localSource) bool { return s.list.URL == url }) {
			m.sources = append(m.sources, m.newSource(List{URL: url}))
		}
	}
	m.present.Store(len(m.sources) > 0)
	m.flight.Store(nil) // a reading that is running does not include them
}

// ready says what is missing: a source without a list, or a list that has expired.
func (m *localLists) ready(now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	view, skew := m.newView(), m.checker.skew
	used := view.used()
	var missing []error
	for _, s := range m.sources {
		lack := func(err error) {
			if err != nil {
				missing = append(missing, fmt.Errorf("%w: %s: %w", ErrNotReady, s.list.shown(s.list.name()), err))
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
			empty = empty && len(held) == 0
			switch {
			case l.gone:
			case len(held) == 0 && l.err != nil:
				lack(fmt.Errorf("%s: %w", s.list.shown(name), l.err))
			case slices.ContainsFunc(held, func(one *loadedList) bool { return used[one.base] || used[one.lone] }):
				lack(held[0].edition().Current(now, skew))
			}
		}
		if empty {
			lack(errors.Join(errors.New("no list"), s.err))
		}
	}
	return errors.Join(missing...)
}
