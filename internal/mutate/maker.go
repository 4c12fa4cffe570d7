package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// maker walks the files of a package and records, for every mutant, the insertions that make it
// selectable. The code is not moved, text is only put around it, so expressions that have side
// effects or may panic are still evaluated once and in order.
type maker struct {
	source  *source
	file    *sourceFile
	stack   []ast.Node
	edits   map[*sourceFile]*edits
	mutants []*mutant
	next    int
	seen    map[string]int
	limits  map[types.Object]*limit
	tags    map[*ast.SwitchStmt]string // how the cases refer to the value of the switch
	swaps   map[*ast.BinaryExpr]int    // the mutants that swap && and ||
}

func newMaker() *maker {
	return &maker{
		edits: map[*sourceFile]*edits{}, next: 1, seen: map[string]int{}, limits: map[types.Object]*limit{},
		tags: map[*ast.SwitchStmt]string{}, swaps: map[*ast.BinaryExpr]int{},
	}
}

// make adds the mutants of a package to the existing ones.
func (m *maker) make(s *source) {
	m.source = s
	for _, file := range s.files {
		m.file = file
		m.findLimits(file.tree)
	}
	for _, file := range s.files {
		m.file = file
		m.edits[file] = &edits{}
		m.walk(file.tree)
	}
}

// walk visits the tree and puts the text that the mutation rules produce around the nodes.
func (m *maker) walk(root ast.Node) {
	var closing [][]string
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			last := len(m.stack) - 1
			left := m.stack[last]
			for _, text := range slices.Backward(closing[last]) {
				m.edits[m.file].closeAt(m.offset(left.End()), text)
			}
			m.stack, closing = m.stack[:last], closing[:last]
			return true
		}
		if m.skipped(n) {
			return false
		}
		m.stack = append(m.stack, n)
		var after []string
		for _, around := range m.around(n) {
			m.edits[m.file].openAt(m.offset(n.Pos()), around.before)
			after = append(after, around.after)
		}
		closing = append(closing, after)
		return true
	})
}

// skipped reports whether the node contains no mutants: imports, declarations of constants and
// types, and code that [maker.openSwitch] has moved.
func (m *maker) skipped(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.VAR
	case ast.Expr:
		if up, ok := m.top().(*ast.SwitchStmt); ok && n == up.Tag && up.Init != nil && m.tags[up] != "" {
			return true
		}
	}
	switch n.(type) {
	case *ast.ArrayType, *ast.FuncType, *ast.StructType, *ast.InterfaceType, *ast.MapType, *ast.CommentGroup:
		return true
	}
	return false
}

type around struct{ before, after string }

// around returns the text to put around the node, outermost first.
func (m *maker) around(n ast.Node) []around {
	switch n := n.(type) {
	case *ast.SwitchStmt:
		m.openSwitch(n)
		return nil
	case ast.Stmt:
		return m.statement(n)
	case ast.Expr:
		return m.expression(n)
	}
	return nil
}

// function returns the name of the innermost declared function, or of the variable at package
// level.
func (m *maker) function() string {
	for _, n := range slices.Backward(m.stack) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			return functionName(n)
		case *ast.ValueSpec:
			if len(m.stack) > 2 && m.stack[2] == n {
				return "var " + n.Names[0].Name
			}
		}
	}
	return "file"
}

func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return f.Name.Name
	}
	of := f.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
			continue
		case *ast.IndexExpr:
			of = t.X
			continue
		case *ast.IndexListExpr:
			of = t.X
			continue
		case *ast.Ident:
			return t.Name + "." + f.Name.Name
		}
		return f.Name.Name
	}
}

// top returns the last node on the stack.
func (m *maker) top() ast.Node {
	if len(m.stack) == 0 {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// parent returns the node above the current one, ignoring parentheses. It is called while the
// current node is on the stack.
func (m *maker) parent() ast.Node {
	for _, n := range slices.Backward(m.stack[:len(m.stack)-1]) {
		if _, ok := n.(*ast.ParenExpr); !ok {
			return n
		}
	}
	return nil
}

func (m *maker) offset(at token.Pos) int { return m.source.fset.Position(at).Offset }

func (m *maker) text(n ast.Node) string {
	return string(m.file.text[m.offset(n.Pos()):m.offset(n.End())])
}

func (m *maker) typeOf(e ast.Expr) types.Type { return m.source.info.Types[e].Type }

func (m *maker) isConstant(e ast.Expr) bool { return m.source.info.Types[e].Value != nil }

// isBool also reports whether the type is bool itself and not a defined type.
func (m *maker) isBool(e ast.Expr) (is, plain bool) {
	t := m.typeOf(e)
	if t == nil {
		return false, false
	}
	basic, ok := t.Underlying().(*types.Basic)
	if !ok || basic.Info()&types.IsBoolean == 0 {
		return false, false
	}
	_, plain = types.Unalias(t).(*types.Basic)
	return true, plain
}

// flipped puts a boolean expression behind the switch of a mutant that negates it.
func (m *maker) flipped(id int, e ast.Expr) around {
	if _, plain := m.isBool(e); plain {
		return around{fmt.Sprintf("(mutateOn(%d) != (", id), "))"}
	}
	return around{fmt.Sprintf("(mutateOn(%d) != bool(", id), "))"}
}

// edits collects insertions and replacements by offset. At one offset, closing text comes first,
// inner before outer, then opening text, outer before inner. This is the order in which the walk
// reaches them.
type edits struct {
	opens, closes, replaced []edit
}

type edit struct {
	at, end int
	text    string
}

func (e *edits) openAt(at int, text string)  { e.opens = append(e.opens, edit{at, at, text}) }
func (e *edits) closeAt(at int, text string) { e.closes = append(e.closes, edit{at, at, text}) }

func (e *edits) replace(at, end int, text string) {
	e.replaced = append(e.replaced, edit{at, end, text})
}

// apply returns the text with all edits applied.
func (e *edits) apply(text []byte) []byte {
	all := slices.Concat(e.closes, e.opens, e.replaced)
	slices.SortStableFunc(all, func(a, b edit) int { return a.at - b.at })
	var out strings.Builder
	at := 0
	for _, one := range all {
		if one.at > at {
			out.Write(text[at:one.at])
			at = one.at
		}
		out.WriteString(one.text)
		at = max(at, one.end)
	}
	out.Write(text[at:])
	return []byte(out.String())
}
