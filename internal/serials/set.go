package revocation

// maxPacked is the longest serial number, in octets of its INTEGER, that is kept in a
// packed table. RFC 5280, section 4.1.2.2, allows 20; some CAs go a little beyond.
const maxPacked = 24

// serialSet is a set of serial numbers, exact: the numbers of one length stand one after
// the other in a table, sorted. Beside them there is a quarter to half a byte for each.
type serialSet struct {
	tables []serialTable       // by width, rising
	long   map[string]struct{} // over maxPacked octets
	size   int                 // bytes held, rather too many
}

func (s *serialSet) has(serial []byte) bool {
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

// serialCount is how many serial numbers of each length there will be; of over maxPacked
// octets at 0, since none is empty.
type serialCount [maxPacked + 1]int

func (c *serialCount) add(serial []byte) {
	if n := len(serial); n <= maxPacked {
		c[n]++
	} else {
		c[0]++
	}
}

// serialFill is a set under construction.
type serialFill struct {
	memory []byte
	next   [maxPacked + 1]int // where the next of a length goes
	set    serialSet
}

// newSerialFill takes all memory at once. No more may be added than was counted.
func newSerialFill(count *serialCount) *serialFill {
	f := &serialFill{}
	total := 0
	for width := 1; width <= maxPacked; width++ {
		f.next[width] = total
		total += count[width] * width
	}
	f.memory = make([]byte, total)
	for width := 1; width <= maxPacked; width++ {
		if n := count[width]; n > 0 {
			start := f.next[width]
			f.set.tables = append(f.set.tables, serialTable{width: width, records: f.memory[start : start+n*width : start+n*width]})
		}
	}
	f.set.size = cap(f.memory)
	if count[0] > 0 {
		f.set.long = make(map[string]struct{}, count[0])
	}
	return f
}

func (f *serialFill) add(serial []byte) {
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

func (f *serialFill) done() serialSet {
	for i := range f.set.tables {
		t := &f.set.tables[i]
		t.order()
		f.set.size += 4 * cap(t.starts)
	}
	return f.set
}
