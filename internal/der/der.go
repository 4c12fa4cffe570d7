// Package der reads DER one element at a time, without reflection and without allocating. It
// refuses everything that encoding/asn1 refuses.
package der

// Element is one element.
type Element struct {
	// Tag is the identifier octet: class, form and number.
	Tag byte
	// Content is the content of the element and Full the whole element. Both alias the input.
	Content, Full []byte
}

// The identifier octets that occur in names, and the bit masks of an identifier octet.
const (
	OID         = 0x06
	UTF8String  = 0x0C
	Sequence    = 0x30
	Set         = 0x31
	Constructed = 0x20
	ClassMask   = 0xC0
	Context     = 0x80
	NumberMask  = 0x1F
)

// maxLength bounds the content of an element. encoding/asn1 accepts more, but certificates are far
// smaller.
const maxLength = 8 << 20

// Read returns the first element and the rest of the input. ok is false for truncated input, for
// a length that is indefinite, not minimally encoded or above 8 MiB, and for a tag number above
// 30, which does not occur in names.
func Read(input []byte) (element Element, rest []byte, ok bool) {
	if len(input) < 2 || input[0]&NumberMask == NumberMask {
		return Element{}, nil, false
	}
	header, length := 2, int(input[1])
	if length >= 0x80 {
		octets := length & 0x7F
		if octets == 0 || octets > 3 || len(input) < 2+octets {
			return Element{}, nil, false
		}
		length = 0
		for _, c := range input[2 : 2+octets] {
			length = length<<8 | int(c)
		}
		if input[2] == 0 || length < 0x80 || length > maxLength {
			return Element{}, nil, false
		}
		header += octets
	}
	if len(input)-header < length {
		return Element{}, nil, false
	}
	end := header + length
	return Element{Tag: input[0], Content: input[header:end:end], Full: input[:end:end]}, input[end:], true
}
