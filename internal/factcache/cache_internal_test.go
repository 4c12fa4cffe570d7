package factcache

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// thing is the type of the remembered entries.
type thing struct{ Slot }

type testCache struct{ *Cache[thing, *thing] }

func newCache(size int) *testCache {
	c := New(size, func(a, b *thing) bool { return a.Key[0] == b.Key[0] })
	if c == nil {
		return nil
	}
	return &testCache{c}
}

// ask looks a text up as a request does and, if it is new, remembers it, as for an accepted
// certificate. It reports whether the text was known. The hash is not the seeded one, so that every
// run is the same.
func (c *testCache) ask(text string) bool {
	p := source.Key{text}.Offer()
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(text))
	hash := sum.Sum64() * 0x9E3779B97F4A7C15 // spreads the hash to the high bits, which choose the set
	if f := c.Find(hash, &p); f != nil {
		return true
	}
	c.Insert(&thing{Slot: Slot{Key: p.Key(), Hash: hash}})
	return false
}

// mongo-go-driver, NATS: unbounded maps.
func TestCache_StaysWithinItsBound(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 15, 16, 17, 31, 100, 1000, 4096, 5000} {
		c := newCache(size)
		for i := range 10 * size {
			c.ask(strconv.Itoa(i))
			c.ask(strconv.Itoa(i)) // seen again, so it is a regular
			if i%size == 0 {
				require.LessOrEqual(t, c.Len(), size)
			}
		}
		assert.Greater(t, c.Len(), size*8/10-16, "size %d", size)
		assert.True(t, c.ask(strconv.Itoa(10*size-1)), "size %d: the last one is there", size)
	}
	assert.Nil(t, newCache(-1))
	assert.Equal(t, DefaultSize, newCache(0).size)
}

// In an LRU under a flood (reproduced), one-shot keys evicted the clients. Here a regular client is
// found at every single visit.
func TestCache_FloodEvictsNobody(t *testing.T) {
	c := newCache(DefaultSize)
	for range 3 {
		for client := range 1000 {
			c.ask("client " + strconv.Itoa(client))
		}
	}
	for i := range 100_000 {
		c.ask("once " + strconv.Itoa(i))
	}
	for client := range 1000 {
		assert.True(t, c.ask("client "+strconv.Itoa(client)), "client %d", client)
	}
}

// flood sends ten one-shot certificates for each visit of a client. It returns the share of visits
// at which the client was known, of all visits and of the last half.
func flood(size, clients, visits int, random *rand.Rand) (all, late float64) {
	c := newCache(size)
	known, knownLate, next := 0, 0, 0
	for visit := range visits {
		if c.ask("client " + strconv.Itoa(random.IntN(clients))) {
			known++
			if visit >= visits/2 {
				knownLate++
			}
		}
		for range 10 {
			next++
			c.ask("once " + strconv.Itoa(next))
		}
	}
	return float64(known) / float64(visits), float64(knownLate) / float64(visits/2)
}

// TestFlood measures clients during a flood of ten times as many accepted certificates that arrive
// only once. The flood starts with the first request, so a client is not known at its first visits;
// these are a small part of all.
func TestFlood(t *testing.T) {
	sizes := []int{64, 1000}
	if raceDetector {
		sizes = sizes[:1]
	}
	for _, clients := range sizes {
		all, late := flood(DefaultSize, clients, 300*clients, rand.New(rand.NewPCG(1, uint64(clients))))
		t.Logf("%d clients: %.2f %% of all visits, %.2f %% of the last half", clients, 100*all, 100*late)
		assert.GreaterOrEqual(t, all, 0.99, "%d clients", clients)
		assert.GreaterOrEqual(t, late, 0.999, "%d clients", clients)
	}
}

// With concurrent readers, inserters and movers, a look-up always returns the entry that was asked
// for.
func TestCache_FindsWhatWasAskedForUnderLoad(t *testing.T) {
	c := newCache(64)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(worker)))
			for range 20_000 {
				text := strconv.Itoa(random.IntN(200))
				p := source.Key{text}.Offer()
				hash := p.Hash(c.seed)
				if f := c.Find(hash, &p); f != nil {
					if f.Key[0] != text {
						t.Errorf("asked for %s, found %s", text, f.Key[0])
					}
					continue
				}
				c.Insert(&thing{Slot: Slot{Key: p.Key(), Hash: hash}})
			}
		})
	}
	group.Wait()
	assert.LessOrEqual(t, c.Len(), 64)
}

