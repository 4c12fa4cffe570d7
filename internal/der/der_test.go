package der_test

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/der"
)

func TestRead_TakesOneElement(t *testing.T) {
	long := append([]byte{0x30, 0x82, 0x01, 0x00}, make([]byte, 256)...)
	for name, c := range map[string]struct{ input, content, rest []byte }{
		"empty":               {[]byte{0x30, 0}, []byte{}, []byte{}},
		"with something else": {[]byte{0x0C, 1, 'a', 5, 0}, []byte{'a'}, []byte{5, 0}},
		"the shortest long":   {append([]byte{4, 0x81, 0x80}, make([]byte, 128)...), make([]byte, 128), []byte{}},
		"two length octets":   {long, make([]byte, 256), []byte{}},
		"8 MiB":               {append([]byte{4, 0x83, 0x80, 0, 0}, make([]byte, 8<<20)...), make([]byte, 8<<20), []byte{}},
	} {
		element, rest, ok := der.Read(c.input)
		require.True(t, ok, name)
		assert.Equal(t, c.input[0], element.Tag, name)
		assert.Equal(t, c.content, element.Content, name)
		assert.Equal(t, c.rest, rest, name)
		assert.Equal(t, c.input, append(bytes.Clone(element.Full), rest...), name)
	}
}

// X.690, sections 8.1.3.6 and 10.1: only definite and shortest lengths.
func TestRead_RefusesWhatIsNotDER(t *testing.T) {
	for name, input := range map[string][]byte{
		"nothing":             {},
		"a tag alone":         {0x30},
		"content missing":     {0x30, 1},
		"indefinite":          append([]byte{0x30, 0x80}, make([]byte, 256)...),
		"long form for short": append([]byte{0x30, 0x81, 0x7F}, make([]byte, 127)...),
		"a leading zero":      append([]byte{0x30, 0x82, 0, 0x80}, make([]byte, 128)...),
		"length cut":          {0x30, 0x82, 1},
		"five length octets":  {0x30, 0x85, 1, 1, 1, 1, 1},
		"above 8 MiB":         append([]byte{0x30, 0x83, 0x80, 0, 1}, make([]byte, 8<<20+1)...),
		"too large":           {0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF},
		"a long tag number":   {0x3F, 0x21, 0},
	} {
		_, _, ok := der.Read(input)
		assert.False(t, ok, name)
	}
}

// Everything that is read here, encoding/asn1 reads in the same way, and vice versa except for long
// tag numbers.
func FuzzRead(f *testing.F) {
	for _, seed := range [][]byte{{0x30, 0}, {0x0C, 1, 'a', 5}, {4, 0x81, 0x80}, {0x30, 0x80}, {0x1F, 0x21, 0}, {0x30, 0x84, 0, 0, 0, 1}, {0x30, 0x83, 0x80, 0, 0}} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		element, rest, ok := der.Read(input)
		var raw asn1.RawValue
		asn1Rest, err := asn1.Unmarshal(input, &raw)
		if len(input) > 0 && input[0]&0x1F == 0x1F {
			assert.False(t, ok)
			return
		}
		require.Equal(t, err == nil, ok, "%v", err)
		if !ok {
			return
		}
		assert.Equal(t, raw.FullBytes, element.Full)
		assert.True(t, bytes.Equal(raw.Bytes, element.Content))
		assert.True(t, bytes.Equal(asn1Rest, rest))
		assert.Equal(t, raw.Class, int(element.Tag>>6))
		assert.Equal(t, raw.Tag, int(element.Tag&der.NumberMask))
		assert.Equal(t, raw.IsCompound, element.Tag&der.Constructed != 0)
	})
}
