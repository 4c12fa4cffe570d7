package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// block is a part of a policy as it is written in a document, with its parts.
type block struct {
	line  string
	whole string // the line and everything below it
	below []*block
}

// compareRules compares the policies of two documents and returns what only one of them has at a place, each
// line after those above it. The order of rules does not count, because no decision depends on it. What is
// printed of a policy would not do, since long lists and pins are not printed.
func compareRules(old, now any) (removed, added []string) {
	before, after := ruleOf(old), ruleOf(now)
	before.complete()
	after.complete()
	compareBlocks([]*block{before}, []*block{after}, "policy > ", &removed, &added)
	return removed, added
}

// ruleOf returns the block of a policy: an object whose one member says which policy it is.
func ruleOf(policy any) *block {
	object, _ := policy.(map[string]any)
	for kind, body := range object {
		if inner, ok := body.(map[string]any); ok && kind == "named" {
			return &block{line: kind + " " + textOf(inner["name"]), below: []*block{ruleOf(inner["policy"])}}
		}
		return &block{line: kind, below: partsOf(body)}
	}
	return &block{}
}

// partsOf returns the blocks of the parts of a policy.
func partsOf(body any) (parts []*block) {
	switch body := body.(type) {
	case []any:
		for _, item := range body {
			if object, ok := item.(map[string]any); ok && len(object) == 1 {
				parts = append(parts, ruleOf(item))
			} else {
				parts = append(parts, &block{line: textOf(item)})
			}
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(body)) {
			switch value := body[name].(type) {
			case []any:
				parts = append(parts, &block{line: name, below: partsOf(value)})
			case map[string]any:
				if name == "policy" {
					parts = append(parts, ruleOf(value))
					continue
				}
				parts = append(parts, &block{line: name + ": " + textOf(value)})
			default:
				parts = append(parts, &block{line: name + ": " + textOf(value)})
			}
		}
	default:
		parts = append(parts, &block{line: textOf(body)})
	}
	return parts
}

func textOf(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error() // what was read from JSON can be written
	}
	return visible(string(text))
}

// compareMaterial returns the certificates that only one of two printed policies names. A document refers to
// files, and these can differ behind the same name.
func compareMaterial(old, now string) (removed, added []string) {
	before, after := certificatesIn(old), certificatesIn(now)
	return without(before, after), without(after, before)
}

// certificatesIn returns the lines about certificates, without the file at their end.
func certificatesIn(printed string) (lines []string) {
	for line := range strings.Lines(printed) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "root: ") || strings.HasPrefix(line, "intermediate: ") {
			if at := strings.LastIndex(line, " ("); at > 0 && strings.HasSuffix(line, ")") {
				line = line[:at]
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func without(lines, others []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return slices.Contains(others, line) })
}

// complete sets whole, of everything below first.
func (b *block) complete() {
	var whole strings.Builder
	whole.WriteString(b.line + "\n")
	for _, inner := range b.below {
		inner.complete()
		whole.WriteString("(" + inner.whole + ")")
	}
	b.whole = whole.String()
}

// compareBlocks leaves out what is equal. Of the rest, blocks with the same first line are compared further,
// in their order.
func compareBlocks(old, now []*block, path string, removed, added *[]string) {
	equal := map[string]int{}
	for _, b := range now {
		equal[b.whole]++
	}
	similar := map[string][]*block{}
	var rest []*block
	for _, b := range old {
		if equal[b.whole] > 0 {
			equal[b.whole]--
		} else {
			rest = append(rest, b)
		}
	}
	for i := len(now) - 1; i >= 0; i-- { // the first of several equal blocks has its counterpart
		if b := now[i]; equal[b.whole] > 0 {
			equal[b.whole]--
			similar[b.line] = append([]*block{b}, similar[b.line]...)
		}
	}
	for _, b := range rest {
		if others := similar[b.line]; len(others) > 0 {
			similar[b.line] = others[1:]
			compareBlocks(b.below, others[0].below, path+b.line+" > ", removed, added)
			continue
		}
		b.list(path, removed)
	}
	for _, b := range now {
		if others := similar[b.line]; len(others) > 0 && others[0] == b {
			similar[b.line] = others[1:]
			b.list(path, added)
		}
	}
}

// list adds the lines of a block.
func (b *block) list(path string, lines *[]string) {
	*lines = append(*lines, path+b.line)
	for _, inner := range b.below {
		inner.list(path+b.line+" > ", lines)
	}
}
