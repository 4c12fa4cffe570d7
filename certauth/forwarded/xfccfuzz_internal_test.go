package forwarded

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainXFCC splits a value in a different way from the scanner: one pass marks the bytes inside
// quotes, then the value is cut at the separators outside.
func plainXFCC(value string) (elements [][][2]string) {
	quoted, escaped := false, false
	var cuts []byte // one for each byte of value
	for i := range len(value) {
		c, kind := value[i], byte(0)
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ';'):
			kind = c
		}
		cuts = append(cuts, kind)
	}
	start, element := 0, [][2]string{}
	for i := range len(value) + 1 {
		if i < len(value) && cuts[i] == 0 {
			continue
		}
		if pair := value[start:i]; pair != "" {
			key, text, _ := strings.Cut(pair, "=")
			element = append(element, [2]string{strings.ToLower(key), unquote(text)})
		}
		if i == len(value) || cuts[i] == ',' {
			elements, element = append(elements, element), [][2]string{}
		}
		start = i + 1
	}
	return elements
}

func unquote(text string) string {
	if !strings.HasPrefix(text, `"`) {
		return text
	}
	text = strings.TrimSuffix(strings.TrimPrefix(text, `"`), `"`)
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// An accepted value contains exactly one element with one Hash, which is that of the leaf, and the
// certificates that pem.Decode finds in Cert and Chain.
func FuzzXFCC(f *testing.F) {
	addAll(f, capturedValues(f, "xfcc"))
	good := capturedValues(f, "xfcc")[0]
	addAll(f, hostile(good))
	for _, tail := range []string{`Subject="x;Cert=\"y\""`, `Subject="a\\"`, `Subject="a";Subject="b"`, `Subject="a\"`, `Subject=a"b`, `URI=spiffe://a,By=x;Hash=1;Cert="v"`, `URI=spiffe://a;Cert="v"`, "URI=spiffe://a;b=c/d,e", "Foo=1", "By", ";", "DNS=", `By="a,b"`} {
		f.Add(strings.TrimSuffix(good, ";") + ";" + tail)
		f.Add(tail + ";" + good)
		f.Add(tail + "," + good)
	}
	f.Add(strings.TrimSuffix(good, ";") + `;URI="x",By=x;` + good)
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := xfccReader{}.decode(value)
		last, lastErr := xfccReader{hops: 1}.decode(value)
		if consistent(t, certs, err, maxCertificates) {
			assertElement(t, value, certs)
			assert.Len(t, plainXFCC(value), 1)
			require.NoError(t, lastErr)
			sameCertificates(t, certs, last)
		}
		if consistent(t, last, lastErr, maxCertificates) {
			assertElement(t, value, last)
			elements := plainXFCC(value)
			assert.Equal(t, len(elements) == 1, err == nil, "%v", err)
			for _, element := range elements[:len(elements)-1] {
				for _, pair := range element {
					assert.NotContains(t, []string{"uri", "dns"}, pair[0], "the client's own text can add elements to its right")
				}
			}
		}
	})
}

// An accepted JSON value has the content that package encoding/json finds in it, which is also one
// element with its hash, and its certificates have only one spelling.
func FuzzXFCCJSON(f *testing.F) {
	addAll(f, capturedValues(f, "xfcc-json"))
	good := capturedValues(f, "xfcc-json")[0]
	addAll(f, hostile(good))
	for _, sent := range []string{`{}`, `[]`, `"`, `{"a":"`, `{"chain":["`, `{"hash":"a"}`, `{"subject":"\"}`, `1`, ` `, `{"cert":"a","cert":"b"}`} {
		f.Add("[" + sent + "," + good[1:])
		f.Add(good[:len(good)-1] + "," + sent + "]")
	}
	f.Add(strings.Replace(good, "cert", "Cert", 1))
	f.Add(strings.Replace(good, `-----B`, `\u002d----B`, 1))
	f.Fuzz(func(t *testing.T, value string) {
		certs, err := xfccReader{json: true}.decode(value)
		last, lastErr := xfccReader{json: true, hops: 1}.decode(value)
		if consistent(t, certs, err, maxCertificates) {
			require.NoError(t, lastErr)
			sameCertificates(t, certs, last)
			assert.Len(t, plainXFCCJSON(t, value), 1)
		}
		if !consistent(t, last, lastErr, maxCertificates) {
			return
		}
		elements := plainXFCCJSON(t, value)
		element := elements[len(elements)-1]
		sum := sha256.Sum256(last[0].Raw)
		assert.Equal(t, hex.EncodeToString(sum[:]), strings.ToLower(element.Hash))
		assert.Equal(t, len(elements) == 1, err == nil, "%v", err)
		if element.Cert != "" {
			assert.Equal(t, last[0].Raw, plainPEM(t, element.Cert)[0].Raw)
		}
		if len(element.Chain) > 0 {
			sameCertificates(t, plainPEM(t, strings.Join(element.Chain, "")), last)
		}
	})
}

type plainElement struct {
	By, Chain, URI, DNS         []string
	Hash, Cert, Subject, Issuer string
}

func plainXFCCJSON(t *testing.T, value string) (elements []plainElement) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(value))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&elements))
	return elements
}

// assertElement compares the certificates with those of the last element.
func assertElement(t *testing.T, value string, certs []*x509.Certificate) {
	t.Helper()
	elements := plainXFCC(value)
	have := map[string][]string{}
	for _, pair := range elements[len(elements)-1] {
		have[pair[0]] = append(have[pair[0]], pair[1])
	}
	require.Len(t, have["hash"], 1)
	sum := sha256.Sum256(certs[0].Raw)
	assert.Equal(t, hex.EncodeToString(sum[:]), strings.ToLower(have["hash"][0]))
	for _, key := range []string{"cert", "chain", "subject", "issuer"} {
		assert.LessOrEqual(t, len(have[key]), 1, key)
	}
	for _, key := range []string{"cert", "chain"} {
		if len(have[key]) == 0 {
			continue
		}
		text, err := url.PathUnescape(have[key][0])
		require.NoError(t, err)
		plain := plainPEM(t, text)
		assert.Equal(t, certs[0].Raw, plain[0].Raw, key)
		if key == "chain" {
			sameCertificates(t, plain, certs)
		}
	}
}
