// Package logtext makes text written by clients or operators safe to log: quoted, printable,
// short, and without anything that looks like a key.
package logtext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxQuoted bounds one quoted text in bytes.
	MaxQuoted = 96
	// MaxListed bounds how many texts of a list are written.
	MaxListed = 4
)

// Quote returns the text in quotes, as ASCII, cut to [MaxQuoted] bytes. If the text looks like
// PEM, or like a key in another form, Quote returns only its length, because the content of a
// file is easily configured where its name belongs.
func Quote(s string) string {
	if LooksSecret(s) {
		return hidden(s)
	}
	return strconv.QuoteToASCII(Clip(s, MaxQuoted))
}

// Line returns a whole message on one line of ASCII, cut to the limit, with the same exception as
// [Quote].
func Line(s string, limit int) string {
	if LooksSecret(s) {
		return hidden(s)
	}
	if len(s) <= limit && isPlain(s) {
		return s
	}
	quoted := strconv.QuoteToASCII(Clip(s, limit))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// isPlain reports whether quoting would change nothing.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E || s[i] == '\\' {
			return false
		}
	}
	return true
}

func hidden(s string) string { return fmt.Sprintf("(%d bytes, not shown)", len(s)) }

// LooksSecret reports whether the text contains PEM, plain or in base64, or the DER of a key or a
// certificate in base64 or hex, or is binary.
func LooksSecret(s string) bool {
	for _, mark := range []string{"-----BEGIN", "-----END", "PRIVATE KEY", "LS0tLS1CRUdJTi"} {
		if strings.Contains(s, mark) {
			return true
		}
	}
	if len(s) < shortestKey {
		return false
	}
	if !utf8.ValidString(s) && strings.ContainsFunc(s, unicode.IsControl) {
		return true // not text
	}
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !isBase64(r) }) {
		if len(word) >= shortestKey && beginsAsSequence(word) {
			return true
		}
	}
	return false
}

// shortestKey is the length of an Ed25519 key in DER. In base64 and hex it is longer.
const shortestKey = 48

func isBase64(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '+' || r == '/' || r == '='
}

// beginsAsSequence checks the first byte, which is the same for every key and certificate.
func beginsAsSequence(word string) bool {
	if word[0] == 'M' && 'A' <= word[1] && word[1] <= 'P' {
		return true
	}
	return word[:2] == "30" && strings.Trim(word, "0123456789abcdefABCDEF") == ""
}

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

// Clip cuts the text to the limit, at a character boundary, and marks the cut.
func Clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "..."
}
