package evidence_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// manySerials returns positive serial numbers of the given length, in no order.
func manySerials(n, octets int, seed uint64) [][]byte {
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	serials, memory := make([][]byte, n), make([]byte, 0, n*octets+8)
	for i := range serials {
		start := len(memory)
		memory = append(memory, 0x40|byte(random.Uint32())>>2)
		for len(memory) < start+octets {
			memory = binary.LittleEndian.AppendUint64(memory, random.Uint64())
		}
		memory = memory[:start+octets]
		serials[i] = memory[start:]
	}
	return serials
}

// manyEntries writes entries in no order, like a CA that lists them by the time of revocation. Two
// of three have a reason.
func manyEntries(n, octets int) []byte {
	date := ocsptest.UTCAt(now.Add(-2 * day))
	reason := ocsptest.Extensions([]ocsptest.Extension{ocsptest.ReasonCode(4)})
	entries := make([]byte, 0, n*(octets+35))
	for i, serial := range manySerials(n, octets, 1) {
		length := 2 + octets + len(date)
		if i%3 != 0 {
			length += len(reason)
		}
		entries = append(entries, ocsptest.TagSequence, byte(length), ocsptest.TagInteger, byte(octets))
		entries = append(append(entries, serial...), date...)
		if i%3 != 0 {
			entries = append(entries, reason...)
		}
	}
	return entries
}

// bigList returns a list of n entries. The other client is revoked in it, ours is not.
func (s *scene) bigList(t testing.TB, n, octets int) []byte {
	t.Helper()
	l := s.list()
	l.RawEntries = manyEntries(n-1, octets)
	return encode(t, l)
}

// heldMemory returns the memory that the result of makeIt keeps allocated.
func heldMemory[T any](makeIt func() T) (made T, size int) {
	live := func() int {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := live()
	made = makeIt()
	return made, live() - before
}

// Section 10, target 11: at most 24 bytes are kept per entry, and Size reports how many.
func TestCRL_Memory(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t)
	const n = 100_000
	for name, octets := range map[string]int{"8 octets": 8, "16 octets": 16, "20 octets": 20, "24 octets": 24} {
		t.Run(name, func(t *testing.T) {
			list, size := heldMemory(func() *evidence.CRL { return parse(t, s.ca, s.bigList(t, n, octets)) })
			assert.Equal(t, n, list.Entries())
			allowed := max(24, octets+1) * n // RFC 5280 ends at 20 octets
			assert.LessOrEqual(t, size, allowed, "measured")
			assert.LessOrEqual(t, list.Size(), allowed, "Size")
			assert.InEpsilon(t, size, list.Size(), 0.05, "Size is what is measured")
			merged, extra := heldMemory(func() *evidence.CRL { return withDelta(t, list, s, s.delta(7, 8)) })
			assert.Less(t, extra, 16<<10, "a delta shares the list's memory")
			result, err := merged.Lookup(s.other.cert, at(now))
			expect(t, result, err, evidence.Revoked, nil)
			runtime.KeepAlive(list)
		})
	}
}

// No certificate should have a number of more than 20 octets. A list that contains only such
// numbers takes more memory, and Size does not hide this.
func TestCRL_MemoryOfLongSerials(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t)
	for _, octets := range []int{25, 33, 64} {
		for _, n := range []int{5000, 30_000} {
			list, size := heldMemory(func() *evidence.CRL { return parse(t, s.ca, s.bigList(t, n, octets)) })
			assert.LessOrEqual(t, size, list.Size(), "%d of %d octets", n, octets)
			assert.Less(t, list.Size(), 2*size, "%d of %d octets", n, octets)
		}
	}
}

// Building makes a bounded number of allocations, whatever the number of entries.
func TestParseCRL_Allocations(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t)
	for name, n := range map[string]int{"one entry": 1, "1 000 entries": 1000, "100 000 entries": 100_000} {
		der := s.bigList(t, n, 16)
		allocations := testing.AllocsPerRun(3, func() {
			_, err := evidence.ParseCRL(der, s.ca.cert, at(now))
			require.NoError(t, err)
		})
		assert.LessOrEqual(t, allocations, 300.0, name)
	}
}

