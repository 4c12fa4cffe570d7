package serials

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spreads are ways in which CAs number their certificates, and unfavourable ones.
var spreads = map[string]func(random *rand.Rand, record []byte, i int){
	"at random": func(random *rand.Rand, record []byte, _ int) {
		for i := range record {
			record[i] = byte(random.Uint32())
		}
	},
	"counting up": func(_ *rand.Rand, record []byte, i int) { count(record, i) },
	"counting down": func(_ *rand.Rand, record []byte, i int) {
		count(record, 1<<20-i)
	},
	"the same beginning": func(random *rand.Rand, record []byte, _ int) {
		for i := range record {
			record[i] = 0x61
			if i >= len(record)/2 {
				record[i] = byte(random.Uint32())
			}
		}
	},
	"the same end": func(random *rand.Rand, record []byte, _ int) {
		clear(record)
		record[0] = byte(random.Uint32())
	},
	"two heaps far apart": func(random *rand.Rand, record []byte, i int) {
		count(record, random.IntN(1<<16))
		record[0] = byte(i%2) * 0xFF
	},
	"few values": func(random *rand.Rand, record []byte, _ int) { count(record, random.IntN(3)) },
	"all alike":  func(_ *rand.Rand, record []byte, _ int) { count(record, 77) },
	"one stands apart": func(_ *rand.Rand, record []byte, i int) {
		count(record, i)
		if i == 0 {
			record[0] = 0xFF
		}
	},
}

// count writes the number to the last octets.
func count(record []byte, n int) {
	clear(record)
	for i := len(record) - 1; i >= 0 && n > 0; i, n = i-1, n>>8 {
		record[i] = byte(n)
	}
}

// The numbers of the set are found, no others are, and the records end up sorted.
func TestSerialSet_AnySpread(t *testing.T) {
	for name, write := range spreads {
		t.Run(name, func(t *testing.T) {
			for _, width := range []int{1, 2, 3, 7, 8, 9, 12, 16, 17, 20, 24, 25, 40} {
				for _, n := range []int{1, 2, 15, 16, 17, smallSort, smallSort + 1, 300, 5000} {
					random := rand.New(rand.NewPCG(uint64(width), uint64(n)))
					var counted Count
					records, known := make([][]byte, n), map[string]bool{}
					for i := range records {
						records[i] = make([]byte, width)
						write(random, records[i], i)
						counted.Add(records[i])
						known[string(records[i])] = true
					}
					fill := NewBuilder(&counted)
					for _, record := range records {
						fill.Add(record)
					}
					set := fill.Done()
					checkTable(t, &set, records)
					for _, record := range records {
						if !set.Has(record) {
							t.Fatalf("%x is not found among %d", record, n)
						}
						other := bytes.Clone(record)
						other[random.IntN(width)] ^= 1 << random.IntN(8)
						if set.Has(other) != known[string(other)] {
							t.Fatalf("%x, beside %x among %d", other, record, n)
						}
					}
					for _, end := range [][]byte{make([]byte, width), bytes.Repeat([]byte{0xFF}, width)} {
						require.Equal(t, known[string(end)], set.Has(end), "%x among %d", end, n)
					}
					require.False(t, set.Has(append(records[0], 0)))
					require.False(t, set.Has(records[0][1:]))
				}
			}
		})
	}
}

// checkTable checks that the only table has the same records, in the order of package bytes.
func checkTable(t *testing.T, set *Set, records [][]byte) {
	t.Helper()
	if len(records[0]) > maxPacked {
		require.Empty(t, set.tables)
		return
	}
	require.Len(t, set.tables, 1)
	want := slices.Clone(records)
	slices.SortFunc(want, bytes.Compare)
	require.True(t, bytes.Equal(bytes.Join(want, nil), set.tables[0].records), "not sorted")
	groups := 4 * len(set.tables[0].starts)
	require.LessOrEqual(t, groups, len(records)/2+8, "the groups take more than half a byte per number")
	require.Equal(t, set.size, len(records)*len(records[0])+groups)
}

// A list has numbers of all lengths. They do not displace each other, and the estimated size of the
// set covers them.
func TestSerialSet_AllLengthsTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	var records [][]byte
	for width := 1; width <= 40; width++ {
		for range 30 {
			record := make([]byte, width)
			spreads["at random"](random, record, 0)
			records = append(records, record)
		}
	}
	random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	var counted Count
	known, sum := map[string]bool{}, 0
	for _, record := range records {
		counted.Add(record)
		known[string(record)] = true
		sum += len(record)
	}
	fill := NewBuilder(&counted)
	for _, record := range records {
		fill.Add(record)
	}
	set := fill.Done()
	for _, record := range records {
		require.True(t, set.Has(record), "%x", record)
		other := bytes.Clone(record)
		other[random.IntN(len(other))] ^= 1 << random.IntN(8)
		require.Equal(t, known[string(other)], set.Has(other), "%x", other)
	}
	const header = 16 // of a string, in the map of the long ones
	assert.GreaterOrEqual(t, set.Size(), sum+header*30*(40-maxPacked))
}

// An empty set contains no number of any length.
func TestSerialSet_Empty(t *testing.T) {
	empty := NewBuilder(&Count{}).Done()
	for _, set := range []Set{{}, empty} {
		for length := range 40 {
			assert.False(t, set.Has(make([]byte, length)), length)
		}
		assert.Zero(t, set.size)
	}
}

// BenchmarkSortRecords shows that every order needs only a few passes.
func BenchmarkSortRecords(b *testing.B) {
	const n, width = 100_000, 16
	for name, write := range spreads {
		random := rand.New(rand.NewPCG(1, 1))
		records := make([]byte, n*width)
		for i := range n {
			write(random, records[i*width:(i+1)*width], i)
		}
		b.Run(fmt.Sprintf("100k/%s", name), func(b *testing.B) {
			scratch := make([]byte, len(records))
			for b.Loop() {
				copy(scratch, records)
				sortRecords(scratch, width)
			}
		})
	}
}