// TestMemoryBound inserts a million distinct certificates, of which four thousand stay.
func TestMemoryBound(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("a million certificates")
	}
	c := newCache(DefaultSize)
	before := heap()
	const text = 1068 // the header of a P-256 certificate
	for i := range 1_000_000 {
		c.ask(fmt.Sprintf("%0*d", text, i))
	}
	assert.Equal(t, DefaultSize, c.Len())
	each := float64(heap()-before) / DefaultSize
	t.Logf("%.0f bytes for each, without the certificate itself", each)
	assert.Less(t, each, 2500.0)
	runtime.KeepAlive(c)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A newcomer that returns becomes a regular at once, and the regular that it displaces gets a
// second probation: an entry that is used regularly is still known after that.
func TestCache_RegularThatMakesRoomIsNotForgotten(t *testing.T) {
	c := newCache(cacheWays) // one set
	const regulars = cacheWays - probationWays
	for range 2 {
		for i := range regulars {
			c.ask("regular " + strconv.Itoa(i))
		}
	}
	for i := range probationWays + 1 { // the first of them is displaced by the last
		assert.False(t, c.ask("once "+strconv.Itoa(i)))
	}
	assert.False(t, c.ask("once 0"), "it was forgotten, although it is recognised")
	for i := range regulars {
		assert.True(t, c.ask("regular "+strconv.Itoa(i)), "regular %d", i)
	}
	assert.True(t, c.ask("once 0"))
}

// full returns a cache of one set in which all regulars have been seen twice and the probation
// places are empty.
func full(t *testing.T) *testCache {
	t.Helper()
	c := newCache(cacheWays)
	for range 2 {
		for i := range cacheWays - probationWays {
			c.ask("regular " + strconv.Itoa(i))
		}
	}
	require.Equal(t, cacheWays-probationWays, c.Len())
	return c
}

// places returns the entries of the only set, in order.
func (c *testCache) places() (list []string) {
	set := &(*c.sets.Load())[0]
	for i := range set.slots {
		text := ""
		if f := set.slots[i].Load(); f != nil {
			text = f.Key[0]
		}
		list = append(list, text)
	}
	return list
}

// A look-up of a regular takes no lock: nothing moves.
func TestCache_RegularThatIsSeenStaysInItsPlace(t *testing.T) {
	c := full(t)
	before := c.places()
	set := &(*c.sets.Load())[0]
	set.mutex.Lock() // required to move anything
	for range 3 {
		for i := range cacheWays - probationWays {
			assert.True(t, c.ask("regular "+strconv.Itoa(i)))
		}
	}
	set.mutex.Unlock()
	assert.Equal(t, before, c.places())
	before = c.places()
	for i := range cacheWays - probationWays {
		assert.True(t, c.ask("regular "+strconv.Itoa(i)))
	}
	assert.Equal(t, before, c.places())
	assert.Zero(t, set.hand)
}

// The hand skips a regular that was seen since its last pass, and takes one that was not.
func TestCache_RegularThatWasSeenIsSpared(t *testing.T) {
	c := full(t)
	c.ask("first")
	c.ask("first") // a regular now: the hand has passed all others and taken one
	left := c.places()[:probationWays]
	var seen, unseen string
	for _, text := range c.places()[probationWays:] {
		switch {
		case text == "first":
		case seen == "":
			seen = text
		case unseen == "":
			unseen = text
		}
	}
	require.NotContains(t, left, seen)
	assert.True(t, c.ask(seen))
	c.ask("second")
	c.ask("second")
	assert.Contains(t, c.places()[probationWays:], seen)
	assert.NotContains(t, c.places()[probationWays:], unseen)
}

// One leaf sent with ever new other certificates has four places, and the fifth entry takes one of
// those four.
func TestCache_OneLeafHasFourPlaces(t *testing.T) {
	c := newCache(cacheWays)
	var all []*thing
	insert := func(beside string) (remembered int) {
		p := source.Key{"leaf"}.Offer()
		p.Add(beside)
		all = append(all, &thing{Slot: Slot{Key: p.Key(), Hash: 1}})
		c.Insert(all[len(all)-1])
		for _, one := range all {
			if one.Kept() {
				remembered++
			}
		}
		return remembered
	}
	for i := range 4 {
		assert.Equal(t, i+1, insert(strconv.Itoa(i)))
		assert.Equal(t, i+1, c.Len())
	}
	for i := range 100 {
		assert.Equal(t, 4, insert("more "+strconv.Itoa(i)), "Kept")
		assert.Equal(t, 4, c.Len())
	}
	assert.True(t, all[1].Kept() && all[2].Kept() && all[3].Kept(), "the newcomers must share the place of the first")
}

