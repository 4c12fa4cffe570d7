package forwarded

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// The texts in which an operator reads why a value is not an X-Forwarded-Client-Cert.
func TestParseXFCC_SaysWhatIsWrong(t *testing.T) {
	elements := func(n int) string { return strings.TrimSuffix(strings.Repeat("By=a,", n), ",") }
	for value, want := range map[string]string{
		"":                        "element 0: no key and equals sign at offset 0",
		"By=a\x1f":                "byte 0x1f at offset 4",
		"\tBy=a":                  "byte 0x09 at offset 0",
		"By=a\x7f":                "byte 0x7f at offset 4",
		"By=\u00e9":               "byte 0xc3 at offset 3",
		"[{\"By\":\"a\"}]":        "JSON form",
		"{\"By\":\"a\"}":          "JSON form",
		elements(maxElements + 1): "more than 16 elements",
		"By=a,":                   "element 1: no key and equals sign at offset 5",
		"By=a,,By=b":              "element 1: no key and equals sign at offset 5",
		",By=a":                   "element 0: no key and equals sign at offset 0",
		"By":                      "no key and equals sign at offset 0",
		"By;":                     "no key and equals sign at offset 0",
		"B@=a":                    "no key and equals sign at offset 0",
		"B[=a":                    "no key and equals sign at offset 0",
		"B`=a":                    "no key and equals sign at offset 0",
		"B{=a":                    "no key and equals sign at offset 0",
		"=a":                      "no key and equals sign at offset 0",
		"By=a;;":                  "no key and equals sign at offset 5",
		"By=a;;By=b":              "no key and equals sign at offset 5",
		"Hash=\"a":                "quote does not close",
		"Hash=\"a\\":              "backslash at the end",
		"Hash=\"":                 "quote does not close",
		"Hash=\"a\"b":             "text after a closing quote at offset 8",
		"Hash=a\"b":               "'\"' within an unquoted value at offset 6",
		"Hash=a b":                "' ' within an unquoted value at offset 6",
		"aA=a":                    "key \"aa\" is not known",
		"zZ=a":                    "key \"zz\" is not known",
		"Other=a":                 "key \"other\" is not known",
		"Hash=a;Hash=a":           "hash occurs twice",
		"Hash=a;hash=b":           "hash occurs twice",
		"Subject=\"\";Subject=":   "subject occurs twice",
		"Hash=":                   "hash is empty",
		"Cert=\"\"":               "cert is empty",
		"Chain=;By=a":             "chain is empty",
	} {
		found, err := parseXFCC(value)
		assert.ErrorContains(t, err, want, "%q", value)
		assert.Empty(t, found)
	}
	for value, n := range map[string]int{
		"By=a":                     1,
		"By=":                      1,
		"By=!~":                    1,
		"By=a;By=b":                1,
		"By=a;":                    1,
		"By=a;,By=b;":              2,
		"URI=a;URI=b;DNS=c;DNS=d":  1,
		"Subject=\"\";Issuer=":     1,
		"Subject=\"a, b; c=\\\"\"": 1,
		elements(maxElements):      maxElements,
	} {
		found, err := parseXFCC(value)
		require.NoError(t, err, "%q", value)
		assert.Len(t, found, n, "%q", value)
	}
}

// The same for JSON. Except for part of a key, no text in it is from the client.
func TestParseXFCCJSON_SaysWhatIsWrong(t *testing.T) {
	elements := func(n int) string { return "[{}" + strings.Repeat(",{}", n-1) + "]" }
	for value, want := range map[string]string{
		"":                              "not the JSON form",
		"Hash=a":                        "not the JSON form",
		`{"hash":"a"}`:                  "not the JSON form",
		` []`:                           "not the JSON form",
		"[\x1f]":                        "byte 0x1f at offset 1",
		"[\u00e9]":                      "byte 0xc3 at offset 1",
		"[ ]":                           "white space at offset 1",
		"[] ":                           "white space at offset 2",
		`[{"hash": "a"}]`:               "white space at offset 9",
		`[{"subject":"\\" }]`:           "white space at offset 16",
		"[":                             "not JSON",
		"[{}":                           "not JSON",
		"[{},]":                         "element 1: not JSON",
		"[,{}]":                         "element 0: not JSON",
		"[{}{}]":                        "element 1: not JSON",
		"[{}}":                          "not JSON",
		"[{}]]":                         "text after the array",
		"[{}][{}]":                      "text after the array",
		"[{}]x":                         "text after the array",
		"[[]]":                          "element 0: no \"{\"",
		"[1]":                           "element 0: no \"{\"",
		"[null]":                        "element 0: no \"{\"",
		`["a"]`:                         "element 0: no \"{\"",
		elements(maxElements + 1):       "more than 16 elements",
		`[{"Hash":"a"}]`:                `key "Hash" is not known`,
		`[{"other":"a"}]`:               `key "other" is not known`,
		`[{"hash":"a","hash":"a"}]`:     "hash occurs twice",
		`[{"uri":[],"uri":[]}]`:         "uri occurs twice",
		`[{"subject":"","subject":""}]`: "subject occurs twice",
		`[{"\u0068ash":"a"}]`:           "an escape that Envoy does not write",
		`[{"hash":"\u0061"}]`:           "an escape that Envoy does not write",
		`[{"cert":"a\/b"}]`:             "an escape that Envoy does not write",
		`[{"chain":["a\tb"]}]`:          "an escape that Envoy does not write",
		`[{"by":["\u0061"]}]`:           "an escape that Envoy does not write",
		`[{"hash":1}]`:                  "no string",
		`[{"hash":null}]`:               "no string",
		`[{"hash":true}]`:               "no string",
		`[{"hash":["a"]}]`:              "no string",
		`[{"hash":{}}]`:                 "no string",
		`[{"cert":""}]`:                 "cert is empty",
		`[{"chain":[]}]`:                "chain is empty",
		`[{"chain":"a"}]`:               "no \"[\"",
		`[{"by":"a"}]`:                  "no \"[\"",
		`[{"uri":[1]}]`:                 "no string",
		`[{"dns":[[]]}]`:                "no string",
		`[{"hash"}]`:                    "not JSON",
		`[{"by":[` + strings.Repeat(`"a",`, maxCertificates) + `"a"]}]`:    "more than 10 strings",
		`[{"chain":[` + strings.Repeat(`"a",`, maxCertificates) + `"a"]}]`: "more than 10 strings",
		`[{"dns":[` + strings.Repeat(`"a",`, maxXFCCNames) + `"a"]}]`:      "more than 1024 strings",
		`[{"hash":"a",}]`:    "not JSON",
		`[{"hash":"a"`:       "not JSON",
		`[{"subject":"\x"}]`: "not JSON",
		`[{"subject":"a]`:    "not JSON",
	} {
		found, err := parseXFCCJSON(value)
		assert.ErrorContains(t, err, want, "%q", value)
		assert.Empty(t, found)
	}
	for value, n := range map[string]int{
		"[]":                  0,
		"[{}]":                1,
		elements(maxElements): maxElements,
		`[{"dns":[` + strings.Repeat(`"a",`, maxXFCCNames-1) + `"a"]}]`: 1,
		`[{"by":[],"uri":[]}]`: 1,
		`[{"by":["a"]},{"dns":["a","b"],"subject":"a, b; c=\"","issuer":"\u00e4"}]`: 2,
	} {
		found, err := parseXFCCJSON(value)
		require.NoError(t, err, "%q", value)
		assert.Len(t, found, n, "%q", value)
	}
}

