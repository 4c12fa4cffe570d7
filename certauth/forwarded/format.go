package forwarded

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Format is how a header carries certificates. A source reads exactly one; nothing is
// sniffed. The zero value is an error of certauth.New wherever a Format is asked for.
type Format int

const (
	// FormatUnspecified is the zero value and never valid.
	FormatUnspecified Format = iota

	// FormatBase64DER is one certificate: padded standard base64 of DER on one line.
	FormatBase64DER

	// FormatBase64DERList is base64 DER items joined by bare commas, leaf first.
	FormatBase64DERList

	// FormatURLPEM is one certificate in percent-encoded PEM. A plus sign is literal.
	FormatURLPEM

	// FormatURLPEMChain is up to ten certificates in percent-encoded PEM, leaf first.
	FormatURLPEMChain

	// FormatSpacedPEM is one PEM block whose line ends became single spaces.
	FormatSpacedPEM

	// FormatByteSequence is the Client-Cert field of RFC 9440: a colon, base64 DER, a
	// colon.
	FormatByteSequence
)

// ChainFormat is how a second header, or several numbered ones, carry the rest of the
// chain.
type ChainFormat int

const (
	// ChainUnspecified is the zero value, for no chain header.
	ChainUnspecified ChainFormat = iota

	// ChainByteSequenceList is the Client-Cert-Chain field of RFC 9440; the only header
	// that may stand on several lines.
	ChainByteSequenceList

	// ChainBase64Concatenated is one base64 text of DER certificates one behind the other.
	ChainBase64Concatenated

	// ChainBase64Numbered is base64 DER in headers NAME_0, NAME_1 and so on, up to the
	// first that is absent or empty.
	ChainBase64Numbered

	// ChainSpacedPEMNumbered is spaced PEM in headers NAME0, NAME1 and so on, up to the
	// first that is absent, empty or "(null)".
	ChainSpacedPEMNumbered
)

// decoder returns what a format reads: the leaf first.
func (f Format) decoder() (func(string) ([]*x509.Certificate, error), error) {
	switch f {
	case FormatBase64DER:
		return single(decodeBase64DER), nil
	case FormatBase64DERList:
		return decodeBase64List, nil
	case FormatURLPEM:
		return decodeURLPEM, nil
	case FormatURLPEMChain:
		return decodeURLPEMChain, nil
	case FormatSpacedPEM:
		return single(decodeSpacedPEM), nil
	case FormatByteSequence:
		return single(decodeByteSequence), nil
	case FormatUnspecified:
	}
	return nil, errors.New("Format: not set; one header has one format")
}

// oneOf returns the decoder of the format, or of the first choice if it is not set. A
// preset reads only what its front end can write.
func oneOf(f Format, choices ...Format) (func(string) ([]*x509.Certificate, error), []error) {
	if f == FormatUnspecified {
		f = choices[0]
	}
	if !slices.Contains(choices, f) {
		return nil, []error{fmt.Errorf("Format: %d is not one that this front end writes", f)}
	}
	decode, err := f.decoder()
	if err != nil {
		return nil, []error{err}
	}
	return decode, nil
}

var errChainNumbered = errors.New("ChainNumbered: set without ChainHeader")

func single(decode func(string) (*x509.Certificate, error)) func(string) ([]*x509.Certificate, error) {
	return func(value string) ([]*x509.Certificate, error) {
		cert, err := decode(value)
		if err != nil {
			return nil, err
		}
		return []*x509.Certificate{cert}, nil
	}
}

// chainReader reads the chain beside the leaf. present says whether any of it was there.
type chainReader struct {
	format ChainFormat
	name   string // as configured, without a number
}

func (c chainReader) numbered(i int) string {
	if c.format == ChainSpacedPEMNumbered {
		return c.name + strconv.Itoa(i)
	}
	return c.name + "_" + strconv.Itoa(i)
}

func (c chainReader) headers() []string {
	switch c.format {
	case ChainUnspecified:
		return nil
	case ChainByteSequenceList, ChainBase64Concatenated:
		return []string{c.name}
	case ChainBase64Numbered, ChainSpacedPEMNumbered:
	}
	var names []string
	for i := range maxCertificates + 1 {
		names = append(names, c.numbered(i))
	}
	return names
}

func (c chainReader) read(header http.Header) ([]*x509.Certificate, error) {
	switch c.format {
	case ChainUnspecified:
		return nil, nil
	case ChainByteSequenceList:
		values := header[http.CanonicalHeaderKey(c.name)]
		if !offers(values) {
			return nil, nil
		}
		size := 0
		for _, value := range values {
			size += len(value) + 1
		}
		if size > maxChainHeader+1 {
			return nil, fmt.Errorf("%s: %d bytes, want at most %d", c.name, size-1, maxChainHeader)
		}
		return wrapName(c.name, decodeByteSequenceList, strings.Join(values, ","))
	case ChainBase64Concatenated:
		value, err := atMostOne(header, c.name)
		if err != nil || value == "" {
			return nil, err
		}
		return wrapName(c.name, decodeBase64Concatenated, value)
	case ChainBase64Numbered:
		return c.readNumbered(header, decodeBase64DER)
	case ChainSpacedPEMNumbered:
		return c.readNumbered(header, decodeSpacedPEM)
	}
	return nil, errors.New("chain format is not known")
}

func (c chainReader) readNumbered(header http.Header, decode func(string) (*x509.Certificate, error)) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	size := 0
	for i := 0; ; i++ {
		value, err := atMostOne(header, c.numbered(i))
		if err != nil {
			return nil, err
		}
		if value == "" || c.format == ChainSpacedPEMNumbered && value == apacheNull {
			return certs, nil
		}
		if i == maxCertificates {
			return nil, fmt.Errorf("%s: more than %d certificates", c.name, maxCertificates)
		}
		if size += len(value); size > maxChainHeader {
			return nil, fmt.Errorf("%s: more than %d bytes together", c.name, maxChainHeader)
		}
		one, err := wrapName(c.numbered(i), single(decode), value)
		if err != nil {
			return nil, err
		}
		certs = append(certs, one...)
	}
}

func wrapName(name string, decode func(string) ([]*x509.Certificate, error), value string) ([]*x509.Certificate, error) {
	certs, err := decode(value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return certs, nil
}

// atMostOne returns the value of a header that may be absent and must not repeat.
func atMostOne(header http.Header, name string) (string, error) {
	switch values := header[http.CanonicalHeaderKey(name)]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", fmt.Errorf("%s: %d values, want 1", name, len(values))
	}
}
