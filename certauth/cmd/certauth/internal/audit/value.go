// Package audit finds mistakes in the client certificate configuration of an Azure App Service
// site, in the output of the tools that show or create it.
package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// value is one JSON value and its position.
type value struct {
	any     any // nil, bool, string, json.Number, or nothing for an object or a list
	object  []member
	items   []*value
	isList  bool
	isMap   bool
	file    string
	line    int
	missing bool
}

type member struct {
	name  string
	value *value
}

const maxDepth = 200

// parse reads all JSON values of a text.
func parse(file string, text []byte) ([]*value, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // written by PowerShell's redirection
	r := &reader{file: file, text: text, decoder: json.NewDecoder(bytes.NewReader(text)), line: 1}
	r.decoder.UseNumber()
	var all []*value
	for {
		v, err := r.value(0)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: not JSON: %w", file, r.line, err)
		}
		all = append(all, v)
	}
}

type reader struct {
	file    string
	text    []byte
	decoder *json.Decoder
	at      int // offset up to which lines are counted
	line    int
}

// here returns the line of the end of the last token.
func (r *reader) here() int {
	end := int(r.decoder.InputOffset())
	r.line += bytes.Count(r.text[r.at:end], []byte{'\n'})
	r.at = end
	return r.line
}

func (r *reader) value(depth int) (*value, error) {
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	v := &value{file: r.file, line: r.here()}
	switch token {
	case json.Delim('{'):
		v.isMap = true
		for r.decoder.More() {
			name, err := r.decoder.Token()
			if err != nil {
				return nil, noEOF(err)
			}
			inner, err := r.value(depth + 1)
			if err != nil {
				return nil, noEOF(err)
			}
			text, _ := name.(string)
			v.object = append(v.object, member{text, inner})
		}
		_, err = r.decoder.Token()
	case json.Delim('['):
		v.isList = true
		for r.decoder.More() {
			inner, err := r.value(depth + 1)
			if err != nil {
				return nil, noEOF(err)
			}
			v.items = append(v.items, inner)
		}
		_, err = r.decoder.Token()
	default:
		v.any = token
	}
	return v, noEOF(err)
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// get returns a member by name, ignoring case as ARM does. It never returns nil.
func (v *value) get(path ...string) *value {
	for _, name := range path {
		next := &value{missing: true, file: v.file, line: v.line}
		for _, m := range v.object {
			if strings.EqualFold(m.name, name) {
				next = m.value
			}
		}
		v = next
	}
	return v
}

// known reports whether the value is present, not null, and not an expression of a template.
func (v *value) known() bool {
	if v.missing || v.any == nil && !v.isMap && !v.isList {
		return false
	}
	text, ok := v.any.(string)
	return !ok || !strings.HasPrefix(text, "[") || strings.HasPrefix(text, "[[")
}

func (v *value) text() string {
	switch t := v.any.(type) {
	case string:
		return t
	case json.Number:
		return t.String()
	case bool:
		return fmt.Sprint(t)
	}
	return ""
}

func (v *value) truth() (yes, known bool) {
	if !v.known() {
		return false, false
	}
	switch strings.ToLower(v.text()) {
	case "true", "enabled":
		return true, true
	case "false", "disabled":
		return false, true
	}
	return false, false
}
