package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// source is one parsed and type-checked package whose code is mutated.
type source struct {
	name    string
	dir     string
	root    string // of its module
	fset    *token.FileSet
	files   []*sourceFile
	types   *types.Package
	info    *types.Info
	imports string // the import path
}

type sourceFile struct {
	path string // absolute
	name string // below the module, with slashes
	text []byte
	tree *ast.File
}

// listed is the part of the output of "go list -json" that is needed here.
type listed struct {
	Dir, Name, ImportPath, Export string
	GoFiles, CgoFiles             []string
	DepOnly                       bool
	ImportMap                     map[string]string
	Module                        *struct{ Dir string }
}

// load asks the go command which files belong to the packages in this build, taking //go:build
// lines into account, and type-checks them against the compiled form of their imports.
func load(patterns []string) ([]*source, error) {
	args := append([]string{"list", "-deps", "-export", "-json=Dir,Name,ImportPath,Export,GoFiles,CgoFiles,DepOnly,ImportMap,Module", "--"}, patterns...)
	cmd := exec.Command("go", args...) //nolint:gosec,noctx // the developer's own patterns; ends with the program
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports := map[string]string{}
	var wanted []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[one.ImportPath] = one.Export
		if !one.DepOnly {
			wanted = append(wanted, one)
		}
	}
	var sources []*source
	for _, one := range wanted {
		if len(one.CgoFiles) > 0 {
			return nil, fmt.Errorf("%s: cgo is not supported", one.ImportPath)
		}
		loaded, err := check(one, exports)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", one.ImportPath, err)
		}
		sources = append(sources, loaded)
	}
	return sources, nil
}

func check(one listed, exports map[string]string) (*source, error) {
	s := &source{name: one.Name, dir: one.Dir, imports: one.ImportPath, fset: token.NewFileSet()}
	s.root = one.Dir
	if one.Module != nil {
		s.root = one.Module.Dir
	}
	var trees []*ast.File
	for _, name := range one.GoFiles {
		path := filepath.Join(one.Dir, name)
		text, err := os.ReadFile(path) //nolint:gosec // a path from the go command
		if err != nil {
			return nil, err
		}
		tree, err := parser.ParseFile(s.fset, path, text, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, err
		}
		below, err := filepath.Rel(s.root, path)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, &sourceFile{path: path, name: filepath.ToSlash(below), text: text, tree: tree})
		trees = append(trees, tree)
	}
	s.info = &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
		Uses:  map[*ast.Ident]types.Object{},
	}
	config := types.Config{Importer: importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) {
		if mapped, ok := one.ImportMap[path]; ok {
			path = mapped
		}
		file, ok := exports[path]
		if !ok || file == "" {
			return nil, fmt.Errorf("no compiled form of %s", path)
		}
		return os.Open(file) //nolint:gosec // a file of the build cache
	})}
	var err error
	s.types, err = config.Check(one.ImportPath, s.fset, trees, s.info)
	return s, err
}
