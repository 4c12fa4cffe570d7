// Package serials holds sets of certificate serial numbers in little more memory than the
// numbers themselves take.
package serials

// maxPacked is the longest serial number, in octets of its INTEGER, that is kept in a
// packed table. RFC 5280, section 4.1.2.2, allows 20; some CAs go a little beyond.
const maxPacked = 24

// Set is a set of serial numbers, exact: the numbers of one length stand one after
// the other in a table, sorted. Beside them there is a quarter to half a byte for each.
type Set struct {
	tables []table             // by width, rising
	long   map[string]struct{} // over maxPacked octets
	size   int                 // bytes held, rather too many
}

// Size is how many bytes of memory the set holds, rather too many.
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

// Count is how many serial numbers of each length there will be; of over maxPacked
// octets at 0, since none is empty.
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
	next   [maxPacked + 1]int // where the next of a length goes
	set    Set
}

// NewBuilder takes all memory at once. No more may be added than was counted.
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

// Add puts one serial number in. It must have been counted.
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

// longOverhead is the most that an entry of the map costs beside the text.
const longOverhead = 76

// Done sorts what was added and returns the set. The Builder must not be used again.
func (f *Builder) Done() Set {
	for i := range f.set.tables {
		t := &f.set.tables[i]
		t.order()
		f.set.size += 4 * cap(t.starts)
	}
	return f.set
}
