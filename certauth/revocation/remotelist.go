package revocation

import (
	"cmp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

const (
	maxRemoteLists = 1024
	maxDeltaURLs   = 2
)

// remoteList is one distribution point of one CA. Its URLs are alternatives.
type remoteList struct {
	place
	authority *authority
	urls      []string

	failed atomic.Pointer[setback]
	asked  atomic.Uint64 // the latest Refresh for which there was an attempt
	flight slot
}

// remoteLists are the lists that certificates name, found by partner, CA and URLs: the same URL in
// certificates of two CAs is two lists, and so it is for two partners.
type remoteLists struct {
	mu  sync.Mutex
	all map[remoteName]*remoteList
}

type remoteName struct {
	by   *partner
	name string
}

func (m *remoteLists) of(r *record) []*remoteList {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lists []*remoteList
	for _, urls := range r.names.Lists {
		lists = append(lists, m.one(r, urls))
	}
	return lists
}

// ofCA returns the lists of a CA in memory that cover the certificate and count below every anchor of the CA, as those by
// the CA's own key do. There may be thousands of others.
func (m *remoteLists) ofCA(by *authority, who *evidence.Subject) (lists []*loadedList) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.all {
		if l.authority.key != by.key {
			continue
		}
		for _, known := range l.all() {
			if known.crl.Covers(who) == nil && (l.authority == by || !l.authority.isApart || !known.isByAny(l.authority.otherSigners())) {
				lists = append(lists, known)
			}
		}
	}
	return lists
}

func (m *remoteLists) one(r *record, urls []string) *remoteList {
	// A URL that is fetched contains no newline.
	key := remoteName{r.partner, r.authority.key + "\n" + strings.Join(urls, "\n") + "\n\n" + strings.Join(r.names.Deltas, "\n")}
	if r.names.NamesDelta {
		key.name += "\n\n"
	}
	if known := m.all[key]; known != nil {
		return known
	}
	if m.all == nil {
		m.all = map[remoteName]*remoteList{}
	}
	for len(m.all) >= maxRemoteLists {
		m.dropOne()
	}
	l := &remoteList{
		place:     place{partner: r.partner, namesDelta: r.names.NamesDelta, deltas: r.names.Deltas},
		authority: r.authority, urls: urls,
	}
	l.partner.lists++
	m.all[key] = l
	return l
}

// dropOne drops the list that was unused for longest, of the partner that names most, so that none
// can displace the lists of others. Records that hold it still use it, and it still counts while it
// is in memory; it is only no longer shared.
func (m *remoteLists) dropOne() {
	var key remoteName
	var victim *remoteList
	for k, l := range m.all {
		if victim == nil || cmp.Or(cmp.Compare(victim.partner.lists, l.partner.lists), cmp.Compare(l.used.Load(), victim.used.Load())) < 0 {
			key, victim = k, l
		}
	}
	victim.partner.lists--
	delete(m.all, key)
}

func (m *remoteLists) endPauses() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.all {
		l.failed.Store(nil)
	}
}
