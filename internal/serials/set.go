// Package serials holds sets of certificate serial numbers in little more memory than the numbers
// themselves take.
package serials

// maxPacked is the maximum length, in octets of the INTEGER, of a serial number in a packed
// table. RFC 5280, section 4.1.2.2, allows 20; some CAs exceed that slightly.
const maxPacked = 24

// Set is an exact set of serial numbers. Numbers of one length are stored consecutively in a
// sorted table, with an overhead of a quarter to half a byte each.
type Set struct {
	tables []table             // by width, ascending
	long   map[string]struct{} // longer than maxPacked octets
	size   int                 // upper estimate of the memory in bytes
}

// Size returns an upper estimate of the memory that the set takes, in bytes.
func (s *Set) Size() int { return s.size }

// Has reports whether the serial number, the content of a DER INTEGER, is in the set.
func (s *Set) Has(serial []byte) bool {
	if len(serial) > maxPacked {
		_, there := s.long[string(serial)]
		return there
	}
	for i := range s.tables {
		if s.tables[i].width == len(serial) {
			return s.tables[i].has(serial)
		}
	}
	return false
}

// Count holds the number of serial numbers of each length. Index 0 counts those longer than
// maxPacked octets, because no serial number is empty.
type Count [maxPacked + 1]int

// Add counts one serial number.
func (c *Count) Add(serial []byte) {
	if n := len(serial); n <= maxPacked {
		c[n]++
	} else {
		c[0]++
	}
}

// Builder is a set under construction.
type Builder struct {
	memory []byte
	next   [maxPacked + 1]int // position for the next number of a length
	set    Set
}

// NewBuilder allocates all memory at once. No more numbers may be added than were counted.
func NewBuilder(count *Count) *Builder {
	f := &Builder{}
	total := 0
	for width := 1; width <= maxPacked; width++ {
		f.next[width] = total
		total += count[width] * width
	}
	f.memory = make([]byte, total)
	for width := 1; width <= maxPacked; width++ {
		if n := count[width]; n > 0 {
			start := f.next[width]
			f.set.tables = append(f.set.tables, table{width: width, records: f.memory[start : start+n*width : start+n*width]})
		}
	}
	f.set.size = cap(f.memory)
	if count[0] > 0 {
		f.set.long = make(map[string]struct{}, count[0])
	}
	return f
}

// Add adds one serial number, which must have been counted.
func (f *Builder) Add(serial []byte) {
	width := len(serial)
	if width > maxPacked {
		f.set.long[string(serial)] = struct{}{}
		f.set.size += width + longOverhead
		return
	}
	at := f.next[width]
	copy(f.memory[at:at+width], serial)
	f.next[width] = at + width
}

// longOverhead is the maximum overhead of a map entry in addition to the text.
const longOverhead = 76

// Done sorts the numbers and returns the set. The Builder must not be used afterwards.
func (f *Builder) Done() Set {
	for i := range f.set.tables {
		t := &f.set.tables[i]
		t.order()
		f.set.size += 4 * cap(t.starts)
	}
	return f.set
}
