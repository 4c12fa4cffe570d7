package certauth

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// defaultCacheSize is how many certificates an [Authenticator] remembers unless
// Config.CacheSize says otherwise.
const defaultCacheSize = 4096

const (
	// maxCacheSize bounds Config.CacheSize. So many places take 31 megabytes while they are
	// empty, all at once when the first certificate is accepted.
	maxCacheSize = 1 << 20
	// cacheWays is how many facts share a set.
	cacheWays = 16
	// probationWays is how many of them are on probation: newcomers displace one another
	// there and nobody else.
	probationWays = 4
	// leafWays is how many of them one leaf may have: a caller can send its certificate with
	// ever other ones, and takes nobody's place but its own.
	leafWays = 4
	// recentTags is how many displaced newcomers a set recognises when they come back.
	recentTags = 64
)

// factCache remembers the facts about certificates that were accepted. It is bounded and
// set-associative: a look-up takes no lock and compares the whole key; the hash, seeded for
// each cache, chooses the set and no more.
//
// A newcomer is on probation until it is seen again. However many certificates are seen
// once, those seen regularly stay.
type factCache struct {
	size int
	ways int // of a set: a cache smaller than one set is one smaller set
	low  int // the first way of the regulars; below it is probation
	seed maphash.Seed
	sets atomic.Pointer[[]cacheSet] // made for the first facts: an idle cache costs nothing
}

type cacheSet struct {
	tags  [cacheWays]atomic.Uint32 // hints; the facts behind them decide
	slots [cacheWays]atomic.Pointer[facts]

	mutex    sync.Mutex // of those who insert or move
	newcomer int        // the slot on probation that goes next
	hand     int        // the slot of the regulars that is looked at next
	recent   [recentTags]uint32
	oldest   int
}

// newFactCache returns nil for a negative size, which remembers nothing.
func newFactCache(size int) *factCache {
	if size < 0 {
		return nil
	}
	if size == 0 {
		size = defaultCacheSize
	}
	ways := min(size, cacheWays)
	return &factCache{size: size, ways: ways, low: max(1, ways*probationWays/cacheWays), seed: maphash.MakeSeed()}
}

func tagOf(hash uint64) uint32 { return uint32(hash&0xFFFF_FFFF) | 1 } // 0 is an empty slot

func setOf(sets []cacheSet, hash uint64) *cacheSet {
	i, _ := bits.Mul64(hash, uint64(len(sets)))
	return &sets[i]
}

// find returns the facts remembered for exactly this key, or nil.
func (c *factCache) find(hash uint64, offer *source.Offer) *facts {
	sets := c.sets.Load()
	if sets == nil {
		return nil
	}
	set := setOf(*sets, hash)
	tag := tagOf(hash)
	for i := range set.slots {
		if set.tags[i].Load() != tag {
			continue
		}
		f := set.slots[i].Load()
		if f == nil || f.hash != hash || !offer.Is(f.key) {
			continue
		}
		if i >= c.low {
			if !f.used.Load() {
				f.used.Store(true)
			}
		} else if set.mutex.TryLock() {
			c.promote(set, i, f)
			set.mutex.Unlock()
		}
		return f
	}
	return nil
}

// promote moves facts that were seen again from probation to the regulars.
func (c *factCache) promote(set *cacheSet, from int, f *facts) {
	if set.slots[from].Load() != f || c.ways == c.low {
		return
	}
	to := c.leaving(set)
	left := set.slots[to].Load()
	f.used.Store(true)
	set.put(to, f) // first to its new place: whoever searches upwards does not miss it
	set.put(from, left)
}

// leaving picks the place of a regular that was not seen for longest, about: an empty one,
// else the first under the hand that was not used since the hand came by last.
func (c *factCache) leaving(set *cacheSet) int {
	for i := c.low; i < c.ways; i++ {
		if set.slots[i].Load() == nil {
			return i
		}
	}
	for {
		at := c.low + set.hand
		set.hand = (set.hand + 1) % (c.ways - c.low)
		if !set.slots[at].Load().used.Swap(false) {
			return at
		}
	}
}

func (s *cacheSet) put(i int, f *facts) {
	s.slots[i].Store(f)
	if f == nil {
		s.tags[i].Store(0)
		return
	}
	s.tags[i].Store(tagOf(f.hash))
}

// insert remembers facts, unless facts of the same key are there.
func (c *factCache) insert(f *facts) {
	sets := c.sets.Load()
	if sets == nil {
		made := make([]cacheSet, max(1, c.size/cacheWays))
		c.sets.CompareAndSwap(nil, &made)
		sets = c.sets.Load()
	}
	set := setOf(*sets, f.hash)
	set.mutex.Lock()
	defer set.mutex.Unlock()
	if set.has(f) {
		return
	}
	f.own()
	f.kept.Store(true)
	if at, many := set.crowded(f); many {
		set.slots[at].Load().kept.Store(false)
		f.used.Store(false)
		set.put(at, f)
		return
	}
	if c.ways == c.low || !set.wasRecent(tagOf(f.hash)) {
		c.admit(set, f)
		return
	}
	to := c.leaving(set)
	left := set.slots[to].Load()
	set.put(to, f)
	if left != nil {
		c.admit(set, left)
	}
}

// admit puts facts on probation. Who has to leave for them goes to the regulars while there
// is room, and is else forgotten but for its tag.
func (c *factCache) admit(set *cacheSet, f *facts) {
	at := set.newcomer
	set.newcomer = (set.newcomer + 1) % c.low
	left := set.slots[at].Load()
	f.used.Store(false)
	set.put(at, f)
	if left == nil {
		return
	}
	for i := c.low; i < c.ways; i++ {
		if set.slots[i].Load() == nil {
			set.put(i, left)
			return
		}
	}
	left.kept.Store(false)
	set.recent[set.oldest] = tagOf(left.hash)
	set.oldest = (set.oldest + 1) % recentTags
}

func (s *cacheSet) wasRecent(tag uint32) bool {
	for _, recent := range s.recent {
		if recent == tag {
			return true
		}
	}
	return false
}

// crowded reports whether the leaf has all the places that it may have, and which of them
// goes: one on probation, or the first that was not used lately. All have the same hash,
// since it is over the leaf.
func (s *cacheSet) crowded(f *facts) (at int, many bool) {
	n := 0
	for i := range s.slots {
		other := s.slots[i].Load()
		if other == nil || other.hash != f.hash || f.leaf == nil || !f.leaf.Equal(other.leaf) {
			continue
		}
		if n == 0 || s.slots[at].Load().used.Load() && !other.used.Load() {
			at = i
		}
		n++
	}
	return at, n >= leafWays
}

// has reports whether facts of the same key are in this set.
func (s *cacheSet) has(f *facts) bool {
	for i := range s.slots {
		if other := s.slots[i].Load(); other != nil && (other == f || other.hash == f.hash && other.key.Equal(f.key)) {
			return true
		}
	}
	return false
}

// len counts what is remembered.
func (c *factCache) len() int {
	if c == nil || c.sets.Load() == nil {
		return 0
	}
	n := 0
	for i := range *c.sets.Load() {
		set := &(*c.sets.Load())[i]
		for j := range set.slots {
			if set.slots[j].Load() != nil {
				n++
			}
		}
	}
	return n
}
