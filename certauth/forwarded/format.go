package forwarded

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Format is the form in which a header carries certificates. A source reads exactly one
// form and never guesses. The zero value is an error of certauth.New wherever a Format is
// required.
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

	// FormatSpacedPEM is one PEM block in which single spaces replace the line ends. The
	// final space is optional.
	FormatSpacedPEM

	// FormatByteSequence is the Client-Cert field of RFC 9440: a colon, base64 DER, a
	// colon.
	FormatByteSequence
)

// ChainFormat is the form in which a second header, or several numbered headers, carry the
// rest of the chain.
type ChainFormat int

const (
	// ChainUnspecified is the zero value, for no chain header.
	ChainUnspecified ChainFormat = iota

	// ChainByteSequenceList is the Client-Cert-Chain field of RFC 9440. It is the only
	// header that may occupy several lines.
	ChainByteSequenceList

	// ChainBase64Concatenated is one base64 text of concatenated DER certificates.
	ChainBase64Concatenated

	// ChainBase64Numbered is base64 DER in headers NAME_0, NAME_1 and so on, up to the
	// first absent or empty one.
	ChainBase64Numbered

	// ChainSpacedPEMNumbered is spaced PEM in headers NAME0, NAME1 and so on, up to the
	// first that is absent, empty or "(null)".
	ChainSpacedPEMNumbered
)

// decoder returns the decoder of the format.
func (f Format) decoder() (codec, error) {
	switch f {
	case FormatBase64DER:
		return base64Codec(), nil
	case FormatBase64DERList:
		return several(decodeBase64List), nil
	case FormatURLPEM:
		return one(urlPEM1), nil
	case FormatURLPEMChain:
		return several(decodeURLPEMChain), nil
	case FormatSpacedPEM:
		return spacedCodec(), nil
	case FormatByteSequence:
		return sequenceCodec(), nil
	case FormatUnspecified:
	}
	return codec{}, errors.New("Format: not set; name the format that the front end is configured to send")
}

// oneOf returns the decoder of the format, or of the first choice if no format is set. A
// preset reads only formats that its front end can write.
func oneOf(f Format, choices ...Format) (codec, []error) {
	if f == FormatUnspecified {
		f = choices[0]
	}
	if !slices.Contains(choices, f) {
		return codec{}, []error{fmt.Errorf("Format: %d is not one that this front end writes", f)}
	}
	decode, err := f.decoder()
	return decode, mistakes.Flatten(err)
}

// chainReader reads the chain forwarded with the leaf.
type chainReader struct {
	format ChainFormat
	name   string // as configured, without a number

	names, keys []string // names of the headers it reads, as configured and canonical
}

// prepared computes the header names once, so that no request has to.
func (c chainReader) prepared() chainReader {
	c.names = c.headers()
	c.keys = nil
	for _, name := range c.names {
		c.keys = append(c.keys, http.CanonicalHeaderKey(name))
	}
	return c
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

// offer adds the texts of the chain to those of the leaf. It refuses repeated and oversized
// headers before anything is decoded or looked up.
func (c chainReader) offer(header http.Header, o *source.Offer) error {
	switch c.format {
	case ChainUnspecified:
		return nil
	case ChainByteSequenceList:
		values := header[c.keys[0]]
		if !hasValue(values) {
			return nil
		}
		if len(values) > maxCertificates {
			return fmt.Errorf("%s: %d lines, want at most %d", c.name, len(values), maxCertificates)
		}
		size := 0
		for _, value := range values {
			size += len(value) + 1
			o.Add(value)
		}
		if size > maxChainHeader+1 {
			return fmt.Errorf("%s: %d bytes, want at most %d", c.name, size-1, maxChainHeader)
		}
		return nil
	case ChainBase64Concatenated:
		value, err := atMostOne(header, c.keys[0], c.name, maxChainHeader)
		if err == nil && value != "" {
			o.Add(value)
		}
		return err
	case ChainBase64Numbered, ChainSpacedPEMNumbered:
		return c.offerNumbered(header, o)
	}
	return errors.New("chain format is not known")
}

func (c chainReader) offerNumbered(header http.Header, o *source.Offer) error {
	size := 0
	for i := 0; ; i++ {
		value, err := atMostOne(header, c.keys[i], c.names[i], math.MaxInt) // their total is bounded
		if err != nil {
			return err
		}
		if c.format == ChainSpacedPEMNumbered {
			value = trimEnd(value)
		}
		if value == "" || c.format == ChainSpacedPEMNumbered && value == apacheNull {
			return nil
		}
		if i == maxCertificates {
			return fmt.Errorf("%s: more than %d certificates", c.name, maxCertificates)
		}
		if size += len(value); size > maxChainHeader {
			return fmt.Errorf("%s: more than %d bytes in total", c.name, maxChainHeader)
		}
		o.Add(value)
	}
}

// read decodes the texts that offer added. from is the index of the first one.
func (c chainReader) read(o source.Offer, from int) ([]*x509.Certificate, error) {
	if o.Len() == from {
		return nil, nil
	}
	switch c.format {
	case ChainUnspecified:
	case ChainByteSequenceList:
		lines := make([]string, 0, o.Len()-from)
		for i := from; i < o.Len(); i++ {
			lines = append(lines, o.Text(i))
		}
		return wrapName(c.name, decodeByteSequenceList, strings.Join(lines, ","))
	case ChainBase64Concatenated:
		return wrapName(c.name, decodeBase64Concatenated, o.Text(from))
	case ChainBase64Numbered:
		return c.readNumbered(o, from, decodeBase64Along)
	case ChainSpacedPEMNumbered:
		return c.readNumbered(o, from, decodeSpacedPEM)
	}
	return nil, errors.New("chain format is not known")
}

func (c chainReader) readNumbered(o source.Offer, from int, decode func(string) (*x509.Certificate, error)) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for i := from; i < o.Len(); i++ {
		cert, err := wrapName(c.names[i-from], decode, o.Text(i))
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	return certs, nil
}

// wrapName decodes the value of the header and names it in an error.
func wrapName[T any](name string, decode func(string) (T, error), value string) (decoded T, err error) {
	if decoded, err = decode(value); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return decoded, err
}

// maxFlag bounds the headers that accompany a certificate, such as flags and fingerprints.
const maxFlag = 1 << 10

// atMostOne returns the value of a header that may be absent, and must be neither repeated nor
// longer than limit. key is the canonical form of its name.
func atMostOne(header http.Header, key, name string, limit int) (string, error) {
	values := header[key]
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", fmt.Errorf("%s: %d values, want 1", name, len(values))
	case len(values[0]) > limit:
		return "", fmt.Errorf("%s: %d bytes, want at most %d", name, len(values[0]), limit)
	}
	return values[0], nil
}
