package logtext_test

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
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

// finding S7: a key that was configured instead of a name was printed.
func TestQuote_HidesWhatLooksLikeAKey(t *testing.T) {
	const ed25519 = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC" // RFC 8410, section 10.3
	for text, hidden := range map[string]bool{
		"-----BEGIN PRIVATE KEY-----\n" + ed25519: true,
		ed25519:                                true,
		"cannot read " + ed25519 + ", sorry":   true,
		"LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t": true,
		"302e020100300506032b657004220420d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842":                                                                                                 true,
		"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\xd4\xee\x72\xdb\xf9\x13\x58\x4a\xd5\xb6\xd8\xf1\xf7\x69\xf8\xad\x3a\xfe\x7c\x28\xcb\xf1\xd4\xfb\xe0\x97\xa8\x8f\x44\x75\x58\x42": true,
		"/mnt/secrets-store/partner-root-certificates/v2/MAIN/roots.pem":                                                                                                                                   false,
		"302e": false, "MC4CAQAw": false,
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855": false, // a thumbprint
		strings.Repeat("a", 200): false,
	} {
		assert.Equal(t, hidden, logtext.LooksSecret(text), text)
		for _, shown := range []string{logtext.Quote(text), logtext.Line(text, 512)} {
			assert.Equal(t, hidden, strings.HasSuffix(shown, " bytes, not shown)"), shown)
			assert.NotContains(t, shown, "\n")
		}
	}
}

func TestLine_IsOneShortLineOfASCII(t *testing.T) {
	assert.Equal(t, `no "file"\r\nhere \u00e9`, logtext.Line("no \"file\"\r\nhere \u00e9", 100))
	assert.Equal(t, "aaa...", logtext.Line("aaaa", 3))
}

// The package promises that printable characters are unchanged and all others escaped.
func TestLine_EveryByte(t *testing.T) {
	for c := range 256 {
		text := string([]byte{byte(c)})
		want := text
		if c < 0x20 || c > 0x7E || c == '\\' {
			quoted := strconv.QuoteToASCII(text)
			want = quoted[1 : len(quoted)-1]
		}
		for _, at := range []struct{ front, behind string }{{"", ""}, {"a", ""}, {"", "a"}} {
			assert.Equal(t, at.front+want+at.behind, logtext.Line(at.front+text+at.behind, 100), "%#x", c)
		}
	}
}

// RFC 4648, section 4: a character that is not in the alphabet of base64 ends a word, so two words
// never form a key. A word can be a key from 48 characters on, which is shorter than every key.
func TestLooksSecret_WordsOfBase64(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
	for c := range 0x80 {
		text := "MC" + strings.Repeat("A", 30) + string(rune(c)) + strings.Repeat("A", 30)
		assert.Equal(t, strings.ContainsRune(alphabet, rune(c)), logtext.LooksSecret(text), "%#x", c)
	}
	for length, want := range map[int]bool{46: false, 47: false, 48: true, 49: true} {
		assert.Equal(t, want, logtext.LooksSecret("MC"+strings.Repeat("A", length-2)), length)
		assert.Equal(t, want, logtext.LooksSecret("see MC"+strings.Repeat("A", length-2)+" there, where nothing else is"), length)
	}
}

// X.690, section 8.9.1: every key and certificate is a SEQUENCE, of any length.
func TestLooksSecret_BeginsAsASequence(t *testing.T) {
	for first := range 256 {
		for second := range 256 {
			der := append([]byte{byte(first), byte(second)}, make([]byte, 48)...)
			assert.Equal(t, first == 0x30, logtext.LooksSecret(base64.StdEncoding.EncodeToString(der)), "%#x %#x", first, second)
			assert.Equal(t, first == 0x30, logtext.LooksSecret(hex.EncodeToString(der)), "%#x %#x", first, second)
		}
	}
}

// Text in other encodings is shown, and so are line ends. Long data that is not UTF-8 and contains
// control characters is not.
func TestLooksSecret_BinaryIsNoText(t *testing.T) {
	long := strings.Repeat("words ", 10)
	for text, want := range map[string]bool{
		long: false, long + "\t\r\n\x00": false, long + "\xe9t\xe9": false, long + "\xe9\x00": true, "\xe9\x00": false,
	} {
		assert.Equal(t, want, logtext.LooksSecret(text), "%q", text)
	}
}
