// Package vector reads the test cases of testdata: a header of "key: value" lines followed by
// files, in the txtar format of the Go project.
package vector

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Case is one test case.
type Case struct {
	// Name is the path of the file without its extension.
	Name string
	// Fields holds the lines of the header. No key occurs twice.
	Fields map[string]string
	// Files holds the sections by name.
	Files map[string]string
}

// Time returns the time at which the case is judged.
func (c Case) Time() (time.Time, error) { return time.Parse(time.RFC3339, c.Fields["time"]) }

// Headers returns name and value of the lines of the section "headers", in order.
func (c Case) Headers() ([][2]string, error) {
	var headers [][2]string
	for line := range strings.SplitSeq(strings.TrimSuffix(c.Files["headers"], "\n"), "\n") {
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			return nil, fmt.Errorf("%s: header line without a colon", c.Name)
		}
		headers = append(headers, [2]string{name, strings.Trim(value, " ")})
	}
	return headers, nil
}

// Load reads every case in the folder and its subfolders.
func Load(folder string) ([]Case, error) {
	paths, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no cases", folder)
	}
	cases := make([]Case, 0, len(paths))
	for _, path := range paths {
		content, err := os.ReadFile(path) //nolint:gosec // the test names the folder
		if err != nil {
			return nil, err
		}
		one, err := parse(string(content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		one.Name = strings.TrimSuffix(filepath.Base(path), ".txtar")
		cases = append(cases, one)
	}
	return cases, nil
}

func parse(content string) (Case, error) {
	c := Case{Fields: map[string]string{}, Files: map[string]string{}}
	section := ""
	for line := range strings.Lines(content) {
		if name, ok := marker(line); ok {
			section = name
			if _, again := c.Files[section]; again {
				return Case{}, fmt.Errorf("section %q occurs twice", section)
			}
			c.Files[section] = ""
			continue
		}
		if section != "" {
			c.Files[section] += line
			continue
		}
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, value, found := strings.Cut(line, ":")
		if _, again := c.Fields[key]; !found || again {
			return Case{}, fmt.Errorf("header line %q has no colon or occurs twice", key)
		}
		c.Fields[key] = strings.TrimSpace(value)
	}
	return c, nil
}

// marker recognises "-- name --".
func marker(line string) (string, bool) {
	line = strings.TrimSuffix(line, "\n")
	name, ok := strings.CutPrefix(line, "-- ")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(name, " --")
}