// Of one leaf's entries, the first that was not used lately is replaced.
func TestCache_OneLeafsUsedPlacesAreSpared(t *testing.T) {
	c := newCache(cacheWays)
	var leaf []*thing
	see := func(i int) {
		p := source.Key{"leaf"}.Offer()
		p.Add(strconv.Itoa(i))
		if c.Find(1, &p) == nil {
			leaf = append(leaf, &thing{Slot: Slot{Key: p.Key(), Hash: 1}})
			c.Insert(leaf[i])
		}
	}
	twice := func(text string) { c.ask(text); c.ask(text) }
	twice("first")
	for i := range 4 {
		see(i)
		see(i)
	}
	for i := range 7 {
		twice("other " + strconv.Itoa(i))
	}
	twice("last") // the hand has passed all of them and taken the first
	require.NotContains(t, c.places()[probationWays:], "first")
	see(0)
	see(4)
	for i, kept := range []bool{true, false, true, true, true} {
		assert.Equal(t, kept, leaf[i].Kept(), i)
	}
}

// A key has one entry even if several requests insert it, and a forgotten entry knows that it is
// forgotten.
func TestCache_KeepsWhatItSays(t *testing.T) {
	c := newCache(cacheWays)
	var all []*thing
	kept := func() (n int) {
		for _, one := range all {
			if one.Kept() {
				n++
			}
		}
		return n
	}
	for i := range 100 {
		p := source.Key{strconv.Itoa(i)}.Offer()
		for range 2 {
			all = append(all, &thing{Slot: Slot{Key: p.Key(), Hash: p.Hash(c.seed)}})
			c.Insert(all[len(all)-1])
			assert.Equal(t, min(i+1, cacheWays), c.Len())
			assert.Equal(t, c.Len(), kept())
		}
		c.Insert(all[len(all)-1])
		assert.Equal(t, c.Len(), kept())
	}
}

// An entry that was seen once and found room among the regulars is not a regular yet: entries that
// were seen twice stay.
func TestCache_NewcomersAmongTheRegularsGoFirst(t *testing.T) {
	c := newCache(cacheWays)
	c.ask("seen")
	c.ask("seen")
	for i := range cacheWays - 1 {
		c.ask("once " + strconv.Itoa(i))
	}
	require.Equal(t, cacheWays, c.Len())
	c.ask("also seen")
	c.ask("also seen")
	assert.Contains(t, c.places()[probationWays:], "seen")
	assert.Contains(t, c.places()[probationWays:], "also seen")
}

// An entry that was used while on probation counts as used lately: the hand spares it once, and
// passes all others before it returns.
func TestCache_NewRegularIsSparedOnce(t *testing.T) {
	c := newCache(cacheWays)
	const regulars = cacheWays - probationWays
	for i := range cacheWays + 20 { // the first become regulars because there is room, and are never seen again
		c.ask("once " + strconv.Itoa(i))
	}
	c.ask("promoted")
	c.ask("promoted")
	for i := range regulars { // forgotten ones return and take the places of regulars
		back := "once " + strconv.Itoa(regulars+i)
		require.False(t, c.ask(back))
		assert.Contains(t, c.places()[probationWays:], back)
		assert.Contains(t, c.places()[probationWays:], "promoted", "after %d others", i)
	}
	assert.NotContains(t, c.places()[probationWays:], "once "+strconv.Itoa(regulars), "the first that returned must be replaced instead")
}

// A set recognises the last 64 entries that it has forgotten, and makes them regulars when they
// return. The one before them is a newcomer again.
func TestCache_RecognisesSixtyFourForgotten(t *testing.T) {
	for more, want := range []bool{true, false} {
		c := full(t)
		for i := range probationWays + 64 + more { // more forgotten entries than there are places for tags
			assert.False(t, c.ask("once "+strconv.Itoa(i)))
		}
		assert.False(t, c.ask("once 0"), "it was forgotten")
		if want {
			assert.Contains(t, c.places()[probationWays:], "once 0")
		} else {
			assert.NotContains(t, c.places()[probationWays:], "once 0")
		}
	}
}
