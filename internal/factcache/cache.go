// Package factcache remembers what is known of certificates: bounded, flood-proof, and without a
// lock for a look-up. It knows nothing of certificates but what tells them apart.
package factcache

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

const (
	// DefaultSize is how many entries a cache has room for unless told otherwise.
	DefaultSize = 4096
	// MaxSize bounds the size. So many places take 31 megabytes while they are empty, all at
	// once when the first entry is inserted.
	MaxSize = 1 << 20
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

// Slot is the part of an entry that the cache works on. Entries embed it.
type Slot struct {
	// Key is what the entry is remembered for, and Hash its hash. They do not change while
	// the entry is in a cache.
	Key  source.Key
	Hash uint64

	used atomic.Bool // seen since the cache's hand came by
	kept atomic.Bool
}

// Kept reports whether the entry is in a cache.
func (s *Slot) Kept() bool { return s.kept.Load() }

func (s *Slot) slot() *Slot { return s }

// entry is a pointer to what is remembered.
type entry[T any] interface {
	*T
	slot() *Slot
}

// Cache remembers entries of type T. It is bounded and set-associative: a look-up takes no lock
// and compares the whole key; the hash, seeded for each cache, chooses the set and no more.
//
// A newcomer is on probation until it is seen again. However many entries are seen once, those
// seen regularly stay.
type Cache[T any, P entry[T]] struct {
	size int
	ways int // of a set: a cache smaller than one set is one smaller set
	low  int // the first way of the regulars; below it is probation
	seed maphash.Seed
	same func(a, b P) bool                // are of one certificate
	sets atomic.Pointer[[]cacheSet[T, P]] // made for the first entry: an idle cache costs nothing
}

type cacheSet[T any, P entry[T]] struct {
	tags  [cacheWays]atomic.Uint32 // hints; the entries behind them decide
	slots [cacheWays]atomic.Pointer[T]

	mutex    sync.Mutex // of those who insert or move
	newcomer int        // the slot on probation that goes next
	hand     int        // the slot of the regulars that is looked at next
	recent   [recentTags]uint32
	oldest   int
}

// New returns a cache for so many entries: 0 means DefaultSize, and a negative size returns nil,
// for no cache. same reports whether two entries with equal hashes are of one certificate, which
// can come with ever other ones beside it.
func New[T any, P entry[T]](size int, same func(a, b P) bool) *Cache[T, P] {
	if size < 0 {
		return nil
	}
	if size == 0 {
		size = DefaultSize
	}
	ways := min(size, cacheWays)
	return &Cache[T, P]{size: size, ways: ways, low: max(1, ways*probationWays/cacheWays), seed: maphash.MakeSeed(), same: same}
}

// Hash returns the hash of an offer.
func (c *Cache[T, P]) Hash(offer *source.Offer) uint64 { return offer.Hash(c.seed) }

func tagOf(hash uint64) uint32 { return uint32(hash&0xFFFF_FFFF) | 1 } // 0 is an empty slot

func setOf[T any, P entry[T]](sets []cacheSet[T, P], hash uint64) *cacheSet[T, P] {
	i, _ := bits.Mul64(hash, uint64(len(sets)))
	return &sets[i]
}

// Find returns the entry that is remembered for exactly this offer, or nil.
func (c *Cache[T, P]) Find(hash uint64, offer *source.Offer) P {
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
		f := P(set.slots[i].Load())
		if f == nil {
			continue
		}
		slot := f.slot()
		if slot.Hash != hash || !offer.Is(slot.Key) {
			continue
		}
		if i >= c.low {
			if !slot.used.Load() {
				slot.used.Store(true)
			}
		} else if set.mutex.TryLock() {
			c.promote(set, i, f)
			set.mutex.Unlock()
		}
		return f
	}
	return nil
}

