package certauth

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Only data that is exactly one DER sequence is refused by its digest; other data is refused by the
// parser, which says what is wrong with it.
func TestScreen_LooksAtOneSequenceOnly(t *testing.T) {
	long := func(head string, n int) string { return head + strings.Repeat("x", n) }
	for _, tc := range []struct {
		der  string
		want bool
	}{
		{"", false},
		{"\x30", false},
		{"\x31", false},
		{"\x31\x00", false},
		{"\x30\x00", true},
		{"\x30\x00x", false},
		{"\x30\x01", false},
		{"\x30\x01x", true},
		{long("\x30\x7e", 126), true},
		{long("\x30\x7f", 127), true},
		{long("\x30\x7f", 126), false},
		{long("\x30\x80", 128), false},
		{"\x30\x80", false},
		{"\x30\x81", false},
		{"\x30\x81\x00", false}, // not the shortest length (X.690, section 10.1)
		{long("\x30\x81\x80", 128), true},
		{long("\x30\x82\x01\x00", 256), true},
		{long("\x30\x82\x01\x00", 255), false},
		{long("\x30\x83\x01\x00\x00", 1<<16), true},
		{"\x30\x83\x00\x00", false},
		{"\x30\x84\x00\x00\x00\x00", false},
		{"\x30\x84\x00\x00\x00\x01x", false},
	} {
		assert.Equal(t, tc.want, isOneSequence([]byte(tc.der)), "%.6x, %d bytes", tc.der, len(tc.der))
	}
}
