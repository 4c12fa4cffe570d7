package forwarded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// X-Forwarded-Client-Cert as Envoy writes it with "format: JSON" (envoyproxy/envoy#43855;
// captured from 1.40): an array with one object per hop. The keys are those of the text
// form in lower case. by, uri, dns and chain are arrays of strings, the others strings, and
// PEM is not percent-encoded. A key without a value is left out. There is no white space
// between the tokens, and the relevant values need no escape except for line ends, so each
// value has one spelling.
//
// An Envoy that appends removes the closing bracket of the received header, whatever the
// header holds, and writes a comma and its own object. A client can thereby make the value
// invalid JSON. It cannot make Envoy's object part of a string, because the first quote
// that Envoy writes would end that string, and a bare word would follow.

// parseXFCCJSON is parseXFCC for the JSON form. It reads the tokens one by one, because
// encoding/json would match keys in any case and take the last of several equal keys.
func parseXFCCJSON(value string) ([]xfccElement, error) {
	if err := checkXFCC(value); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(value, "[") {
		return nil, errors.New("not the JSON form, which is configured")
	}
	if at := spaceOutsideStrings(value); at >= 0 {
		return nil, fmt.Errorf("white space at offset %d", at)
	}
	d := xfccTokens{json.NewDecoder(strings.NewReader(value)), value}
	if err := d.delim('['); err != nil {
		return nil, err
	}
	var elements []xfccElement
	for d.More() {
		if len(elements) == maxElements {
			return nil, fmt.Errorf("more than %d elements", maxElements)
		}
		element, err := d.element()
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", len(elements), err)
		}
		elements = append(elements, element)
	}
	if err := d.delim(']'); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the array")
	}
	return elements, nil
}

// spaceOutsideStrings returns the index of the first space outside any string, or -1.
func spaceOutsideStrings(value string) int {
	quoted := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ' ' && !quoted:
			return i
		}
	}
	return -1
}

type xfccTokens struct {
	*json.Decoder

	whole string
}

var errNoJSON = errors.New("not JSON")

// delim reads one bracket or brace.
func (d xfccTokens) delim(want json.Delim) error {
	token, err := d.Token()
	if err != nil {
		return errNoJSON // the decoder's error quotes the client's text
	}
	if token != want {
		return fmt.Errorf("no %q at offset %d", want.String(), d.InputOffset())
	}
	return nil
}

// maxXFCCNames bounds the names of one kind, because each takes memory until it is skipped.
const maxXFCCNames = 1024

// name reads a string whose contents do not matter.
func (d xfccTokens) name() (string, error) {
	token, err := d.Token()
	if err != nil {
		return "", errNoJSON
	}
	text, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("no string at offset %d", d.InputOffset())
	}
	return text, nil
}

// text reads a string that must be escaped as Envoy escapes it.
func (d xfccTokens) text() (string, error) {
	start := d.InputOffset()
	text, err := d.name()
	if err != nil {
		return "", err
	}
	written := strings.TrimLeft(d.whole[start:d.InputOffset()], ",:")
	if written != `"`+strings.ReplaceAll(text, "\n", `\n`)+`"` {
		return "", fmt.Errorf("an escape that Envoy does not write at offset %d", start)
	}
	return text, nil
}

// texts reads an array of such strings.
func (d xfccTokens) texts() (list []string, err error) {
	err = d.array(maxCertificates, func() error {
		text, err := d.text()
		list = append(list, text)
		return err
	})
	return list, err
}

// names reads an array of strings whose contents do not matter.
func (d xfccTokens) names() error {
	return d.array(maxXFCCNames, func() error {
		_, err := d.name()
		return err
	})
}

func (d xfccTokens) array(most int, one func() error) error {
	if err := d.delim('['); err != nil {
		return err
	}
	for n := 0; d.More(); n++ {
		if n == most {
			return fmt.Errorf("more than %d strings in an array", most)
		}
		if err := one(); err != nil {
			return err
		}
	}
	return d.delim(']')
}

// element reads one object.
func (d xfccTokens) element() (xfccElement, error) {
	element := xfccElement{json: true}
	if err := d.delim('{'); err != nil {
		return element, err
	}
	for d.More() {
		key, err := d.text()
		if err == nil {
			err = d.value(&element, key)
		}
		if err != nil {
			return element, err
		}
	}
	return element, d.delim('}')
}

func (d xfccTokens) value(element *xfccElement, key string) (err error) {
	if err := element.once(key); err != nil {
		return err
	}
	switch key {
	case "by":
		element.by, err = d.texts()
	case "chain":
		if element.chain, err = d.texts(); err == nil && len(element.chain) == 0 {
			return errors.New("chain is empty")
		}
	case "uri", "dns": // names are taken from the certificate
		err = d.names()
	case "hash":
		element.hash, err = d.text()
	case "cert":
		if element.cert, err = d.text(); err == nil && element.cert == "" {
			return errors.New("cert is empty")
		}
	case "subject", "issuer":
		_, err = d.name()
	default:
		return fmt.Errorf("key %.16q is not known", key)
	}
	return err
}