// Inside quotes a backslash stands for the next byte, whichever it is.
func TestParseXFCC_EscapesAreRead(t *testing.T) {
	found, err := parseXFCC(`By="a\"b\\c\;d";Hash=ab;Cert="\x\,"`)
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, []string{`a"b\c;d`}, found[0].by)
	assert.Equal(t, "ab", found[0].hash)
	assert.Equal(t, "x,", found[0].cert)
}

// Envoy quotes Subject, and never By, URI and DNS. An unquoted name that the client wrote may
// contain a separator (envoyproxy/envoy#32945).
func TestParseXFCC_KnowsWhatTheClientMayHaveWritten(t *testing.T) {
	for value, want := range map[string]bool{
		`By=a;Hash=b`: false, `By=a;Hash=b;Cert="c"`: false,
		`URI=a`: true, `DNS=a`: true, `URI="a"`: true,
		`Subject="a"`: false, `Subject=a`: true, `Issuer="a"`: false, `Issuer=a`: true,
		`Subject="a";Issuer="b"`: false, `Subject="a";Issuer=b`: true, `Subject=a;Issuer="b"`: true,
		`URI=a;Subject="b"`: true, `Subject="b";URI=a`: true, `DNS=a;Issuer="b";Subject="c"`: true,
	} {
		found, err := parseXFCC(value)
		require.NoError(t, err, value)
		require.Len(t, found, 1, value)
		assert.Equal(t, want, found[0].pasted, value)
	}
}

// The fields that an element must have to name a certificate.
func TestXFCC_ElementSaysWhatIsMissing(t *testing.T) {
	for value, want := range map[string]string{
		"Cert=\"a\"":                     "no Hash",
		"Hash=ab":                        "neither Cert nor Chain",
		"Hash=ab;Cert=\"a\"":             "Cert: ",
		"Hash=ab;Chain=\"a\"":            "Chain: ",
		"Hash=ab;Cert=\"a\";Chain=\"a\"": "Cert: ",
	} {
		found, err := parseXFCC(value)
		require.NoError(t, err, value)
		_, err = found[0].certificates()
		assert.ErrorContains(t, err, want, value)
	}
	for value, want := range map[string]string{
		`[{"hash":"ab"}]`:               "neither Cert nor Chain",
		`[{"hash":"ab","cert":"a"}]`:    "Cert: ",
		`[{"hash":"ab","chain":["a"]}]`: "Chain: certificate 0: ",
	} {
		found, err := parseXFCCJSON(value)
		require.NoError(t, err, value)
		_, err = found[0].certificates()
		assert.ErrorContains(t, err, want, value)
	}
}

// RFC 9651, section 3.3.5: a byte sequence is enclosed in colons.
func TestByteSequence_SaysWhatIsWrong(t *testing.T) {
	const form, empty = "not a byte sequence between two colons", "empty byte sequence"
	for value, want := range map[string]string{
		"": form, ":": form, "a": form, "MIIB": form, ":MIIB": form, "MIIB:": form, "a:": form, ":a": form, "::": empty, ":::": "not whole bytes",
	} {
		_, err := byteSequence(value)
		assert.ErrorContains(t, err, want, "%q", value)
	}
}

// The doc of SharedSecret: at least 16 bytes of printable ASCII.
func TestSharedSecret_BytesAtTheEndsOfPrintableASCII(t *testing.T) {
	for value, ok := range map[string]bool{
		"0123456789abcdef": true, "0123456789abcde": false, "01234567 89abcdef": true, "~123456789abcde!": true,
		"01234567\x1f9abcdef": false, "01234567\x7f9abcdef": false, "01234567\t9abcdef": false, "01234567\xe99abcdef": false,
		" 0123456789abcdef": false, "0123456789abcdef ": false,
	} {
		_, err := SharedSecret("X-Gate", value).prepare(source.Environment{})
		assert.Equal(t, ok, err == nil, "%q: %v", value, err)
	}
}
