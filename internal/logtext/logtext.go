// Package logtext makes text that clients wrote safe to log: quoted, printable, short.
package logtext

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	// MaxQuoted bounds one quoted text in bytes.
	MaxQuoted = 96
	// MaxListed bounds how many texts of a list are written out.
	MaxListed = 4
)

// Quote returns the text in quotes, as ASCII, cut to [MaxQuoted] bytes.
func Quote(s string) string { return strconv.QuoteToASCII(Clip(s, MaxQuoted)) }

// List quotes the first [MaxListed] texts and counts the rest.
func List(list []string) string {
	var b strings.Builder
	for i, s := range list {
		if i == MaxListed {
			fmt.Fprintf(&b, " and %d more", len(list)-MaxListed)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(Quote(s))
	}
	return b.String()
}

// Clip cuts the text to the limit, at a character, and marks the cut.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
