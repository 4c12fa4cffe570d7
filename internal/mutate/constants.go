package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
	"strconv"
)

// limit is a named constant with its two mutants. Every use of the constant at run time belongs to
// them.
type limit struct {
	at          token.Pos
	file        *sourceFile
	name        string
	plus, minus int
}

// findLimits records the integer constants of the file that are not members of an enumeration.
func (m *maker) findLimits(tree *ast.File) {
	ast.Inspect(tree, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			return true
		}
		for _, spec := range decl.Specs {
			values, ok := spec.(*ast.ValueSpec)
			if !ok || len(values.Values) != len(values.Names) || slices.ContainsFunc(values.Values, usesIota) {
				continue
			}
			for _, name := range values.Names {
				if object, ok := m.source.info.Defs[name].(*types.Const); ok && object.Val().Kind() == constant.Int && isNumber(object.Type()) {
					m.limits[object] = &limit{at: name.Pos(), file: m.file, name: name.Name}
				}
			}
		}
		return true
	})
}

func usesIota(e ast.Expr) bool {
	uses := false
	ast.Inspect(e, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && name.Name == "iota" {
			uses = true
		}
		return true
	})
	return uses
}

// isNumber reports whether the type counts something: a built-in integer type or a duration.
func isNumber(t types.Type) bool {
	if isDuration(t) {
		return true
	}
	basic, ok := types.Unalias(t).(*types.Basic)
	return ok && basic.Info()&types.IsInteger != 0
}

func isDuration(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == "time" && named.Obj().Name() == "Duration"
}

// constant returns the mutants of a constant expression: true and false are exchanged, a limit is
// moved by one.
func (m *maker) constant(e ast.Expr) []around {
	if up, ok := m.top2().(ast.Expr); ok && m.isConstant(up) {
		return nil // only the outermost expression is mutated
	}
	if is, _ := m.isBool(e); is {
		if name, ok := e.(*ast.Ident); ok && (name.Name == "true" || name.Name == "false") {
			return []around{m.flipped(m.add(e.Pos(), name.Name, strconv.FormatBool(name.Name == "false")), e)}
		}
		return nil
	}
	value, t := m.source.info.Types[e].Value, m.typeOf(e)
	if value.Kind() != constant.Int {
		return nil
	}
	named, ok := m.typeText(t)
	if !ok {
		return nil
	}
	step, unit := "1", " 1"
	if isDuration(t) {
		step, unit = "1000000000", " 1s" // dates of certificates and answers have a resolution of a second
	}
	var plus, minus int
	if one := m.limitIn(e); one != nil {
		if one.plus == 0 {
			one.plus = m.addLimit(one, one.name+" +"+unit)
			one.minus = m.addLimit(one, one.name+" -"+unit)
		}
		plus, minus = one.plus, one.minus
	} else {
		plus, minus = m.compared(e, unit)
	}
	if plus == 0 && minus == 0 {
		return nil
	}
	return []around{{fmt.Sprintf("mutateLimit[%s](%d, %d, %s, ", named, plus, minus, step), ")"}}
}

// top2 returns the second node from the top of the stack.
func (m *maker) top2() ast.Node {
	if len(m.stack) < 2 {
		return nil
	}
	return m.stack[len(m.stack)-2]
}

func (m *maker) addLimit(one *limit, mutated string) int {
	m.count(&mutant{
		id: m.next, file: one.file.name, line: m.source.fset.Position(one.at).Line, function: "const " + one.name,
		original: one.name, mutated: mutated, repeated: 1,
	})
	return m.next - 1
}

// limitIn returns the first limit that the expression names.
func (m *maker) limitIn(e ast.Expr) *limit {
	var found *limit
	ast.Inspect(e, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok && found == nil {
			found = m.limits[m.source.info.Uses[name]]
		}
		return found == nil
	})
	return found
}

// compared moves a number in a comparison to the side that exchanging < and <= does not cover: a <
// c-1 for a < c, because among integers a < c+1 is a <= c.
func (m *maker) compared(e ast.Expr, unit string) (plus, minus int) {
	of, ok := m.parent().(*ast.BinaryExpr)
	if !ok || m.isConstant(of.X) && m.isConstant(of.Y) {
		return 0, 0
	}
	up := false
	switch of.Op {
	case token.LSS, token.GEQ:
	case token.LEQ, token.GTR:
		up = true
	default:
		return 0, 0
	}
	if m.isConstant(of.X) && of.X.Pos() <= e.Pos() && e.End() <= of.X.End() {
		up = !up
	}
	if up {
		return m.add(e.Pos(), m.text(of), "with "+m.text(e)+" +"+unit), 0
	}
	if basic, ok := m.typeOf(e).Underlying().(*types.Basic); ok && basic.Info()&types.IsUnsigned != 0 && constant.Sign(m.source.info.Types[e].Value) == 0 {
		return 0, 0
	}
	return 0, m.add(e.Pos(), m.text(of), "with "+m.text(e)+" -"+unit)
}

// typeText returns the type as it is written in the current file.
func (m *maker) typeText(t types.Type) (string, bool) {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		return t.Name(), t.Info()&types.IsUntyped == 0 && t.Info()&types.IsInteger != 0
	case *types.TypeParam:
		return t.Obj().Name(), true
	case *types.Named:
		if t.Obj().Pkg() == m.source.types {
			return t.Obj().Name(), t.TypeArgs().Len() == 0
		}
		for _, spec := range m.file.tree.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			switch {
			case err != nil || t.Obj().Pkg() == nil || path != t.Obj().Pkg().Path():
			case spec.Name == nil:
				return t.Obj().Pkg().Name() + "." + t.Obj().Name(), true
			case spec.Name.Name != "." && spec.Name.Name != "_":
				return spec.Name.Name + "." + t.Obj().Name(), true
			}
		}
	}
	return "", false
}
