package pins

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
)

// Set is a sorted, packed list of digests, with 32 bytes for each. A long list has an index by the
// first bits, so that a look-up reads two places in memory instead of twenty. The zero value is empty.
type Set struct {
	size   int
	count  int
	packed []byte
	shift  int      // of the first four bytes, to get the place in the index
	index  []uint32 // position of the first pin with these bits; one more entry at the end
}

// many is the number of pins from which on there is an index, with one entry for four to eight
// pins.
const many = 64

func (s *Set) makeIndex() {
	n := s.count
	if n < many {
		return
	}
	width := bits.Len(uint(n)) - 3
	s.shift = 32 - width
	s.index = make([]uint32, 1<<width+1)
	for i := range n {
		s.index[s.beginning(s.packed[i*s.size:])+1] = uint32(i + 1)
	}
	for i := 1; i < len(s.index); i++ {
		s.index[i] = max(s.index[i], s.index[i-1])
	}
}

func (s *Set) beginning(pin []byte) uint32 { return binary.BigEndian.Uint32(pin) >> s.shift }

// maxMistakes bounds how many mistakes of one list are reported: a whole file may be of another kind.
const maxMistakes = 100

// NewSet parses pins. The mistakes begin with at, the place of the list, and the number of the pin. An
// empty list is one.
func NewSet(kind Kind, at string, list []string) (Set, []error) {
	var mistakes []error
	pins := make([][]byte, 0, len(list))
	for i, text := range list {
		if len(mistakes) == maxMistakes {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: not looked at, like the %d after it", at, i, len(list)-i-1))
			break
		}
		pin, err := Parse(kind, text)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s[%d]: %w", at, i, err))
			continue
		}
		pins = append(pins, pin)
	}
	if len(list) == 0 {
		mistakes = append(mistakes, fmt.Errorf("%s: empty", at))
	}
	return Pack(kind.Size, pins), mistakes
}

// Pack makes a set of digests of this size.
func Pack(size int, pins [][]byte) Set {
	slices.SortFunc(pins, bytes.Compare)
	pins = slices.CompactFunc(pins, bytes.Equal)
	set := Set{size: size, count: len(pins), packed: bytes.Join(pins, nil)}
	set.makeIndex()
	return set
}

// Len returns the number of different digests.
func (s *Set) Len() int { return s.count }

// Contains reports whether a digest is in the set. A digest of another size is not.
func (s *Set) Contains(pin []byte) bool {
	if len(pin) != s.size || s.count == 0 {
		return false
	}
	low, high := 0, s.count
	if s.index != nil {
		at := s.beginning(pin)
		low, high = int(s.index[at]), int(s.index[at+1])
	}
	// The first bytes of a digest, which are evenly distributed, select the place; all bytes are
	// compared.
	first := binary.BigEndian.Uint64(pin)
	for low < high {
		middle := int(uint(low+high) >> 1)
		known := s.packed[middle*s.size : (middle+1)*s.size]
		switch front := binary.BigEndian.Uint64(known); {
		case front < first:
			low = middle + 1
		case front > first:
			high = middle
		default:
			switch bytes.Compare(known, pin) {
			case 0:
				return true
			case -1:
				low = middle + 1
			default:
				high = middle
			}
		}
	}
	return false
}
