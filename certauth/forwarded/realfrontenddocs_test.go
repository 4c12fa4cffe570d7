//go:build unix

package forwarded_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The configuration in the documentation of a preset is the one that these tests run.
func TestRealFrontEnds_RunTheDocumentedLines(t *testing.T) {
	for _, r := range append(slices.Clone(recommendations[:4]), recommendations[6]) {
		t.Run(r.name, func(t *testing.T) {
			text, err := configuration(r.name, r.config, settings{Listen: "127.0.0.1:443", App: "app:8080", Verify: r.verify})
			require.NoError(t, err)
			var run []string
			for line := range strings.Lines(string(text)) {
				run = append(run, squeezed(line))
			}
			lines := documentedLines(t, r.name)
			require.NotEmpty(t, lines)
			for _, line := range lines {
				assert.Contains(t, run, line)
			}
		})
	}
}

// documentedLines returns the code lines in the comment of the preset.
func documentedLines(t *testing.T, preset string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), preset+".go", nil, parser.ParseComments)
	require.NoError(t, err)
	var lines []string
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.TYPE || !strings.EqualFold(general.Specs[0].(*ast.TypeSpec).Name.Name, preset) {
			continue
		}
		for line := range strings.Lines(general.Doc.Text()) {
			if strings.HasPrefix(line, "\t") {
				lines = append(lines, squeezed(line))
			}
		}
	}
	return lines
}

func squeezed(line string) string { return strings.Join(strings.Fields(line), " ") }
