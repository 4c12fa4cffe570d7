// Package logtext makes text written by clients or operators safe to log: quoted, printable,
// short, and without anything that looks like a key.
package logtext

import (
	"encoding/base64"
	"encoding/hex"
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

// Visible replaces what is not printable by its escapes, so that the text is one line and changes
// nothing on a terminal.
func Visible(s string) string {
	if !strings.ContainsFunc(s, isUnseen) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		_, size := utf8.DecodeRuneInString(s[i:])
		if c := s[i : i+size]; isUnseen(r) || r == utf8.RuneError && size == 1 {
			quoted := strconv.QuoteToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(c)
		}
	}
	return b.String()
}

func isUnseen(r rune) bool { return !unicode.IsPrint(r) }

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
// certificate in base64, base64url or hex, or is binary. A key begins at the start of the text or
// after a character that is neither a letter nor a digit, as in "KEY=MC4C..." and "/MC4C...".
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
	for i := range len(s) - shortestKey + 1 {
		if (i == 0 || !isAlphanumeric(s[i-1])) && beginsAsKey(s[i:i+shortestKey]) {
			return true
		}
	}
	return false
}

// shortestKey is the length of an Ed25519 key in DER. In base64 and hex it is longer.
const shortestKey = 48

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

var standard = strings.NewReplacer("-", "+", "_", "/")

func beginsAsKey(word string) bool {
	switch word[0] {
	case 'M': // 0x30 in base64
		der, err := base64.StdEncoding.DecodeString(standard.Replace(word))
		return err == nil && isKey(der)
	case '3':
		der, err := hex.DecodeString(word)
		return err == nil && isKey(der)
	}
	return false
}

// isKey checks the first bytes of DER. All forms of keys and certificates are a SEQUENCE that begins
// with a version, with another SEQUENCE, or with an identifier.
func isKey(der []byte) bool {
	if der[0] != 0x30 {
		return false
	}
	inner := der[2:]
	if more := der[1] - 0x80; more <= 4 { // bytes of the length
		inner = inner[more:]
	} else if der[1] >= 0x80 {
		return false
	}
	return inner[0] == 0x30 || inner[0] == 0x06 || inner[0] == 0x02 && inner[1] == 1
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
