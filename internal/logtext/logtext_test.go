package logtext_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

func TestQuote_IsASCIIOnOneLineAndShort(t *testing.T) {
	full := strings.Repeat("a", logtext.MaxQuoted)
	for text, want := range map[string]string{
		"":                  `""`,
		"a":                 `"a"`,
		"a\r\nb\x1b[31m":    `"a\r\nb\x1b[31m"`,
		`a"b\`:              `"a\"b\\"`,
		"\u202E\u00E9":      `"\u202e\u00e9"`,
		"\xFF":              `"\xff"`,
		full:                `"` + full + `"`,
		full + "a":          `"` + full + `..."`,
		full[1:] + "\u00E9": `"` + full[1:] + `..."`,
	} {
		assert.Equal(t, want, logtext.Quote(text))
	}
}

func TestClip_CutsAtACharacter(t *testing.T) {
	assert.Equal(t, "abc", logtext.Clip("abc", 3))
	assert.Equal(t, "ab...", logtext.Clip("abc", 2))
	assert.Equal(t, "a...", logtext.Clip("a\u00E9b", 2))
	assert.Equal(t, "...", logtext.Clip("\u00E9b", 0))
	for limit := range 12 {
		assert.True(t, utf8.ValidString(logtext.Clip("\u00E9\u20AC\U0001F600abc", limit)))
	}
}

func TestList_CountsWhatItLeavesOut(t *testing.T) {
	list := []string{"a", "b", "c", "d", "e", "f"}
	assert.Empty(t, logtext.List(nil))
	assert.Equal(t, `"a"`, logtext.List(list[:1]))
	assert.Equal(t, `"a", "b", "c", "d"`, logtext.List(list[:4]))
	assert.Equal(t, `"a", "b", "c", "d" and 1 more`, logtext.List(list[:5]))
	assert.Equal(t, `"a", "b", "c", "d" and 2 more`, logtext.List(list))
}
