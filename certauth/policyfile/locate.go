package policyfile

import (
	"errors"
	"strconv"
	"strings"
)

// located adds the positions in the document to the mistakes of certauth.New, which have the paths of
// the Go values, such as "Policy.All[1].DNSNames". The document corresponds to them one to one.
//
// below is the node at which the paths begin.
func (doc *Document) located(err error, below *node) Mistakes {
	var mistakes Mistakes
	all := apart(err)
	for _, one := range all[:min(len(all), maxMistakes)] {
		text := strings.TrimPrefix(strings.TrimPrefix(one.Error(), "certauth: "), "revocation: ")
		n, rest := find(below, text)
		m := mistakeAt(doc.text, n.at, n.path(), rest)
		m.value = true
		mistakes = append(mistakes, m)
	}
	return mistakes
}

// Position returns line and column, from 1, of the rule of a certauth.Error in the document, or of
// the deepest part of its path that can be found.
func (doc *Document) Position(rule string) (line, column int) {
	n, _ := find(doc.root, rule)
	return position(doc.text, n.at)
}

// apart splits the result of errors.Join, also below a line that counts the mistakes. Other errors that
// wrap several say more than these.
func apart(err error) []error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		if joined := errors.Join(many.Unwrap()...); joined == nil || joined.Error() != err.Error() {
			return []error{err}
		}
		var all []error
		for _, inner := range many.Unwrap() {
			all = append(all, apart(inner)...)
		}
		return all
	}
	if inner := errors.Unwrap(err); inner != nil {
		if below := apart(inner); len(below) > 1 || below[0] != inner { //nolint:errorlint // the same value
			return below
		}
	}
	return []error{err}
}

// find follows the path at the beginning of a mistake as far as the document contains it.
func find(n *node, text string) (*node, string) {
	rest := text
	for {
		name, after := cutName(rest)
		if name == "" {
			break
		}
		next := step(n, name)
		if next == nil {
			break
		}
		n, rest = next, after
		for {
			if index, after, ok := cutIndex(rest); ok && index < len(n.items) {
				n, rest = n.items[index], after
				continue
			}
			break
		}
		if strings.HasPrefix(rest, "(\"") { // the name of a Named
			if q, err := strconv.QuotedPrefix(rest[1:]); err == nil {
				rest = strings.TrimPrefix(rest[1+len(q):], ")")
			}
		}
		rest = strings.TrimPrefix(rest, ".")
		rest = strings.TrimPrefix(rest, ": ")
	}
	return n, rest
}

// step returns the member with that name, also below members that the Go path omits.
func step(n *node, name string) *node {
	name = strings.TrimSuffix(name, "Options") // the type of revocation.Config.HTTP is HTTPOptions
	for _, m := range n.members {
		if strings.EqualFold(m.name, name) {
			return m.value
		}
	}
	for _, m := range n.members {
		if m.name == "policy" || len(n.members) == 1 {
			for _, inner := range m.value.members {
				if strings.EqualFold(inner.name, name) {
					return inner.value
				}
			}
		}
	}
	return nil
}

func cutName(text string) (name, rest string) {
	i := 0
	for i < len(text) && (text[i] >= 'A' && text[i] <= 'Z' || i > 0 && (text[i] >= 'a' && text[i] <= 'z' || text[i] >= '0' && text[i] <= '9')) {
		i++
	}
	if i < len(text) && !strings.ContainsRune(".[(:", rune(text[i])) {
		return "", text
	}
	return text[:i], text[i:]
}

func cutIndex(text string) (index int, rest string, ok bool) {
	inner, rest, found := strings.Cut(strings.TrimPrefix(text, "["), "]")
	index, err := strconv.Atoi(inner)
	return index, rest, found && strings.HasPrefix(text, "[") && err == nil && index >= 0
}
