package main

import (
	"fmt"
	"go/token"
	"strings"
)

// mutant is one small fault that can be switched on in the instrumented code.
type mutant struct {
	id       int
	file     string // below the module, with slashes
	line     int
	function string // "name", "Type.name", or "const name"
	original string // the text before, in one line
	mutated  string // the text after
	repeated int    // the ordinal among mutants with the same texts in the same function, from 1
}

// key identifies the mutant by its texts and not by its position, so that an entry of the list of
// equivalent mutants survives edits elsewhere in the file.
func (m *mutant) key() string {
	return m.file + ": " + m.function + "\n" + m.change()
}

func (m *mutant) change() string {
	change := m.original + arrow + m.mutated
	if m.repeated > 1 {
		change += fmt.Sprintf(" #%d", m.repeated)
	}
	return change
}

// String identifies the mutant by its position.
func (m *mutant) String() string {
	return fmt.Sprintf("%s:%d: %s\n\t%s", m.file, m.line, m.function, m.change())
}

const arrow = "  =>  "

// add registers a mutant at the position and returns its number; numbers start at 1.
func (m *maker) add(at token.Pos, original, mutated string) int {
	one := &mutant{
		id: m.next, file: m.file.name, line: m.source.fset.Position(at).Line, function: m.function(),
		original: oneLine(original), mutated: oneLine(mutated), repeated: 1,
	}
	m.count(one)
	return one.id
}

func (m *maker) count(one *mutant) {
	m.next++
	key := one.key()
	m.seen[key]++
	one.repeated = m.seen[key]
	m.mutants = append(m.mutants, one)
}

// oneLine joins the fields of a text, and omits the middle of a long one.
func oneLine(text string) string {
	const most, end = 160, 60
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most-end] + " ... " + text[len(text)-end:]
	}
	return text
}
