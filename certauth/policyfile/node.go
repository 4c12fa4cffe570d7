package policyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits for a document.
const (
	maxDocument = 4 << 20
	maxDepth    = 64
	maxValues   = 1 << 18
)

// node is one JSON value and its position.
type node struct {
	kind    jsontext.Kind // 'n', 't', 'f', '"', '0', '{' or '['
	at, end int           // offsets in the text
	parent  *node         // nil for the document itself
	name    string        // of the member whose value it is
	index   int           // as an item of an array; -1 for a member
	text    string        // of a string, unquoted, or of a number, as written
	members []member      // of an object, in order
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

// path returns its path, such as "policy.all[1].dnsNames". A name that no document has is quoted.
func (n *node) path() string {
	switch {
	case n.parent == nil:
		return ""
	case n.index >= 0:
		return fmt.Sprintf("%s[%d]", n.parent.path(), n.index)
	}
	name := n.name
	if (!nameText.MatchString(name) || looksSecret(name)) && name != "$schema" {
		name = quoted(name)
	}
	if above := n.parent.path(); above != "" {
		return above + "." + name
	}
	return name
}

// what returns the kind of the value, for a mistake.
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

// parseJSON reads exactly one JSON value. The library refuses duplicate names and text that is not
// UTF-8.
func parseJSON(text []byte) (*node, *Mistake) {
	if len(text) > maxDocument {
		return nil, &Mistake{Text: fmt.Sprintf("%d bytes, want at most %d", len(text), maxDocument)}
	}
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		return nil, &Mistake{Text: "this is UTF-16, as Windows PowerShell writes it by > and Out-File; save it as UTF-8"}
	}
	if at, unseen := firstUnseen(text); at >= 0 {
		what := "which a reader does not see; write it as an escape"
		if at == 0 && unseen == '\uFEFF' {
			what = "a byte order mark; save the document as UTF-8 without it"
		}
		m := mistakeAt(text, at, "", fmt.Sprintf("the character %U, %s", unseen, what))
		return nil, &m
	}
	r := &jsonReader{text: text, tokens: jsontext.NewDecoder(bytes.NewReader(text))}
	root, err := r.value(&node{index: -1}, 0)
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

// firstUnseen returns the position of the first character that makes a document look different from
// its content: one that reverses text, has no width, looks like a space, or returns to the beginning
// of the line. It returns -1 if there is none. Bytes that are not UTF-8 are left to the decoder.
func firstUnseen(text []byte) (at int, r rune) {
	last := rune(0)
	for i, r := range string(text) {
		switch {
		case r == '\n' || r == '\t' || r == ' ' || r == '\r' && i+1 < len(text) && text[i+1] == '\n':
		case unicode.In(r, unicode.C, unicode.Z, unicode.Other_Default_Ignorable_Code_Point), r == '\u2800', // a blank of Braille
			unicode.Is(unicode.Variation_Selector, r) && !unicode.IsSymbol(last): // it shows how a symbol looks, and otherwise nothing
			return i, r
		}
		last = r
	}
	return -1, 0
}

type jsonReader struct {
	text   []byte
	tokens *jsontext.Decoder
	place  *node // node that is being read
	values int
}

// value reads the value of n, whose position is known.
func (r *jsonReader) value(n *node, depth int) (*node, error) {
	r.place = n
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	if r.values++; r.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	token, err := r.tokens.ReadToken()
	if err != nil {
		return nil, err
	}
	n.kind, n.text = token.Kind(), token.String()
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
			r.place = n
			name, err := r.tokens.ReadToken()
			if err != nil {
				return nil, err
			}
			m := member{name: name.String(), at: r.start(int(r.tokens.InputOffset()))}
			if m.value, err = r.value(&node{parent: n, name: m.name, index: -1}, depth+1); err != nil {
				return nil, err
			}
			n.members = append(n.members, m)
		}
		_, err = r.tokens.ReadToken()
	case '[':
		for r.tokens.PeekKind() != ']' {
			item, err := r.value(&node{parent: n, index: len(n.items)}, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, item)
		}
		_, err = r.tokens.ReadToken()
	}
	r.place = n
	n.end = int(r.tokens.InputOffset())
	return n, err
}

// start returns the start of the scalar that ends at end.
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
			text += ": " + syntax.Err.Error() + notation(r.text[:at], r.text[at:])
		}
		if errors.Is(err, jsontext.ErrDuplicateName) {
			text = "the member " + quoted(syntax.JSONPointer.LastToken()) + " stands here twice"
		}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		at, text = len(r.text), "the document ends too early"
	}
	m := mistakeAt(r.text, at, r.place.path(), text)
	return &m
}

// notation returns what to do about a text that is not JSON after what comes before it, if that is known.
func notation(before, rest []byte) string {
	behind := bytes.TrimLeft(bytes.TrimPrefix(rest, []byte(",")), " \t\r\n")
	switch {
	case bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("/*")) || bytes.HasPrefix(rest, []byte("#")):
		return "; JSON has no comments, and \"description\" is for them"
	case bytes.HasPrefix(rest, []byte("'")):
		return "; JSON has double quotes"
	case bytes.HasPrefix(rest, []byte(",")) && len(behind) > 0 && strings.IndexByte("}],", behind[0]) >= 0:
		return "; remove the comma after the last member"
	case len(bytes.TrimSpace(before)) == 0:
		return "; a document begins with {, and YAML must be converted"
	}
	return ""
}

// position returns line and column, both from 1; the column counts characters.
func position(text []byte, at int) (line, column int) {
	at = min(at, len(text))
	before := text[:at]
	line = 1 + bytes.Count(before, []byte{'\n'})
	return line, 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
}
