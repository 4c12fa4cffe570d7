package logtext_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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

// RFC 4648, sections 4 and 5: a character that is in no alphabet of base64 and base64url ends a word,
// so two words never form a key. A word can be a key from 48 characters on, which is shorter than every
// key.
func TestLooksSecret_WordsOfBase64(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
	const begin = "MC4CAQAwBQYDK2VwBCIEIA" // RFC 8410, section 10.3
	for c := range 0x80 {
		text := begin + strings.Repeat("A", 10) + string(rune(c)) + strings.Repeat("A", 30)
		assert.Equal(t, strings.ContainsRune(alphabet, rune(c)), logtext.LooksSecret(text), "%#x", c)
	}
	for length, want := range map[int]bool{46: false, 47: false, 48: true, 49: true} {
		text := begin + strings.Repeat("A", length-len(begin))
		assert.Equal(t, want, logtext.LooksSecret(text), length)
		assert.Equal(t, want, logtext.LooksSecret("see "+text+" there, where nothing else is"), length)
	}
}

// keys are all forms in which crypto/x509 writes keys, and a certificate's and a PKCS#12 file's first bytes.
func keys(t *testing.T) map[string][]byte {
	t.Helper()
	forms := map[string][]byte{
		"PKCS#12, RFC 7292, section 4":                append([]byte{0x30, 0x82, 0x09, 0x51, 2, 1, 3, 0x30, 0x82, 0x09}, make([]byte, 60)...),
		"PKCS#12 of indefinite length":                append([]byte{0x30, 0x80, 2, 1, 3, 0x30, 0x80}, make([]byte, 60)...),
		"PKCS#12 of more than 64 KiB":                 append([]byte{0x30, 0x83, 1, 0, 0, 2, 1, 3, 0x30, 0x83}, make([]byte, 60)...),
		"certificate, RFC 5280, section 4.1":          append([]byte{0x30, 0x82, 3, 4, 0x30, 0x82, 2, 0xec, 0xa0, 3}, make([]byte, 60)...),
		"encrypted key, RFC 5958, section 3":          append([]byte{0x30, 0x81, 0xec, 0x30, 0x57, 0x06, 0x09}, make([]byte, 60)...),
		"ContentInfo, RFC 5652, section 3":            append([]byte{0x30, 0x82, 9, 1, 0x06, 0x09, 0x2a}, make([]byte, 60)...),
		"a SEQUENCE of 127 bytes":                     append([]byte{0x30, 0x7F, 2, 1, 1, 0x30, 5, 0x06, 3}, make([]byte, 60)...),
		"a length of four bytes":                      append([]byte{0x30, 0x84, 0, 0, 9, 1, 0x06, 0x09, 0x2a}, make([]byte, 60)...),
		"Ed25519 with its public key, RFC 8410, 10.3": append([]byte{0x30, 0x72, 2, 1, 1, 0x30, 5, 0x06, 3}, make([]byte, 60)...),
	}
	for _, curve := range []elliptic.Curve{elliptic.P224(), elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		forms["SEC 1 of "+curve.Params().Name], err = x509.MarshalECPrivateKey(key)
		require.NoError(t, err)
		forms["PKCS#8 of "+curve.Params().Name], err = x509.MarshalPKCS8PrivateKey(key)
		require.NoError(t, err)
		forms["public key of "+curve.Params().Name], err = x509.MarshalPKIXPublicKey(&key.PublicKey)
		require.NoError(t, err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	forms["PKCS#8 of Ed25519"], err = x509.MarshalPKCS8PrivateKey(edKey)
	require.NoError(t, err)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	forms["PKCS#1"] = x509.MarshalPKCS1PrivateKey(rsaKey)
	forms["PKCS#8 of RSA"], err = x509.MarshalPKCS8PrivateKey(rsaKey)
	require.NoError(t, err)
	return forms
}

// finding P12: a key after an equals sign, a slash or another character of base64 was printed, and so
// was one in base64url.
func TestLooksSecret_KeysInEveryFormAndPlace(t *testing.T) {
	for form, der := range keys(t) {
		for encoding, text := range map[string]string{
			"base64": base64.StdEncoding.EncodeToString(der), "base64url": base64.RawURLEncoding.EncodeToString(der),
			"hex": hex.EncodeToString(der), "HEX": strings.ToUpper(hex.EncodeToString(der)),
		} {
			for _, front := range []string{"", "PARTNER_KEY=", "/", "/run/secrets/", "a+", "orders-", "orders_", "key: ", `{"d":"`, "?a=1&b="} {
				assert.True(t, logtext.LooksSecret(front+text), "%s in %s after %q", form, encoding, front)
				assert.True(t, logtext.LooksSecret(front+text+" "+front), "%s in %s after %q", form, encoding, front)
			}
		}
	}
}

// A key begins where a word does: behind a letter or a digit the same text is part of a longer word.
func TestLooksSecret_NotWithinAWord(t *testing.T) {
	const key = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC" // RFC 8410, section 10.3
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for c := range 0x80 {
		assert.Equal(t, !strings.ContainsRune(alphanumeric, rune(c)), logtext.LooksSecret(string(rune(c))+key), "%q", c)
	}
}

// finding R9: a name of 48 letters and digits that begins with M and one of A to P counted as a key,
// although it is no DER.
func TestLooksSecret_NamesAreShown(t *testing.T) {
	for _, name := range []string{
		"MAIN" + strings.Repeat("abcdefgh", 12), "MY" + strings.Repeat("abcdefgh", 12), "/certs/MANUFACTURINGpartners/" + strings.Repeat("production/", 8) + "roots",
		"MIT" + strings.Repeat("0123456789", 9) + ".pem", "30" + strings.Repeat("0123456789", 7),
		"308f" + strings.Repeat("0", 92), "3085" + strings.Repeat("0", 10) + "30" + strings.Repeat("0", 80), "300002" + strings.Repeat("0", 90), "3000" + strings.Repeat("f", 92),
	} {
		assert.False(t, logtext.LooksSecret(name), name)
		assert.Contains(t, logtext.Line(name, 512), name)
	}
}

func TestVisible_IsOneLineOfWhatIsPrinted(t *testing.T) {
	for text, want := range map[string]string{
		"": "", `plain \ "text" \\`: `plain \ "text" \\`, "é 日本": "é 日本",
		"\"a\"\n": `"a"\n`, "a\r\nb\x1b[31m\t": `a\r\nb\x1b[31m\t`, "\u009b31m\u202ea\u2028\ufeff\u00a0": `\u009b31m\u202ea\u2028\ufeff\u00a0`, "a\xffb": `a\xffb`, "\ufffd": "\ufffd",
	} {
		assert.Equal(t, want, logtext.Visible(text), "%q", text)
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
