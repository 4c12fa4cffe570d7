package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// visible replaces what is not printable by escapes, because certificates, headers and logs contain what
// strangers wrote: line ends could fake lines of the output, and escape sequences control a terminal.
func visible(text string) string { return escaped(text, escape) }

// visibleLines is visible for a text of several lines.
func visibleLines(text string) string {
	return escaped(text, func(r rune) string {
		if r == '\n' {
			return "\n"
		}
		return escape(r)
	})
}

// escaped replaces each rune that is not printable.
func escaped(text string, by func(rune) string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(by(r))
		}
	}
	return b.String()
}

func escape(r rune) string {
	quoted := strconv.QuoteRuneToASCII(r)
	return quoted[1 : len(quoted)-1]
}

// escapeInJSON is an escape of a string of JSON; encoding/json leaves most of what is not printable.
func escapeInJSON(r rune) string {
	if r == '\n' {
		return "\n" // between values
	}
	text := ""
	for _, unit := range utf16.Encode([]rune{r}) {
		text += fmt.Sprintf(`\u%04x`, unit)
	}
	return text
}

// escapeInName is an escape of RFC 4514, section 2.4: the bytes of UTF-8 in hex.
func escapeInName(r rune) string {
	text := ""
	for _, c := range []byte(string(r)) {
		text += fmt.Sprintf(`\%02X`, c)
	}
	return text
}
