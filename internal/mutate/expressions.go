package main

import (
	"fmt"
	"go/ast"
	"go/token"
)

// expression returns the text to put around an expression, outermost first.
func (m *maker) expression(e ast.Expr) []around {
	var list []around
	switch up := m.stack[len(m.stack)-2].(type) {
	case *ast.BinaryExpr:
		if id := m.swaps[up]; id != 0 {
			list = append(list, m.flipped(id, e))
		}
	case *ast.SwitchStmt:
		if tag := m.tags[up]; up.Tag == e && tag != "" {
			list = append(list, around{tag + " := ", "; "})
		}
	case *ast.CaseClause:
		// stack: ..., switch, its body, clause, expression
		if of, ok := m.stack[len(m.stack)-4].(*ast.SwitchStmt); ok && m.tags[of] != "" {
			id := m.add(e.Pos(), "case "+m.text(e), "case removed")
			list = append(list, around{fmt.Sprintf("!mutateOn(%d) && %s == (", id, m.tags[of]), ")"})
			if is, _ := m.isBool(e); is {
				return list
			}
		}
	}
	if m.isTarget(e) {
		return list
	}
	if m.isConstant(e) {
		return append(list, m.constant(e)...)
	}
	return append(list, m.boolean(e)...)
}

// boolean negates an expression, or mutates its operator.
func (m *maker) boolean(e ast.Expr) []around {
	is, plain := m.isBool(e)
	if !is || !m.source.info.Types[e].IsValue() {
		return nil
	}
	parent := m.parent()
	switch e := e.(type) {
	case *ast.ParenExpr:
		return nil
	case *ast.BinaryExpr:
		return m.binary(e, parent, plain)
	}
	switch up := parent.(type) {
	case *ast.ExprStmt, *ast.GoStmt, *ast.DeferStmt:
		return nil // not a value
	case *ast.UnaryExpr:
		if up.Op == token.NOT {
			return nil // the same mutant as that of the parent
		}
	case *ast.BinaryExpr:
		if up.Op == token.EQL || up.Op == token.NEQ {
			return nil // as above
		}
	}
	return []around{m.flipped(m.add(e.Pos(), m.text(e), "!("+m.text(e)+")"), e)}
}

// isTarget reports whether the expression is assigned to, has its address taken, or is a field name
// or a key: in these places it has no value that a mutant could change.
func (m *maker) isTarget(e ast.Expr) bool {
	child := ast.Node(e)
	for i := len(m.stack) - 2; i >= 0; i-- {
		switch p := m.stack[i].(type) {
		case *ast.ParenExpr:
			child = p
			continue
		case *ast.AssignStmt:
			for _, left := range p.Lhs {
				if left == child {
					return true
				}
			}
		case *ast.RangeStmt:
			return p.X != child
		case *ast.UnaryExpr:
			return p.Op == token.AND
		case *ast.SelectorExpr, *ast.IncDecStmt, *ast.Field, *ast.SendStmt:
			return true
		case *ast.KeyValueExpr:
			return p.Key == child
		case *ast.ValueSpec:
			for _, name := range p.Names {
				if ast.Node(name) == child {
					return true
				}
			}
		case *ast.FuncDecl, *ast.LabeledStmt, *ast.BranchStmt:
			return true
		case *ast.CallExpr:
			return p.Fun == child
		case *ast.IndexExpr:
			return p.X == child
		}
		return false
	}
	return false
}

// The comparisons for which one value decides differently in the mutant.
var boundary = map[token.Token]struct {
	swapped token.Token
	helper  string
}{
	token.LSS: {token.LEQ, "mutateLess"},
	token.LEQ: {token.LSS, "mutateAtMost"},
	token.GTR: {token.GEQ, "mutateMore"},
	token.GEQ: {token.GTR, "mutateAtLeast"},
}

func (m *maker) binary(e *ast.BinaryExpr, parent ast.Node, plain bool) []around {
	swap := func(to token.Token) string { return m.text(e.X) + " " + to.String() + " " + m.text(e.Y) }
	switch e.Op {
	case token.EQL:
		return []around{m.flipped(m.add(e.OpPos, m.text(e), swap(token.NEQ)), e)}
	case token.NEQ:
		return []around{m.flipped(m.add(e.OpPos, m.text(e), swap(token.EQL)), e)}
	case token.LAND, token.LOR:
		return m.junction(e, parent, swap)
	}
	to, ok := boundary[e.Op]
	if !ok || !plain {
		return nil
	}
	var list []around
	list = append(list, m.flipped(m.add(e.OpPos, m.text(e), "!("+m.text(e)+")"), e))
	if !m.isConstant(e.X) || !m.isConstant(e.Y) {
		id := m.add(e.OpPos, m.text(e), swap(to.swapped))
		list = append(list, around{fmt.Sprintf("%s(%d, ", to.helper, id), ")"})
		at := m.offset(e.OpPos)
		m.edits[m.file].replace(at, at+len(e.Op.String()), ",")
	}
	return list
}

// junction swaps && and ||. By De Morgan's laws three negations suffice, and the right side is
// still evaluated only if the operator requires it. The conditions of if, for and case are also
// negated as a whole.
func (m *maker) junction(e *ast.BinaryExpr, parent ast.Node, swap func(token.Token) string) []around {
	to := token.LOR
	if e.Op == token.LOR {
		to = token.LAND
	}
	var list []around
	switch parent.(type) {
	case *ast.IfStmt, *ast.ForStmt, *ast.CaseClause:
		list = append(list, m.flipped(m.add(e.OpPos, m.text(e), "!("+m.text(e)+")"), e))
	}
	m.swaps[e] = m.add(e.OpPos, m.text(e), swap(to))
	return append(list, m.flipped(m.swaps[e], e))
}