// A successful lookup allocates nothing.
func TestCRL_LookupAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(shardB)), ocsptest.Point(uri(shardA)))))
	third := makeCert(t, "third", newKey(t), s.ca, asClient, point(uri(shardA)))
	shard := ocsptest.IssuingPoint(uri(shardA), ocsptest.Flag(1))
	l, d := s.list(entryFor(third, hold)), s.delta(7, 8)
	l.RawEntries = manyEntries(10_000, 16)
	l.Extensions, d.Extensions = append(l.Extensions, shard), append(d.Extensions, shard)
	list := parse(t, s.ca, encode(t, l))
	merged := withDelta(t, list, s, d)
	later := at(now.Add(7 * time.Hour)) // the delta has expired by then
	known, err := list.Lookup(s.client.cert, at(now))
	require.NoError(t, err)
	previous := at(now)
	previous.Previous = &known
	listedPoint := makeCert(t, "fourth", newKey(t), s.ca, asClient, point(uri(shardA)))
	r := s.list(entryFor(listedPoint, compromise))
	r.Extensions = append(r.Extensions, shard)
	revoking := parse(t, s.ca, encode(t, r))
	for _, c := range []struct {
		name   string
		list   *evidence.CRL
		of     *identity
		o      evidence.VerifyOptions
		status evidence.Status
	}{
		{"good", list, s.client, at(now), evidence.Good},
		{"on hold", list, third, at(now), evidence.Revoked},
		{"revoked", revoking, listedPoint, at(now), evidence.Revoked},
		{"good, with a delta", merged, s.client, at(now), evidence.Good},
		{"on hold, with a delta", merged, third, at(now), evidence.Revoked},
		{"good, with a delta that has expired", merged, s.client, later, evidence.Good},
		{"good, and known to be", list, s.client, previous, evidence.Good},
	} {
		t.Run(c.name, func(t *testing.T) {
			subject := subjectOf(t, c.of)
			var result evidence.Result
			var err error
			assert.Zero(t, testing.AllocsPerRun(100, func() { result, err = c.list.LookupSubject(&subject, &c.o) }))
			expect(t, result, err, c.status, nil)
		})
	}
	t.Run("good, by Lookup, and the list is for every distribution point", func(t *testing.T) {
		whole, cert := parse(t, s.ca, encode(t, s.list(entryFor(third, hold)))), s.client.cert
		var result evidence.Result
		var err error
		assert.Zero(t, testing.AllocsPerRun(100, func() { result, err = whole.Lookup(cert, at(now)) }))
		expect(t, result, err, evidence.Good, nil)
	})
}

// Case 87: 2 million entries, more than a fetched list has room for, stay within the budget of 64
// MiB for all lists.
func TestParseCRL_TwoMillionEntries(t *testing.T) {
	if (racing || testing.Short()) && os.Getenv("CERTAUTH_EXHAUSTIVE") == "" {
		t.Skip("takes seconds and 300 MB")
	}
	s := newScene(t)
	list := parse(t, s.ca, s.bigList(t, 2_000_000, 16))
	assert.Equal(t, 2_000_000, list.Entries())
	assert.Less(t, list.Size(), 64<<20)
	for of, want := range map[*identity]evidence.Status{s.client: evidence.Good, s.other: evidence.Revoked} {
		result, err := list.Lookup(of.cert, at(now))
		expect(t, result, err, want, nil)
	}
}

// finding R42: for each entry that is no permanent revocation the reader of a list remembered where it is, so that a list
// of holds took several times the memory of any other, which no bound counted.
func TestParseCRL_HoldsTakeNoMoreMemory(t *testing.T) {
	if racing {
		t.Skip("the race detector allocates")
	}
	s := newScene(t)
	taken := func(reason byte) uint64 {
		l := s.list()
		l.RawEntries = bytes.ReplaceAll(manyEntries(20_000, 16), []byte{0x55, 0x1D, 0x15, 4, 3, 0x0A, 1, 4}, []byte{0x55, 0x1D, 0x15, 4, 3, 0x0A, 1, reason})
		der := encode(t, l)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := evidence.ParseCRL(der, s.ca.cert, at(now))
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		return after.TotalAlloc - before.TotalAlloc
	}
	assert.InEpsilon(t, taken(4), taken(6), 0.25)
}
