package revocation

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// unusedFor is the time after which a list may be unloaded to make room.
const unusedFor = time.Hour

// loadedList is a verified list in memory, and where it came from. It is immutable.
type loadedList struct {
	crl  *evidence.CRL   // with its delta, if there is one
	base *evidence.CRL   // without the delta
	lone *evidence.Delta // instead of both: a delta among the operator's lists
	by   []*authority    // the CAs that it is of: several if they share a name and a signer
	// lapsed is a newer list or delta that has expired, in whose place this one is: what it revokes for
	// good is not good by this one.
	lapsed *loadedList

	soft                    time.Time // when it is fetched again; zero if it is from a file
	fetched                 time.Time
	url, etag, lastModified string
	deltaMissing            bool
}

func (l *loadedList) edition() evidence.Edition {
	if l.lone != nil {
		return l.lone.Edition()
	}
	return l.base.Edition()
}

func (l *loadedList) size() int {
	switch {
	case l == nil:
		return 0
	case l.lone != nil:
		return l.lone.Size() + l.lapsed.size()
	}
	return l.crl.Size() + l.lapsed.size()
}

// replace notes that the list takes the place of another one, which may be newer if it has expired.
func (l *loadedList) replace(old *loadedList) {
	for _, other := range []*loadedList{old, old.lapsed} {
		if other != nil && other.edition().ThisUpdate.After(cmp.Or(l.lapsed, l).edition().ThisUpdate) {
			l.lapsed = other
		}
	}
}

// isReplacedBy reports whether next can replace the list without loss.
func (l *loadedList) isReplacedBy(next *loadedList) bool {
	if l.lone != nil && next.lone != nil {
		return next.lone.Replaces(l.lone)
	}
	return l.lone == nil && next.lone == nil && l.edition().CheckNewer(next.edition()) == nil
}

// result is what events and statistics report about a fetched list.
func (l *loadedList) result() Result {
	e := l.edition()
	return Result{Status: Good, ThisUpdate: e.ThisUpdate, NextUpdate: e.NextUpdate}
}

// place holds one list at a time: of a distribution point, or of a URL or file of the operator.
type place struct {
	partner  *partner // for which it is fetched
	operated bool     // by the operator: never unloaded to make room
	// The certificates name deltas, but perhaps only some that cannot be fetched, such as by LDAP.
	namesDelta bool
	deltas     []string // URLs

	current atomic.Pointer[loadedList]
	used    atomic.Int64 // Unix seconds
	// newest is the edition of the latest list, kept when the list is unloaded.
	newest atomic.Pointer[evidence.Edition]
}

// keeper keeps all lists within one memory bound.
type keeper struct {
	most    int
	now     func() time.Time
	changed *atomic.Uint64 // changes with every list that is added or removed

	mu       sync.Mutex
	held     map[*place]int
	unloaded atomic.Uint64
}

// put stores a list in its place once there is room. If old is given and is no longer there, put
// does nothing: another list has arrived, whose own reader completes it.
func (k *keeper) put(p *place, next, old *loadedList) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if old != nil && p.current.Load() != old {
		return nil
	}
	if err := k.makeRoom(p, next.size()); err != nil {
		return err
	}
	k.held[p] = next.size()
	p.newest.Store(new(next.edition()))
	p.current.Store(next)
	k.changed.Add(1)
	return nil
}

func (k *keeper) move(from, to *place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	to.current.Store(from.current.Swap(nil))
	k.held[to] = k.held[from]
	delete(k.held, from)
}

func (k *keeper) drop(p *place) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unload(p)
}

func (k *keeper) unload(p *place) {
	p.current.Store(nil)
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
		if known := p.current.Load(); known.lone == nil {
			lists++
			entries += known.crl.Entries()
		}
	}
	return lists, size, entries
}
