package forwarded

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// X-Forwarded-Client-Cert as Envoy documents it (HTTP connection manager, "HTTP header
// manipulation"): elements joined by commas, each of "key=value" pairs joined by
// semicolons. Envoy quotes Cert, Chain and Subject but writes By, URI and DNS without
// quotes, so a client whose URI holds a separator can add pairs and elements
// (envoyproxy/envoy#32945). The rules here make such a value malformed; it never yields
// another identity.

// maxElements bounds the elements of one header; each hop adds one.
const maxElements = 16

// xfccElement holds the relevant parts of one element. Names are not among them, because
// they are taken from the certificate.
type xfccElement struct {
	by         []string
	hash, cert string
	chain      []string        // one text, or in JSON one per certificate
	seen       map[string]bool // keys that may occur once
	json       bool
	pasted     bool // holds a client's name that Envoy did not quote
}

// xfccScanner splits only outside quotes. A quote opens only directly after the equals
// sign and closes only before a separator or the end; within quotes a backslash consumes
// the next byte.
type xfccScanner struct {
	text string
	at   int
}

func (s *xfccScanner) done() bool { return s.at >= len(s.text) }

// checkXFCC refuses text that is too long or not printable ASCII, in either form.
func checkXFCC(value string) error {
	if len(value) > maxChainHeader {
		return fmt.Errorf("%d bytes, want at most %d", len(value), maxChainHeader)
	}
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7E {
			return fmt.Errorf("byte 0x%02x at offset %d", value[i], i)
		}
	}
	return nil
}

func parseXFCC(value string) ([]xfccElement, error) {
	if err := checkXFCC(value); err != nil {
		return nil, err
	}
	if strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{") {
		return nil, errors.New("JSON form, but the text form is configured")
	}
	scanner := &xfccScanner{text: value}
	var elements []xfccElement
	for {
		if len(elements) == maxElements {
			return nil, fmt.Errorf("more than %d elements", maxElements)
		}
		element, more, err := scanner.element()
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(elements), err)
		}
		elements = append(elements, element)
		if !more {
			return elements, nil
		}
	}
}

// element reads pairs up to a comma or the end. One semicolon may follow the last pair, as
// in values from Container Apps.
func (s *xfccScanner) element() (element xfccElement, more bool, err error) {
	for pairs := 0; ; pairs++ {
		if pairs > 0 && (s.done() || s.text[s.at] == ',') {
			break // after a semicolon
		}
		key, value, quoted, err := s.pair()
		if err != nil {
			return xfccElement{}, false, err
		}
		if err := element.set(key, value, quoted); err != nil {
			return xfccElement{}, false, err
		}
		if s.done() || s.text[s.at] == ',' {
			break
		}
		s.at++ // the semicolon
	}
	if s.done() {
		return element, false, nil
	}
	s.at++ // the comma
	return element, true, nil
}

func (s *xfccScanner) pair() (key, value string, quoted bool, err error) {
	start := s.at
	for !s.done() && isAlpha(s.text[s.at]) {
		s.at++
	}
	key = s.text[start:s.at]
	if key == "" || s.done() || s.text[s.at] != '=' {
		return "", "", false, fmt.Errorf("no key and equals sign at offset %d", start)
	}
	s.at++
	if quoted = !s.done() && s.text[s.at] == '"'; quoted {
		value, err = s.quoted()
	} else {
		value, err = s.bare()
	}
	return key, value, quoted, err
}

func (s *xfccScanner) quoted() (string, error) {
	s.at++
	var value []byte
	for !s.done() {
		c := s.text[s.at]
		s.at++
		switch c {
		case '\\':
			if s.done() {
				return "", errors.New("backslash at the end")
			}
			value = append(value, s.text[s.at])
			s.at++
		case '"':
			if !s.done() && s.text[s.at] != ';' && s.text[s.at] != ',' {
				return "", fmt.Errorf("text after a closing quote at offset %d", s.at)
			}
			return string(value), nil
		default:
			value = append(value, c)
		}
	}
	return "", errors.New("quote does not close")
}

func (s *xfccScanner) bare() (string, error) {
	start := s.at
	for !s.done() && s.text[s.at] != ';' && s.text[s.at] != ',' {
		if c := s.text[s.at]; c == '"' || c == ' ' {
			return "", fmt.Errorf("%q within an unquoted value at offset %d", c, s.at)
		}
		s.at++
	}
	return s.text[start:s.at], nil
}

func isAlpha(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// set records one pair. By, URI and DNS may repeat, all other keys may not, and unknown
// keys are refused. Names are not recorded, because they are taken from the certificate.
func (e *xfccElement) set(key, value string, quoted bool) error {
	switch key = strings.ToLower(key); key {
	case "by":
		e.by = append(e.by, value)
		return nil
	case "uri", "dns":
		e.pasted = true // with or without quotes: the values are the client's
		return nil
	case "subject", "issuer":
		e.pasted = e.pasted || !quoted
		return e.once(key)
	case "hash":
		e.hash = value
	case "cert":
		e.cert = value
	case "chain":
		e.chain = []string{value}
	default:
		return fmt.Errorf("key %.16q is not known", key)
	}
	if err := e.once(key); err != nil {
		return err
	}
	if value == "" {
		return fmt.Errorf("%s is empty", key)
	}
	return nil
}

// once refuses a key that has already occurred in the element.
func (e *xfccElement) once(key string) error {
	if e.seen[key] {
		return fmt.Errorf("%.16s occurs twice", key)
	}
	if e.seen == nil {
		e.seen = map[string]bool{}
	}
	e.seen[key] = true
	return nil
}

// certificates decodes the element. Hash ties it to the handshake that Envoy saw: it must
// be the SHA-256 of the leaf.
func (e *xfccElement) certificates() ([]*x509.Certificate, error) {
	if e.hash == "" {
		return nil, errors.New("no Hash")
	}
	if e.cert == "" && len(e.chain) == 0 {
		return nil, errors.New("neither Cert nor Chain")
	}
	var certs []*x509.Certificate
	if e.cert != "" {
		leaf, err := e.leaf()
		if err != nil {
			return nil, fmt.Errorf("Cert: %w", err)
		}
		certs = leaf
	}
	if len(e.chain) > 0 {
		chain, err := e.others()
		if err != nil {
			return nil, fmt.Errorf("Chain: %w", err)
		}
		if len(certs) == 1 && !bytes.Equal(certs[0].Raw, chain[0].Raw) {
			return nil, errors.New("Chain does not start with Cert")
		}
		certs = chain
	}
	hash, err := hex.DecodeString(e.hash)
	if sum := sha256.Sum256(certs[0].Raw); err != nil || !bytes.Equal(hash, sum[:]) {
		return nil, errors.New("Hash is not the SHA-256 of the certificate")
	}
	return certs, nil
}

func (e *xfccElement) leaf() ([]*x509.Certificate, error) {
	if !e.json {
		return decodeURLPEM(e.cert)
	}
	return parseBlocks(pemBlocks(e.cert, 1))
}

// others reads the chain, which includes the leaf.
func (e *xfccElement) others() ([]*x509.Certificate, error) {
	if !e.json {
		return decodeURLPEMChain(e.chain[0])
	}
	var ders [][]byte
	for i, text := range e.chain {
		blocks, err := pemBlocks(text, 1)
		if err != nil {
			return nil, fmt.Errorf("certificate %d: %w", i, err)
		}
		ders = append(ders, blocks...)
	}
	return parseBlocks(ders, nil)
}
