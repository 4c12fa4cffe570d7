package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Bounds of a document.
const (
	maxDocument = 4 << 20
	maxDepth    = 64
)

// node is one JSON value and where it stands.
type node struct {
	kind    jsontext.Kind // 'n', 't', 'f', '"', '0', '{' or '['
	at, end int           // offsets in the text
	path    string        // "policy.all[1].dnsNames"
	text    string        // of a string, unquoted, or of a number as it is written
	members []member      // of an object, in their order
	items   []*node       // of an array
}

type member struct {
	name  string
	at    int
	value *node
}

func (n *node) member(name string) *node {
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// what names the kind of a value for a mistake.
func (n *node) what() string {
	switch n.kind {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	}
	return "an array"
}

// parseJSON reads one JSON value and nothing behind it. The library refuses duplicate names and
// text that is not UTF-8.
func parseJSON(text []byte) (*node, *Mistake) {
	if len(text) > maxDocument {
		return nil, &Mistake{Text: fmt.Sprintf("%d bytes, want at most %d", len(text), maxDocument)}
	}
	r := &jsonReader{text: text, tokens: jsontext.NewDecoder(bytes.NewReader(text))}
	root, err := r.value("", 0)
	if err == nil {
		if _, err = r.tokens.ReadToken(); errors.Is(err, io.EOF) {
			return root, nil
		}
		if err == nil {
			err = errors.New("text after the end of the document")
		}
	}
	return nil, r.mistake(err)
}

type jsonReader struct {
	text   []byte
	tokens *jsontext.Decoder
	path   string
}

func (r *jsonReader) value(path string, depth int) (*node, error) {
	r.path = path
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	token, err := r.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	n := &node{kind: token.Kind(), path: path}
	n.text = token.String()
	end := int(r.tokens.InputOffset())
	switch n.kind {
	case '{', '[':
		n.at = end - 1
	default:
		n.at = r.start(end)
	}
	switch n.kind {
	case '{':
		for r.tokens.PeekKind() != '}' {
			r.path = path
			name, err := r.tokens.ReadToken()
			if err != nil {
				return nil, err
			}
			m := member{name: name.String(), at: r.start(int(r.tokens.InputOffset()))}
			if m.value, err = r.value(join(path, m.name), depth+1); err != nil {
				return nil, err
			}
			n.members = append(n.members, m)
		}
		_, err = r.tokens.ReadToken()
	case '[':
		for r.tokens.PeekKind() != ']' {
			item, err := r.value(fmt.Sprintf("%s[%d]", path, len(n.items)), depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		_, err = r.tokens.ReadToken()
	}
	r.path = path
	n.end = int(r.tokens.InputOffset())
	return n, err
}

// start returns where the scalar that ends at end begins.
func (r *jsonReader) start(end int) int {
	if r.text[end-1] == '"' {
		for i := end - 2; i >= 0; i-- {
			if r.text[i] != '"' {
				continue
			}
			escapes := 0
			for i-escapes > 0 && r.text[i-escapes-1] == '\\' {
				escapes++
			}
			if escapes%2 == 0 {
				return i
			}
		}
		return 0
	}
	i := end
	for i > 0 && !strings.ContainsRune(" \t\r\n,:[{", rune(r.text[i-1])) {
		i--
	}
	return i
}

func (r *jsonReader) mistake(err error) *Mistake {
	at := int(r.tokens.InputOffset())
	text := err.Error()
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, text = int(syntax.ByteOffset), "not JSON"
		if syntax.Err != nil {
			text += ": " + syntax.Err.Error()
		}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			text = "the member " + quoted(syntax.JSONPointer.LastToken()) + " stands here twice"
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at, text = len(r.text), "the document ends too early"
	}
	m := mistakeAt(r.text, at, r.path, text)
	return &m
}

// position returns line and column, both from 1; the column counts characters.
func position(text []byte, at int) (line, column int) {
	at = min(at, len(text))
	before := text[:at]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
