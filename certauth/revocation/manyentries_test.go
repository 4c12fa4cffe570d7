package revocation_test

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

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
