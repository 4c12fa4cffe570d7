package revocation

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

const (
	unusedFor  = time.Hour // after that a list may be unloaded to make room
	maxOfPlace = 64        // lists; each is looked into for each certificate
	maxNewest  = 8 << 10   // bytes of the scopes of one place whose editions are remembered
)

// loadedList is a verified list in memory, and where it came from. It is immutable.
type loadedList struct {
	crl  *evidence.CRL   // with its delta, if there is one
	base *evidence.CRL   // without the delta
	lone *evidence.Delta // instead of both: a delta among the operator's lists
	by   []*authority    // the CAs that it is of: several if they share a name and a signer

	soft                    time.Time // when it is fetched again; zero if it is from a file
	fetched                 time.Time
	url, etag, lastModified string
	deltaMissing            bool
	idle                    bool // it does not cover the certificate for which it was fetched, or only for some reasons
}

func (l *loadedList) edition() evidence.Edition {
	if l.lone != nil {
		return l.lone.Edition()
	}
	return l.base.Edition()
}

func (l *loadedList) size() int {
	if l.lone != nil {
		return l.lone.Size()
	}
	return l.crl.Size()
}

// scope is the same for lists, or deltas, by one key that cover the same certificates.
func (l *loadedList) scope() string {
	if l.lone != nil {
		return "delta " + l.lone.Scope()
	}
	return l.base.Scope()
}

// result is what events and statistics report about a fetched list.
func (l *loadedList) result() Result {
	e := l.edition()
	return Result{Status: Good, ThisUpdate: e.ThisUpdate, NextUpdate: e.NextUpdate}
}

// place holds the lists of a distribution point, or of a URL or file of the operator: the one that arrived last,
// and those before it that still count (Checker.with).
type place struct {
	partner  *partner // for which it is fetched
	operated bool     // by the operator: never unloaded to make room
	// The certificates name deltas, but perhaps only some that cannot be fetched, such as by LDAP.
	namesDelta bool
	deltas     []string // URLs

	lists atomic.Pointer[[]*loadedList]
	used  atomic.Int64 // Unix seconds
	// newest are the latest editions by scope, kept when the lists are unloaded.
	newest atomic.Pointer[map[string]evidence.Edition]
}

// all returns the lists of the place, the one to renew first.
func (p *place) all() []*loadedList {
	if all := p.lists.Load(); all != nil {
		return *all
	}
	return nil
}

// first returns the list to renew, nil if there is none.
func (p *place) first() *loadedList {
	if all := p.all(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// of returns the lists of that scope.
func (p *place) of(scope string) []*loadedList {
	return slices.DeleteFunc(slices.Clone(p.all()), func(l *loadedList) bool { return l.scope() != scope })
}

// note remembers the latest editions of these lists, and of lists of other scopes that were unloaded. The memory bound
// does not include them.
func (p *place) note(lists []*loadedList) {
	newest, room := map[string]evidence.Edition{}, maxNewest
	add := func(scope string, e evidence.Edition) {
		known, is := newest[scope]
		switch {
		case is && known.CheckNewer(e) == nil:
			newest[scope] = e
		case !is && len(scope) <= room:
			newest[scope], room = e, room-len(scope)
		}
	}
	for _, l := range lists {
		add(l.scope(), l.edition())
	}
	if before := p.newest.Load(); before != nil {
		for scope, e := range *before {
			if _, is := newest[scope]; !is {
				add(scope, e)
			}
		}
	}
	p.newest.Store(&newest)
}

// keeper keeps all lists within one memory bound.
type keeper struct {
	most    int
	aside   int // bytes, of the lists of one place apart from the one that arrives, if they are several
	with    func(p *place, next *loadedList, isTight bool) []*loadedList
	now     func() time.Time
	changed *atomic.Uint64 // changes with every list that is added or removed

	mu       sync.Mutex
	held     map[*place]int
	unloaded atomic.Uint64
}

func sizeOf(lists []*loadedList) (size int) {
	for _, l := range lists {
		size += l.size()
	}
	return size
}

// put adds a list to a place once there is room. If old is given and is no longer there, with whichever delta, put
// does nothing: another list has arrived, whose own reader completes it.
func (k *keeper) put(p *place, next, old *loadedList) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := p.all()
	if old != nil && !slices.ContainsFunc(before, func(l *loadedList) bool { return l.base == old.base && l.lone == old.lone }) {
		return nil
	}
	return k.add(p, next)
}

// tidy drops the lists of a place that no longer count, and reports whether there were any.
func (k *keeper) tidy(p *place) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shrink(p, false)
}