// promote moves an entry that were seen again from probation to the regulars.
func (c *Cache[T, P]) promote(set *cacheSet[T, P], from int, f P) {
	if P(set.slots[from].Load()) != f || c.ways == c.low {
		return
	}
	to := c.leaving(set)
	left := P(set.slots[to].Load())
	f.slot().used.Store(true)
	set.put(to, f) // first to its new place: whoever searches upwards does not miss it
	set.put(from, left)
}

// leaving picks the place of a regular that was not seen for longest, about: an empty one,
// else the first under the hand that was not used since the hand came by last.
func (c *Cache[T, P]) leaving(set *cacheSet[T, P]) int {
	for i := c.low; i < c.ways; i++ {
		if set.slots[i].Load() == nil {
			return i
		}
	}
	for {
		at := c.low + set.hand
		set.hand = (set.hand + 1) % (c.ways - c.low)
		if !P(set.slots[at].Load()).slot().used.Swap(false) {
			return at
		}
	}
}

func (s *cacheSet[T, P]) put(i int, f P) {
	s.slots[i].Store((*T)(f))
	if f == nil {
		s.tags[i].Store(0)
		return
	}
	s.tags[i].Store(tagOf(f.slot().Hash))
}

// Insert remembers an entry, unless one of the same key is there.
func (c *Cache[T, P]) Insert(f P) {
	sets := c.sets.Load()
	if sets == nil {
		made := make([]cacheSet[T, P], max(1, c.size/cacheWays))
		c.sets.CompareAndSwap(nil, &made)
		sets = c.sets.Load()
	}
	set := setOf(*sets, f.slot().Hash)
	set.mutex.Lock()
	defer set.mutex.Unlock()
	if set.has(f) {
		return
	}
	f.slot().kept.Store(true)
	if at, many := set.crowded(f, c.same); many {
		P(set.slots[at].Load()).slot().kept.Store(false)
		f.slot().used.Store(false)
		set.put(at, f)
		return
	}
	if c.ways == c.low || !set.wasRecent(tagOf(f.slot().Hash)) {
		c.admit(set, f)
		return
	}
	to := c.leaving(set)
	left := P(set.slots[to].Load())
	set.put(to, f)
	if left != nil {
		c.admit(set, left)
	}
}

// admit puts an entry on probation. Who has to leave for them goes to the regulars while there
// is room, and is else forgotten but for its tag.
func (c *Cache[T, P]) admit(set *cacheSet[T, P], f P) {
	at := set.newcomer
	set.newcomer = (set.newcomer + 1) % c.low
	left := P(set.slots[at].Load())
	f.slot().used.Store(false)
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
	left.slot().kept.Store(false)
	set.recent[set.oldest] = tagOf(left.slot().Hash)
	set.oldest = (set.oldest + 1) % recentTags
}

func (s *cacheSet[T, P]) wasRecent(tag uint32) bool {
	for _, recent := range s.recent {
		if recent == tag {
			return true
		}
	}
	return false
}

// crowded reports whether the certificate of an entry has all the places that it may have, and
// which of them goes: one on probation, or the first that was not used lately. All have the
// same hash, since it is over the certificate.
func (s *cacheSet[T, P]) crowded(f P, same func(a, b P) bool) (at int, many bool) {
	n := 0
	for i := range s.slots {
		other := P(s.slots[i].Load())
		if other == nil || other.slot().Hash != f.slot().Hash || !same(f, other) {
			continue
		}
		if n == 0 || P(s.slots[at].Load()).slot().used.Load() && !other.slot().used.Load() {
			at = i
		}
		n++
	}
	return at, n >= leafWays
}

// has reports whether an entry of the same key is in this set.
func (s *cacheSet[T, P]) has(f P) bool {
	for i := range s.slots {
		other := P(s.slots[i].Load())
		if other == nil {
			continue
		}
		if other == f || other.slot().Hash == f.slot().Hash && other.slot().Key.Equal(f.slot().Key) {
			return true
		}
	}
	return false
}

// Len counts what is remembered.
func (c *Cache[T, P]) Len() int {
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
