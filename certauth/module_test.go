package certauth_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/version"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sources parses every Go file of the module that is not a test.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != ".." && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		files[path] = file
		return err
	})
	require.NoError(t, err)
	require.Contains(t, files, filepath.Join("..", "certauth", "chain.go"), "the walk looks at nothing")
	return files
}

// CVE-2025-22874 Go; CVE-2022-21657 Envoy: the usage "any" disables the checks.
func TestChain_AnyUsageIsNeverAsked(t *testing.T) {
	asked := 0
	for path, file := range sources(t) {
		ast.Inspect(file, func(node ast.Node) bool {
			var value ast.Expr
			switch n := node.(type) {
			case *ast.KeyValueExpr: // KeyUsages: ...
				if key, ok := n.Key.(*ast.Ident); ok && key.Name == "KeyUsages" {
					value = n.Value
				}
			case *ast.AssignStmt: // options.KeyUsages = ...
				for i, left := range n.Lhs {
					if selector, ok := left.(*ast.SelectorExpr); ok && selector.Sel.Name == "KeyUsages" && i < len(n.Rhs) {
						value = n.Rhs[i]
					}
				}
			}
			if value == nil {
				return true
			}
			asked++
			literal, ok := value.(*ast.CompositeLit)
			if assert.True(t, ok, "%s: KeyUsages is not written out where it is used", path) {
				assert.NotEmpty(t, literal.Elts, "%s: empty KeyUsages mean server authentication", path)
				assert.NotContains(t, namesIn(literal), "ExtKeyUsageAny", path)
			}
			return true
		})
		ast.Inspect(file, func(node ast.Node) bool {
			literal, ok := node.(*ast.CompositeLit)
			if !ok {
				return true
			}
			selector, ok := literal.Type.(*ast.SelectorExpr)
			if !ok || selector.Sel.Name != "VerifyOptions" {
				return true
			}
			if from, ok := selector.X.(*ast.Ident); ok && from.Name != "evidence" { // whose own are about revocation
				assert.Contains(t, namesIn(literal), "KeyUsages", "%s: VerifyOptions without KeyUsages ask for server authentication", path)
			}
			return true
		})
	}
	assert.NotZero(t, asked, "no usage is requested anywhere")
}

func namesIn(node ast.Node) []string {
	var names []string
	ast.Inspect(node, func(n ast.Node) bool {
		if ident, ok := n.(*ast.Ident); ok {
			names = append(names, ident.Name)
		}
		return true
	})
	return names
}

// Fixes in the toolchain: CVE-2024-24783, CVE-2025-58188, CVE-2026-27138 (panics in Verify),
// CVE-2025-61723, CVE-2025-58185, CVE-2026-33818 (pem, asn1), CVE-2025-58187, CVE-2026-32280,
// CVE-2026-32281, CVE-2026-27145, CVE-2025-61729 (work and text of x509), CVE-2025-68121
// (resumption): all in go1.26.6.
func TestModule_GoFloorIncludesTheFixes(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("..", "go.mod"))
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(content)
	require.Len(t, found, 2)
	floor := "go" + string(found[1])
	require.True(t, version.IsValid(floor), floor)
	assert.GreaterOrEqual(t, version.Compare(floor, "go1.26.6"), 0, floor)
}

// go-jwt-middleware core.SetClaims, authn-go SetInfo: a setter that anybody can call can forge an
// identity. No exported function of the core takes an identity and returns a context or a request.
func TestModule_NobodyExportsASetterOfTheIdentity(t *testing.T) {
	for path, file := range sources(t) {
		if filepath.Base(filepath.Dir(path)) != "certauth" {
			continue
		}
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || !function.Name.IsExported() || function.Type.Results == nil {
				continue
			}
			takes := slices.Contains(namesIn(function.Type.Params), "Identity")
			gives := namesIn(function.Type.Results)
			assert.False(t, takes && (slices.Contains(gives, "Context") || slices.Contains(gives, "Request")), "%s: %s", path, function.Name.Name)
		}
	}
}
