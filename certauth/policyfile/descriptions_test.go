package policyfile

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the files that tests hold the code against")

// goDocs reads the first paragraph of the Go documentation of every exported type, function and
// field of the packages to which documents refer.
func goDocs(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	links := regexp.MustCompile(`\[([A-Za-z0-9_.]+)\]`)
	add := func(name string, comments ...*ast.CommentGroup) {
		for _, comment := range comments {
			text, _, _ := strings.Cut(comment.Text(), "\n\n")
			if text = strings.Join(strings.Fields(text), " "); text != "" {
				docs[name] = links.ReplaceAllString(text, "$1")
				return
			}
		}
	}
	for pkg, dir := range map[string]string{"certauth": "..", "forwarded": "../forwarded", "revocation": "../revocation", "evidence": "../revocation/evidence", "fetch": "../revocation/fetch", "policyfile": "."} {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, declaration := range file.Decls {
				switch d := declaration.(type) {
				case *ast.FuncDecl:
					if d.Recv == nil {
						add(pkg+"."+d.Name.Name, d.Doc)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						s, ok := spec.(*ast.TypeSpec)
						if !ok {
							continue
						}
						add(pkg+"."+s.Name.Name, s.Doc, d.Doc)
						structure, ok := s.Type.(*ast.StructType)
						if !ok {
							continue
						}
						for _, field := range structure.Fields.List {
							for _, fieldName := range field.Names {
								add(pkg+"."+s.Name.Name+"."+fieldName.Name, field.Doc)
							}
						}
					}
				}
			}
		}
	}
	return docs
}

// names collects what the table describes.
func names(t reflect.Type, seen map[reflect.Type]bool, found map[string]bool) {
	if seen[t] {
		return
	}
	seen[t] = true
	switch f := formOf(t).(type) {
	case *unionForm:
		for _, k := range f.kinds {
			found[k.goName] = true
			names(k.shape, seen, found)
		}
	case *structForm:
		found[f.goName] = true
		for _, field := range f.fields {
			found[field.goName] = true
			names(field.typ, seen, found)
		}
	case *listForm:
		names(f.elem, seen, found)
	case *mapForm:
		names(f.elem, seen, found)
	}
}

func TestSchema_DescribesMembersInTheWordsOfTheGoDocumentation(t *testing.T) {
	docs := goDocs(t)
	for _, name := range []string{"Source", "Policy", "Optional", "Exclusions", "Challenge", "LogRepeats", "ReloadInterval", "CacheSize", "InsecureReportOnly"} {
		docs["policyfile.content."+name] = docs["certauth.Config."+name]
	}
	found := map[string]bool{}
	names(reflect.TypeFor[content](), map[reflect.Type]bool{}, found)
	want := map[string]string{}
	for name := range found {
		if docs[name] != "" {
			want[name] = docs[name]
		}
	}
	require.Contains(t, want, "certauth.Chain.MaxDepth")
	require.Contains(t, want, "forwarded.Peers")
	require.Contains(t, want, "revocation.Config.StaleGrace")
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(want))
	if *update {
		require.NoError(t, os.WriteFile("descriptions.json", text.Bytes(), 0o644))
	}
	kept, err := os.ReadFile("descriptions.json")
	require.NoError(t, err)
	assert.Equal(t, text.String(), string(kept), "run go test -run Schema_Describes -update")
	for name := range found {
		if strings.Count(name, ".") == 1 && !strings.HasPrefix(name, "policyfile.") {
			assert.NotEmpty(t, want[name], "%s has no documentation", name)
		}
	}
}