// shrink is tidy while the mutex is held. isTight drops what can only accuse, too.
func (k *keeper) shrink(p *place, isTight bool) bool {
	before := p.all()
	if len(before) < 2 {
		return false
	}
	all := k.with(p, before[0], isTight)
	k.set(p, all)
	return len(all) < len(before)
}

// add puts a list in its place. What can only accuse takes no room that it needs, there or in another place of the
// partner; the operator's lists need it most.
func (k *keeper) add(p *place, next *loadedList) error {
	all, err := k.fit(p, next, false)
	if err != nil {
		for other := range k.held {
			if other != p && (other.partner == p.partner || p.operated) {
				k.shrink(other, true)
			}
		}
		all, err = k.fit(p, next, true)
	}
	if err == nil {
		k.set(p, all)
	}
	return err
}

func (k *keeper) set(p *place, all []*loadedList) {
	k.held[p] = sizeOf(all)
	p.note(all)
	p.lists.Store(&all)
	k.changed.Add(1)
}

// fit returns the lists of a place with one more, for which it makes room. isTight leaves out what can only accuse.
func (k *keeper) fit(p *place, next *loadedList, isTight bool) ([]*loadedList, error) {
	before, all := p.all(), k.with(p, next, isTight)
	if size := sizeOf(before); len(all) > len(before) && (len(before) > 1 && size > k.aside || len(before) == maxOfPlace) {
		return nil, fmt.Errorf("%w: the scope of the list has changed again while %d earlier lists still count: %d bytes, of which %d are allowed",
			ErrBudget, len(before), size, k.aside)
	}
	return all, k.makeRoom(p, sizeOf(all))
}

// cut drops some lists of a place, and reports whether there were any.
func (k *keeper) cut(p *place, some func(*loadedList) bool) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	before := p.all()
	all := slices.DeleteFunc(slices.Clone(before), some)
	k.held[p] = sizeOf(all)
	p.lists.Store(&all)
	k.changed.Add(1)
	return len(all) < len(before)
}

func (k *keeper) drop(p *place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unload(p)
}

func (k *keeper) unload(p *place) {
	p.lists.Store(nil)
	delete(k.held, p)
	k.changed.Add(1)
}

// makeRoom unloads lists until one more fits: first lists that were not used for an hour, then
// those of the partner that holds most, if that is more than the requesting partner would hold.
func (k *keeper) makeRoom(asking *place, size int) error {
	held, now, by := 0, k.now(), asking.partner
	shares := map[*partner]int{}
	for p, n := range k.held {
		if p != asking {
			held += n
		}
		if p != asking && !p.operated {
			shares[p.partner] += n
		}
	}
	for _, may := range []func(p *place, of *partner) bool{
		func(p *place, _ *partner) bool { return now.Sub(time.Unix(p.used.Load(), 0)) >= unusedFor },
		func(_ *place, of *partner) bool {
			return of != by && shares[of] == slices.Max(slices.Collect(maps.Values(shares))) && shares[of] > shares[by]+size
		},
	} {
		for p, n := range k.held {
			if held+size <= k.most {
				return nil
			}
			if of := p.partner; p != asking && !p.operated && may(p, of) {
				k.unload(p)
				k.unloaded.Add(1)
				held -= n
				shares[of] -= n
			}
		}
	}
	if held+size > k.most {
		return advice.New(helpMemory, ErrBudget, "%d bytes held, %d more wanted, MaxListMemory allows %d", held, size, k.most)
	}
	return nil
}

// count returns the number, size and entries of the lists in memory.
func (k *keeper) count() (lists, size, entries int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for p, n := range k.held {
		size += n
		for _, l := range p.all() {
			if l.lone == nil {
				lists++
				entries += l.crl.Entries()
			}
		}
	}
	return lists, size, entries
}
