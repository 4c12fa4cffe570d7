package forwarded

import (
	"crypto/x509"
	"strings"
)

// codec reads the header that carries the leaf. Where that is one certificate and no more,
// its DER is there before it is parsed, so that a pin can refuse it first.
type codec struct {
	limit int // of the value, in bytes; a longer one is refused unread
	der   func(value string) ([]byte, error)
	parse func(der []byte) (*x509.Certificate, error)
	all   func(value string) ([]*x509.Certificate, error) // instead, where there can be several

	// trims takes spaces and tabs off the end of the value. HTTP/1 does so on the way, an
	// HTTP/2 hop does not, and Apache ends the value in one.
	trims bool

	// sample is the part in which one client's value differs from another's (see
	// source.Offer.Spread); nil where the value ends in the leaf's signature.
	sample func(value string) string
}

// one is a header with exactly one certificate.
func one(der func(string) ([]byte, error)) codec {
	return codec{limit: maxLeafHeader, der: der, parse: parseDER}
}

func base64Codec() codec {
	return codec{limit: maxLeafHeader, der: base64DER, parse: parseBase64DER}
}

func sequenceCodec() codec {
	return codec{limit: maxLeafHeader + len("::"), der: byteSequence, parse: parseBase64DER}
}

// several is a header that may carry more than the leaf. It begins with the leaf, which has
// its serial number in front, and ends in a CA certificate that many share.
func several(decode func(string) ([]*x509.Certificate, error)) codec {
	return codec{limit: maxChainHeader, all: decode, sample: func(value string) string { return value[:min(len(value), 192)] }}
}

// values returns the values of the header as they are read. Nothing but spaces is no value
// that a front end sends and stays as it is, malformed.
func (c codec) values(values []string) []string {
	if !c.trims {
		return values
	}
	for i, value := range values {
		if trimmed := trimEnd(value); trimmed != "" && len(trimmed) < len(value) {
			values = append([]string(nil), values...) // the request's own stay as they are
			values[i] = trimmed
		}
	}
	return values
}

// trimEnd takes off what HTTP/1 does not count as part of a field value (RFC 9110,
// section 5.5).
func trimEnd(value string) string { return strings.TrimRight(value, " \t") }

// spacedCodec is PEM with spaces for line ends, in which the last line end is one too.
func spacedCodec() codec {
	c := one(spacedPEM)
	c.trims = true
	return c
}

// seeError marks an error of see, which is not about the form of the header.
type seeError struct{ error }

// read decodes the value. see, if not nil, sees the DER of the leaf first.
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
