package revocation

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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
	freshest  freshest // of the certificate

	current atomic.Pointer[loadedList]
	failed  atomic.Pointer[setback]
	used    atomic.Int64
	// newest is how new the newest list was, also when it is in memory no more.
	newest atomic.Pointer[edition]
	// wanted is what the certificates that name the point need; guarded by the mutex of
	// remoteLists.
	wanted wantedScope

	mu     sync.Mutex
	flight *flight
}

// loadedList is a verified list in memory and how it came there. Immutable.
type loadedList struct {
	crl     *CRL // with the delta, if there is one
	base    *CRL // what a newer list is compared with
	soft    time.Time
	fetched time.Time

	url, etag, lastModified string
	deltaMissing            bool
}

// wantedScope is which certificates a list is for.
type wantedScope struct {
	names      [][sha256.Size]byte // of all their distribution points, hashed: the certificates are not kept
	users, cas bool
}

// maxWantedNames bounds them. With more a list is taken whatever it is called; each look-up
// decides again.
const maxWantedNames = 64

func (w *wantedScope) add(cert *x509.Certificate, points []distributionPoint) {
	w.users, w.cas = w.users || !cert.IsCA, w.cas || cert.IsCA
	for _, point := range points {
		for _, name := range point.names {
			if sum := sha256.Sum256(name); len(w.names) < maxWantedNames && !slices.Contains(w.names, sum) {
				w.names = append(w.names, sum)
			}
		}
	}
}

func (w *wantedScope) has(name []byte) bool { return slices.Contains(w.names, sha256.Sum256(name)) }

// covers refuses a list that is for none of the certificates: validly signed, it would else
// stand in the place of the right one until it runs out.
func (m *remoteLists) covers(l *remoteList, base *CRL) error {
	p := base.base.point
	if p == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &l.wanted
	switch {
	case p.onlyAttribute, p.onlyUser && !w.users, p.onlyCA && !w.cas:
		return fmt.Errorf("%w: for certificates of another kind than those that name it", ErrCRLScope)
	case p.hasPoint && len(w.names) < maxWantedNames && !slices.ContainsFunc(p.names, w.has) && !p.namesCA(l.authority.cert().RawSubject):
		return fmt.Errorf("%w: of another distribution point than those of the certificates that name it", ErrCRLScope)
	}
	return nil
}

// coversAll reports whether no certificate that names the list loses anything by a new one:
// it is of this very point, for all of them, and for every reason that the old one was for.
func (m *remoteLists) coversAll(l *remoteList, next, old *CRL) bool {
	p := next.base.point
	if p == nil {
		return true
	}
	reasons := AllReasons
	if old.base.point != nil {
		reasons = old.base.point.reasons
	}
	isOurs := func(name []byte) bool {
		url, ok := httpURL(name)
		return ok && slices.Contains(l.urls, url)
	}
	if p.hasPoint && !slices.ContainsFunc(p.names, isOurs) && !p.namesCA(l.authority.cert().RawSubject) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return !(p.onlyUser && l.wanted.cas) && !(p.onlyCA && l.wanted.users) && p.reasons&reasons == reasons
}

// edition is what of a list tells whether another one is older.
type edition struct {
	standing standing
	point    []byte // the issuing distribution point, nil if there is none
	over     time.Time
}

// counts reports whether an older list would be a step back: not behind one that has run out,
// or whose time has not come.
func (e *edition) counts(now time.Time, skew time.Duration) bool {
	return !e.standing.thisUpdate.After(now.Add(skew)) && (e.over.IsZero() || !now.After(e.over.Add(skew)))
}

// remoteLists are those that certificates name, found by CA and URLs: the same URL in
// certificates of two CAs is two lists.
type remoteLists struct {
	mu     sync.Mutex
	all    map[string]*remoteList
	loaded map[*remoteList]bool // those in memory, also if they are no longer found
}

func (m *remoteLists) of(by *authority, cert *x509.Certificate, points []distributionPoint) []*remoteList {
	freshest := freshest{urls: freshestOf(cert), named: hasExtension(cert, oidFreshestCRL)}
	var lists []*remoteList
	for _, urls := range pointURLs(points) {
		l := m.one(by, urls, freshest)
		m.mu.Lock()
		users, cas, names := l.wanted.users, l.wanted.cas, len(l.wanted.names)
		l.wanted.add(cert, points)
		wider := users != l.wanted.users || cas != l.wanted.cas || names != len(l.wanted.names)
		m.mu.Unlock()
		if tried := l.failed.Load(); wider && tried != nil && errors.Is(tried.err, ErrCRLScope) {
			l.failed.CompareAndSwap(tried, nil) // what came may be for this one
		}
		lists = append(lists, l)
	}
	return lists
}

func (m *remoteLists) one(by *authority, urls []string, freshest freshest) *remoteList {
	// A newline cannot stand in a URL that is fetched.
	key := by.key + "\n" + strings.Join(urls, "\n") + "\n\n" + strings.Join(freshest.urls, "\n")
	if freshest.named {
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
	l := &remoteList{authority: by, urls: urls, freshest: freshest}
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
	l.newest.Store(&edition{next.base.base.standing(), next.base.base.pointDER, next.base.NextUpdate()})
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
