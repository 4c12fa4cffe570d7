package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// statement returns the text to put around a statement: a switch that drops it, or an earlier
// return without the error.
func (m *maker) statement(n ast.Stmt) []around {
	switch up := m.top2().(type) {
	case *ast.BlockStmt, *ast.CaseClause:
	case *ast.CommClause:
		if n == up.Comm {
			return nil // the communication of a select
		}
	default:
		return nil // the init or post statement of an if or a for, where no block is allowed
	}
	switch n := n.(type) {
	case *ast.ReturnStmt:
		return m.returned(n)
	case *ast.IncDecStmt:
		return m.dropped(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE && !allBlank(n.Lhs) {
			return m.dropped(n)
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !m.decidesNothing(call) {
			return m.dropped(n)
		}
	}
	return nil
}

func (m *maker) dropped(n ast.Stmt) []around {
	id := m.add(n.Pos(), m.text(n), "dropped")
	return []around{{fmt.Sprintf("if !mutateOn(%d) { ", id), " }"}}
}

func allBlank(list []ast.Expr) bool {
	for _, e := range list {
		if name, ok := e.(*ast.Ident); !ok || name.Name != "_" {
			return false
		}
	}
	return true
}

// decidesNothing reports whether the call is not mutated: panics, after which the compiler may not
// require a return, locks, and log lines.
func (m *maker) decidesNothing(call *ast.CallExpr) bool {
	switch f := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		_, builtin := m.source.info.Uses[f].(*types.Builtin)
		return builtin && f.Name == "panic"
	case *ast.SelectorExpr:
		method, ok := m.source.info.Uses[f.Sel].(*types.Func)
		if !ok || method.Pkg() == nil {
			return false
		}
		switch method.Pkg().Path() {
		case "log/slog":
			return true
		case "sync":
			return strings.HasSuffix(method.Name(), "ock")
		}
	}
	return false
}

// returned inserts, before a return, another one that returns nil instead of the error.
func (m *maker) returned(n *ast.ReturnStmt) []around {
	results := m.results()
	if results == nil || results.Len() != len(n.Results) {
		return nil // a bare return, or a call that returns all results
	}
	var list []around
	for i := range n.Results {
		if !isError(results.At(i).Type()) || m.text(n.Results[i]) == "nil" {
			continue
		}
		var texts []string
		for j, other := range n.Results {
			if i == j {
				texts = append(texts, "nil")
			} else {
				texts = append(texts, m.text(other))
			}
		}
		mutated := "return " + strings.Join(texts, ", ")
		id := m.add(n.Pos(), m.text(n), mutated)
		list = append(list, around{fmt.Sprintf("if mutateOn(%d) { %s }; ", id, mutated), ""})
	}
	return list
}

// results returns the results of the innermost function around the current node.
func (m *maker) results() *types.Tuple {
	for i := len(m.stack) - 1; i >= 0; i-- {
		var t types.Type
		switch f := m.stack[i].(type) {
		case *ast.FuncLit:
			t = m.typeOf(f)
		case *ast.FuncDecl:
			t = m.source.info.Defs[f.Name].Type()
		default:
			continue
		}
		if signature, ok := t.(*types.Signature); ok {
			return signature.Results()
		}
		return nil
	}
	return nil
}

// isError reports whether nil of the type means that nothing is wrong.
func isError(t types.Type) bool {
	failure := types.Universe.Lookup("error").Type()
	if types.Identical(t, failure) {
		return true
	}
	pointer, ok := types.Unalias(t).(*types.Pointer)
	if !ok {
		return false
	}
	wanted, ok := failure.Underlying().(*types.Interface)
	return ok && types.Implements(pointer, wanted)
}

// openSwitch turns a switch over a value into one over conditions, "case a, b" into "case value ==
// a, value == b", so that each can be disabled at run time. If the switch has an init statement,
// the value is repeated in each case; otherwise it is assigned to a variable.
func (m *maker) openSwitch(n *ast.SwitchStmt) {
	if n.Tag == nil {
		return
	}
	cases := 0
	for _, clause := range n.Body.List {
		if clause, ok := clause.(*ast.CaseClause); ok {
			cases += len(clause.List)
		}
	}
	switch {
	case cases == 0:
	case n.Init != nil:
		m.tags[n] = "(" + m.text(n.Tag) + ")"
		m.edits[m.file].replace(m.offset(n.Tag.Pos()), m.offset(n.Tag.End()), "")
	default:
		m.tags[n] = fmt.Sprintf("mutateTag%d", m.offset(n.Pos()))
	}
}
