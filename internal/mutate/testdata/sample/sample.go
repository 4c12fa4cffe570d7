// Package sample has a decision of each kind. Comments mark the faults that its tests miss.
package sample

import (
	"errors"
	"time"
)

const (
	maxLen  = 4
	window  = 5 * time.Minute
	kindOne = iota // not a limit
	kindTwo
)

var table [maxLen]int // a constant expression, which stays one

var errLong = errors.New("long")

type flag bool

type list[T any] struct{ items []T }

// Has is generic, and its boundary is untested: no test asks for the item at the end.
func (l *list[T]) has(n int) bool {
	return n >= 0 && n < len(l.items) // survives: n <= len(l.items), with n == len never tried
}

func check(s string) error {
	if len(s) > maxLen {
		return errLong
	}
	return nil
}

func first(p *list[int]) int {
	if p != nil && len(p.items) > 0 { // the right side must not run where the left is false
		return p.items[0]
	}
	return -1
}

func name(n int) string {
	switch n {
	case kindOne, kindTwo:
		return "known"
	case 9: // survives: case removed
		return "nine"
	}
	return "other"
}

func class(s string) string {
	switch c := s[0]; c {
	case 'a':
		return "a"
	default:
		if '0' <= c && c <= '9' {
			return "digit"
		}
	}
	return ""
}

func late(at, now time.Time) bool { return now.Sub(at) > window }

func sum(rows [][]int) (total int) {
outer:
	for _, row := range rows {
		for _, n := range row {
			if n < 0 {
				continue outer
			}
			total += n
		}
	}
	return total
}

func clamp(n int) int {
	if n > 10 { // equivalent: n >= 10
		n = 10
	}
	return n
}

func named(f flag) flag { return !f && flag(true) }

func unread() bool { return true } // survives, no test reaches it
