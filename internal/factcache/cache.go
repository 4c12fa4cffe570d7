// Package factcache is a bounded cache of facts about certificates. Floods of new certificates do
// not displace known ones, and a look-up takes no lock. The package knows nothing about
// certificates except how to distinguish them.
package factcache

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

const (
	// DefaultSize is the number of entries of a cache whose size is not set.
	DefaultSize = 4096
	// MaxSize bounds the size. An empty cache of this size takes 31 megabytes, which are
	// allocated when the first entry is inserted.
	MaxSize = 1 << 20
	// cacheWays is the number of entries in a set.
	cacheWays = 16
	// probationWays is how many of them are on probation. New entries displace only each other
	// there.
	probationWays = 4
	// leafWays is how many of them one leaf may occupy. A caller can send its certificate with
	// ever new other certificates, but displaces only its own entries.
	leafWays = 4
	// recentTags is how many displaced new entries a set recognises when they are seen again.
	recentTags = 64
)

// Slot is the part of an entry that the cache uses. Entries embed it.
type Slot struct {
	// Key identifies the entry, and Hash is its hash. They do not change while the entry is in a
	// cache.
	Key  source.Key
	Hash uint64

	used atomic.Bool // used since the hand last passed
	kept atomic.Bool
}

// Kept reports whether the entry is in a cache.
func (s *Slot) Kept() bool { return s.kept.Load() }

func (s *Slot) slot() *Slot { return s }

// entry is a pointer to a remembered value.
type entry[T any] interface {
	*T
	slot() *Slot
}

// Cache remembers entries of type T. It is bounded and set-associative. A look-up takes no lock
// and compares the whole key; the hash, seeded for each cache, only chooses the set.
//
// A new entry is on probation until it is used again. Entries that are used regularly therefore
// stay, however many others are used only once.
type Cache[T any, P entry[T]] struct {
	size int
	ways int // ways of a set; a cache smaller than one set has one smaller set
	low  int // index of the first regular entry; those below are on probation
	seed maphash.Seed
	same func(a, b P) bool                // both are of one certificate
	sets atomic.Pointer[[]cacheSet[T, P]] // allocated for the first entry, so that an idle cache costs nothing
}

type cacheSet[T any, P entry[T]] struct {
	tags  [cacheWays]atomic.Uint32 // hints; the entries themselves decide
	slots [cacheWays]atomic.Pointer[T]

	mutex    sync.Mutex // held to insert or move entries
	newcomer int        // the probation slot that is replaced next
	hand     int        // the regular slot that is examined next
	recent   [recentTags]uint32
	oldest   int
}

// New returns a cache for the given number of entries. 0 means DefaultSize; for a negative size
// New returns nil, which is a cache that remembers nothing. same reports whether two entries with
// equal hashes are of one certificate, which can arrive with different other certificates.
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

// Find returns the entry for exactly this offer, or nil.
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

// promote moves an entry that was used again from probation to the regular entries.
func (c *Cache[T, P]) promote(set *cacheSet[T, P], from int, f P) {
	if P(set.slots[from].Load()) != f || c.ways == c.low {
		return
	}
	to := c.leaving(set)
	left := P(set.slots[to].Load())
	f.slot().used.Store(true)
	set.put(to, f) // to its new place first, so that a concurrent look-up, which searches upwards, does not miss it
	set.put(from, left)
}

// leaving chooses the place of a regular entry that has, approximately, not been used for the
// longest time: an empty one, or else the first at the hand that was not used since the hand last
// passed.
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

// Insert remembers an entry, unless there is one with the same key.
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

// admit puts an entry on probation. The entry that it displaces moves to the regular entries
// while there is room, and otherwise is forgotten except for its tag.
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

// crowded reports whether the certificate of an entry already has all the places that it may
// occupy, and which of them to replace: one on probation, or the first that was not used lately.
// All of them have the same hash, because it is computed from the certificate.
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

// Len returns the number of entries.
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
