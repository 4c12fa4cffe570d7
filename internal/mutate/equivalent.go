package main

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// equivalent is an entry of the list of survivors that no test can kill.
type equivalent struct {
	key    string // as mutant.key
	reason string
	line   int
}

// readEquivalent reads the list. An entry is a paragraph of at least three lines: the file and the
// function, "original => mutated" as the command prints it, and the reason in one sentence. Lines
// that start with # are comments.
func readEquivalent(path string) ([]*equivalent, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the developer's own file
	if err != nil {
		return nil, err
	}
	var list []*equivalent
	var paragraph []string
	begun := 0
	flush := func() error {
		if len(paragraph) == 0 {
			return nil
		}
		if len(paragraph) < 3 || !strings.Contains(paragraph[1], arrow) {
			return fmt.Errorf("%s:%d: want a line \"file: function\", a line \"original%smutated\" and a reason", path, begun, arrow)
		}
		list = append(list, &equivalent{key: paragraph[0] + "\n" + paragraph[1], reason: strings.Join(paragraph[2:], " "), line: begun})
		paragraph = nil
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "#") {
			continue
		}
		if line == "" {
			if err := flush(); err != nil {
				return nil, err
			}
			continue
		}
		if len(paragraph) == 0 {
			begun = i + 1
		}
		paragraph = append(paragraph, line)
	}
	return list, flush()
}

// file returns the name of the entry's file below the module.
func (e *equivalent) file() string {
	file, _, _ := strings.Cut(e.key, ": ")
	return file
}

// stale returns the entries that excuse nothing: duplicates, entries of missing files, and entries
// in the loaded packages that match no mutant.
func stale(known []*equivalent, sources []*source, mutants []*mutant) []*equivalent {
	open := map[string]bool{}
	for _, one := range mutants {
		open[one.key()] = true
	}
	loaded, root := map[string]bool{}, ""
	for _, s := range sources {
		root = s.root
		for _, file := range s.files {
			loaded[path.Dir(file.name)] = true
		}
	}
	seen := map[string]bool{}
	var list []*equivalent
	for _, one := range known {
		_, err := os.Stat(filepath.Join(root, filepath.FromSlash(one.file())))
		if seen[one.key] || err != nil || loaded[path.Dir(one.file())] && !open[one.key] {
			list = append(list, one)
		}
		seen[one.key] = true
	}
	return list
}

// reportStale prints the stale entries of the list and reports whether there are any.
func reportStale(w io.Writer, name string, list []*equivalent) bool {
	for _, one := range list {
		say(w, "%s:%d: fits no fault: %s\n", name, one.line, strings.ReplaceAll(one.key, "\n", ": "))
	}
	return len(list) > 0
}
