package revocation

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

const (
	maxRemoteLists = 1024
	maxDeltaURLs   = 2
	unusedFor      = time.Hour // after which a list may be unloaded to make room
)

// remoteList is one distribution point of one CA. Its URLs are alternatives.
type remoteList struct {
	authority *authority
	partner   atomic.Pointer[partner] // that has asked for it last
	urls      []string
	deltas    deltaPlaces

	current atomic.Pointer[loadedList]
	failed  atomic.Pointer[setback]
	used    atomic.Int64
	asked   atomic.Uint64 // before which call of Refresh the last attempt began
	// newest is how new the newest list was, also when it is in memory no more.
	newest atomic.Pointer[evidence.Edition]
	// wanted is what the certificates that name the point need; guarded by the mutex of
	// remoteLists.
	wanted evidence.Audience

	mu     sync.Mutex
	flight *flight
}

// loadedList is a verified list in memory and how it came there. Immutable.
type loadedList struct {
	crl     *evidence.CRL // with the delta, if there is one
	base    *evidence.CRL // what a newer list is compared with
	soft    time.Time
	fetched time.Time

	url, etag, lastModified string
	deltaMissing            bool
}

// remoteLists are those that certificates name, found by CA and URLs: the same URL in
// certificates of two CAs is two lists.
type remoteLists struct {
	mu     sync.Mutex
	all    map[string]*remoteList
	loaded map[*remoteList]bool // those in memory, also if they are no longer found
}

func (m *remoteLists) of(by *authority, who *evidence.Subject, names *evidence.Pointers) []*remoteList {
	var lists []*remoteList
	for _, urls := range names.Lists {
		l := m.one(by, urls, deltaPlaces{names.NamesDelta, names.Deltas})
		m.mu.Lock()
		wider := l.wanted.Add(who)
		m.mu.Unlock()
		if tried := l.failed.Load(); wider && tried != nil && errors.Is(tried.err, ErrCRLScope) {
			l.failed.CompareAndSwap(tried, nil) // what came may be for this one
		}
		lists = append(lists, l)
	}
	return lists
}

// deltaPlaces is where a certificate says that delta CRLs are. It may name a place that cannot
// be fetched from.
type deltaPlaces struct {
	named bool
	urls  []string
}

func (m *remoteLists) one(by *authority, urls []string, deltas deltaPlaces) *remoteList {
	// A newline cannot stand in a URL that is fetched.
	key := by.key + "\n" + strings.Join(urls, "\n") + "\n\n" + strings.Join(deltas.urls, "\n")
	if deltas.named {
		key += "\n\n"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if known := m.all[key]; known != nil {
		return known
	}
	if m.all == nil {
		m.all = map[string]*remoteList{}
	}
	for len(m.all) >= maxRemoteLists {
		m.forgetOne()
	}
	l := &remoteList{authority: by, urls: urls, deltas: deltas}
	m.all[key] = l
	return l
}

// forgetOne drops the list that was not used for longest. Records that still hold it keep
// it in use; it is only no longer shared, and still counts as long as it is in memory.
func (m *remoteLists) forgetOne() {
	victim := ""
	var oldest int64
	for key, l := range m.all {
		if used := l.used.Load(); victim == "" || used < oldest {
			victim, oldest = key, used
		}
	}
	delete(m.all, victim)
}

// snapshot is the lists in memory.
func (m *remoteLists) snapshot() []*remoteList {
	m.mu.Lock()
	defer m.mu.Unlock()
	lists := make([]*remoteList, 0, len(m.loaded))
	for l := range m.loaded {
		lists = append(lists, l)
	}
	return lists
}

// hold puts a list into memory.
func (m *remoteLists) hold(l *remoteList, next *loadedList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.loaded == nil {
		m.loaded = map[*remoteList]bool{}
	}
	m.loaded[l] = true
	edition := next.base.Edition()
	l.newest.Store(&edition)
	l.current.Store(next)
}

// replace puts another form of a list into its place, unless something newer is there by now.
func (m *remoteLists) replace(l *remoteList, old, next *loadedList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l.current.CompareAndSwap(old, next)
}

// endPauses lets every list be asked for again now.
func (m *remoteLists) endPauses() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.all {
		l.failed.Store(nil)
	}
}

// unload takes it out again, unless something newer is there by now.
func (m *remoteLists) unload(l *remoteList, known *loadedList) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !l.current.CompareAndSwap(known, nil) {
		return false
	}
	delete(m.loaded, l)
	return true
}

// servesAny refuses a list that is for none of the certificates that name it.
func (m *remoteLists) servesAny(l *remoteList, base *evidence.CRL) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return base.ServesAny(&l.wanted, l.authority.cert())
}

func (m *remoteLists) servesAll(l *remoteList, next, old *evidence.CRL) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return next.ServesAll(&l.wanted, l.authority.cert(), l.urls, old)
}
