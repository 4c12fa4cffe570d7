package serials

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// table holds sorted serial numbers of one width. The cost of a lookup in a big table is mostly
// access to distant memory, so a lookup first finds the few records with the same leading bits
// and searches only among them.
type table struct {
	width   int
	records []byte

	shared int      // leading octets that all records have in common
	first  uint64   // leading bits of the first record
	shift  int      // records with the same (lead - first) >> shift form a group
	starts []uint32 // start of each group, and the end of the last
}

// groupSize is the approximate size of a group if the numbers are spread evenly.
const groupSize = 16

// order sorts the records, of which there is at least one, and groups them.
func (t *table) order() {
	sortRecords(t.records, t.width)
	n := len(t.records) / t.width
	last := t.record(n - 1)
	for t.shared < t.width && t.records[t.shared] == last[t.shared] {
		t.shared++
	}
	t.first = t.lead(t.record(0))
	span := t.lead(last) - t.first
	t.shift = max(0, bits.Len64(span)-bits.Len(uint(n/groupSize)))
	t.starts = make([]uint32, span>>t.shift+2)
	group := uint64(0)
	for i := range n {
		for of := (t.lead(t.record(i)) - t.first) >> t.shift; group < of; {
			group++
			t.starts[group] = uint32(i)
		}
	}
	t.starts[group+1] = uint32(n) //nolint:gosec // fewer than the bytes of a DER value
}

func (t *table) record(i int) []byte { return t.records[i*t.width : (i+1)*t.width] }

// lead returns the octets after those that all records have in common, as a number.
func (t *table) lead(serial []byte) uint64 {
	var lead [8]byte
	copy(lead[:], serial[t.shared:])
	return binary.BigEndian.Uint64(lead[:])
}

// has requires a serial number of the table's width.
func (t *table) has(serial []byte) bool {
	if !bytes.Equal(serial[:t.shared], t.records[:t.shared]) {
		return false
	}
	group := (t.lead(serial) - t.first) >> t.shift
	if group >= uint64(len(t.starts)-1) { //nolint:gosec // not negative; also true for numbers below the first
		return false
	}
	low, high := int(t.starts[group]), int(t.starts[group+1])
	for low < high {
		middle := low + (high-low)/2
		switch order := bytes.Compare(t.record(middle), serial); {
		case order == 0:
			return true
		case order < 0:
			low = middle + 1
		default:
			high = middle
		}
	}
	return false
}
