package main

import "strings"

// block is a line of a printed policy with the lines that are indented below it.
type block struct {
	line  string
	whole string // the line and everything below it
	below []*block
}

// compareRules compares two printed policies and returns the lines that only one of them has at a place, each
// after the lines above it. The order of rules does not count, because no decision depends on it.
func compareRules(old, now string) (removed, added []string) {
	compareBlocks(blocksOf(old), blocksOf(now), "", &removed, &added)
	return removed, added
}

// blocksOf reads the indentation.
func blocksOf(text string) []*block {
	top := &block{}
	above := []*block{top}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		above = above[:min(depth+1, len(above))]
		b := &block{line: strings.TrimSpace(line)}
		outer := above[len(above)-1]
		outer.below = append(outer.below, b)
		above = append(above, b)
	}
	top.complete()
	return top.below
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
