package forwarded

import (
	"crypto/x509"
	"strings"
)

// codec reads the header that carries the leaf. If the header holds exactly one
// certificate, its DER is available before it is parsed, so that a pin can refuse it
// without parsing.
type codec struct {
	limit int // of the value, in bytes; a longer value is refused unread
	der   func(value string) ([]byte, error)
	parse func(der []byte) (*x509.Certificate, error)
	all   func(value string) ([]*x509.Certificate, error) // used instead of der if there can be several

	// trims removes trailing spaces and tabs from the value. HTTP/1 removes them, an HTTP/2
	// hop does not, and Apache ends the value with a space.
	trims bool

	// sample returns the part of a value that differs between clients (see source.Offer.SetSample);
	// nil if the value ends with the leaf's signature.
	sample func(value string) string
}

// one reads a header with exactly one certificate.
func one(der func(string) ([]byte, error)) codec {
	return codec{limit: maxLeafHeader, der: der, parse: parseDER}
}

func base64Codec() codec {
	return codec{limit: maxLeafHeader, der: base64DER, parse: parseBase64DER}
}

func sequenceCodec() codec {
	return codec{limit: maxLeafHeader + len("::"), der: byteSequence, parse: parseBase64DER}
}

// several reads a header that may carry more than the leaf. The value begins with the leaf,
// whose serial number is near the start, and ends with a CA certificate that many clients
// share.
func several(decode func(string) ([]*x509.Certificate, error)) codec {
	return codec{limit: maxChainHeader, all: decode, sample: func(value string) string { return value[:min(len(value), 192)] }}
}

// trimEnd removes trailing white space, which is not part of a field value (RFC 9110,
// section 5.5).
func trimEnd(value string) string { return strings.TrimRight(value, " \t") }

// spacedCodec reads PEM with spaces instead of line ends, the last line end included.
func spacedCodec() codec {
	c := one(spacedPEM)
	c.trims = true
	return c
}

// seeError marks an error of see, which does not concern the form of the header.
type seeError struct{ error }

// read decodes the value. If see is not nil it is called with the DER of the leaf first.
func (c codec) read(value string, see func([]byte) error) ([]*x509.Certificate, error) {
	if c.all != nil {
		return c.all(value)
	}
	der, err := c.der(value)
	if err != nil {
		return nil, err
	}
	if see != nil {
		if err := see(der); err != nil {
			return nil, seeError{err}
		}
	}
	cert, err := c.parse(der)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{cert}, nil
}
