package serials

import "bytes"

// sortRecords sorts records of one width in place, in the order of bytes.Compare. CAs write their
// lists in the order of serial numbers or of revocation.
func sortRecords(records []byte, width int) {
	if !sortedRecords(records, width) {
		sortFrom(records, width, 0)
	}
}

func sortedRecords(records []byte, width int) bool {
	for at := width; at < len(records); at += width {
		if bytes.Compare(records[at-width:at], records[at:at+width]) > 0 {
			return false
		}
	}
	return true
}

// smallSort is the number of records below which insertion sort is faster.
const smallSort = 40

// sortFrom sorts records that agree in their first depth bytes, by American flag sort (McIlroy,
// Bostic, McIlroy 1993). For no input does it make more than width passes.
func sortFrom(records []byte, width, depth int) {
	if depth == width {
		return
	}
	if len(records) <= smallSort*width {
		insertRecords(records, width, depth)
		return
	}
	var next, end [256]int
	for at := depth; at < len(records); at += width {
		end[records[at]] += width
	}
	total := 0
	for value, size := range &end {
		next[value] = total
		total += size
		end[value] = total
	}
	for value := range 256 {
		for next[value] < end[value] {
			at := next[value]
			belongs := records[at+depth]
			if int(belongs) != value {
				swapRecords(records[at:at+width], records[next[belongs]:next[belongs]+width])
			}
			next[belongs] += width
		}
	}
	start := 0
	for _, stop := range &end {
		if stop-start > width {
			sortFrom(records[start:stop], width, depth+1)
		}
		start = stop
	}
}

func insertRecords(records []byte, width, depth int) {
	for from := width; from < len(records); from += width {
		for at := from; at > 0 && bytes.Compare(records[at-width+depth:at], records[at+depth:at+width]) > 0; at -= width {
			swapRecords(records[at-width:at], records[at:at+width])
		}
	}
}

func swapRecords(a, b []byte) {
	var kept [maxPacked]byte
	copy(kept[:], a)
	copy(a, b)
	copy(b, kept[:len(b)])
}
