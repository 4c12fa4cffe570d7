package main

import (
	"fmt"
	"os"
	"strings"
)

// equivalent is an entry of the list of survivors that no test can kill.
type equivalent struct {
	key    string // as mutant.key
	reason string
	line   int
	used   bool
}

// readEquivalent reads the list. An entry is a paragraph of at least three lines: the file
// and the function, "original => mutated" as the command prints it, and the reason in a
// sentence. Lines that start with # are comments.
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
