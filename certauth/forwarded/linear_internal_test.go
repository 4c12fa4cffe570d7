package forwarded

import (
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allocated returns the bytes that one call allocates on the heap while all other goroutines are
// idle.
func allocated(f func()) uint64 {
	const runs = 20
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// repeated returns text of exactly n bytes: a head followed by repetitions of the unit.
func repeated(head, unit string, n int) string {
	return (head + strings.Repeat(unit, n/len(unit)+1))[:n]
}

// CVE-2025-61723 encoding/pem, CVE-2025-58185 and CVE-2026-33818 encoding/asn1, cca #221: the
// allocation of a decoder is bounded by the length of its input, for every length, and above the
// limit it allocates nothing.
func TestLimits_DecodersAreLinear(t *testing.T) {
	leaf := capturedCertificate(t, "client-rsa")
	block := strings.ReplaceAll(url.QueryEscape(canonicalPEM([]*x509.Certificate{leaf})), "+", "%20")
	text := base64.StdEncoding.EncodeToString(leaf.Raw)
	xfcc := "Hash=" + strings.Repeat("0", 64) + ";"
	type decoder = func(string) ([]*x509.Certificate, error)
	decoders := map[string]struct {
		decode decoder
		limit  int
	}{
		"base64":                  {single(decodeBase64DER), maxLeafHeader},
		"base64 list":             {decodeBase64List, maxChainHeader},
		"base64 concatenated":     {decodeBase64Concatenated, maxChainHeader},
		"byte sequence":           {func(value string) ([]*x509.Certificate, error) { return sequenceCodec().read(value, nil) }, maxLeafHeader},
		"byte sequence list":      {decodeByteSequenceList, maxChainHeader},
		"url-pem":                 {decodeURLPEM, maxLeafHeader},
		"url-pem chain":           {decodeURLPEMChain, maxChainHeader},
		"spaced PEM":              {single(decodeSpacedPEM), maxLeafHeader},
		"XFCC":                    {xfccReader{}.decode, maxChainHeader},
		"XFCC, the last of them":  {xfccReader{hops: 1}.decode, maxChainHeader},
		"XFCC, the last but nine": {xfccReader{hops: 10}.decode, maxChainHeader},
		"XFCC in JSON":            {xfccReader{json: true}.decode, maxChainHeader},
	}
	hostile := map[string][2]string{
		"letters": {"", "A"}, "commas": {"", ","}, "semicolons": {"", ";"}, "colons": {"", ":"}, "padding": {"", "="}, "percent signs": {"", "%"}, "escapes": {"", "%2D"}, "escaped percent signs": {"", "%25"}, "escaped line ends": {"", "%0A"}, "escaped CR LF": {"", "%0D%0A"},
		"BEGIN": {"", "-----BEGIN"}, "whole BEGIN lines": {"", "-----BEGIN%20CERTIFICATE-----%0A"}, "END lines": {"-----BEGIN%20CERTIFICATE-----%0A", "-----END%20CERTIFICATE-----%0A"}, "spaced BEGIN": {"", pemBegin + " "}, "spaced END": {pemBegin + " ", " " + pemEnd}, "spaces": {pemBegin + " ", " "},
		"a block without an end": {"-----BEGIN%20CERTIFICATE-----%0A", "A"}, "good blocks": {"", block}, "good base64": {"", text}, "a list of good ones": {"", text + ","}, "a list of sequences": {"", ":" + text + ":,"}, "nested SEQUENCEs": {"", "MIAw"}, "length bytes": {"", "MIT/"},
		"By pairs": {xfcc, "By=a;"}, "empty By pairs": {xfcc, "By=;"}, "DNS pairs": {xfcc, "DNS=a;"}, "elements": {"", "By=a,"}, "quotes": {xfcc + "Subject=", `"`}, "a long quoted value": {xfcc + `Subject="`, "a"}, "backslashes": {xfcc + `Subject="`, `\`}, "escaped quotes": {xfcc + `Subject="`, `\"`},
		"JSON names": {`[{"uri":[""`, `,""`}, "JSON elements": {`[{}`, `,{}`}, "JSON arrays": {"[", "["}, "JSON keys": {`[{"a":"`, `","a":"`}, "a JSON string": {`[{"subject":"`, "a"}, "JSON escapes": {`[{"subject":"`, `\"`}, "JSON by": {`[{"by":["a"`, `,"a"`},
		"JSON chain": {`[{"chain":["a"`, `,"a"`}, "a JSON certificate": {`[{"cert":"`, `A\n`}, "empty quoted values": {xfcc, `URI="";`}, "a long key": {"", "Hash"}, "a Cert of letters": {xfcc + `Cert="`, "A"}, "a Chain of blocks": {xfcc + `Chain="`, block},
	}
	for name, d := range decoders {
		t.Run(name, func(t *testing.T) {
			valid := validCost(t, name, d.decode, leaf, block, text)
			for kind, parts := range hostile {
				cost := func(n int) uint64 {
					value := repeated(parts[0], parts[1], n)
					return allocated(func() { _, _ = d.decode(value) })
				}
				for _, n := range []int{d.limit / 8, d.limit / 4, d.limit / 2, d.limit} {
					assert.LessOrEqual(t, cost(n), uint64(24*n+8<<10), "%s: %d bytes", kind, n)
				}
				assert.Less(t, cost(d.limit+1), uint64(1<<10), "%s: over the limit", kind)
				assert.Less(t, cost(1<<20), uint64(1<<10), "%s: 1 MiB", kind)
				long := repeated(parts[0], parts[1], 1<<20)
				assert.LessOrEqual(t, testing.AllocsPerRun(5, func() { _, _ = d.decode(long) }), 8.0, "%s: 1 MiB", kind)
			}
			for kind, value := range map[string]string{
				"100 000 commas": strings.Repeat(",", 100_000), "100 000 BEGIN": strings.Repeat("-----BEGIN", 100_000), "a semicolon over 64 KiB": strings.Repeat(";", 64<<10+1),
			} {
				assert.Less(t, allocated(func() { _, _ = d.decode(value) }), valid, kind)
			}
			if strings.HasPrefix(name, "XFCC") {
				semicolons, commas := strings.Repeat(";", 64<<10), strings.Repeat(",", 64<<10)
				assert.Less(t, allocated(func() { _, _ = d.decode(semicolons) }), valid, "64 KiB of semicolons")
				assert.Less(t, allocated(func() { _, _ = d.decode(commas) }), valid, "64 KiB of commas")
			}
		})
	}
}

// Each decoder counts its certificates, even if a later layer counts them too.
func TestLimits_DecodersCountTheirCertificates(t *testing.T) {
	leaf := capturedCertificate(t, "client-ec")
	times := func(n int) []*x509.Certificate {
		var certs []*x509.Certificate
		for range n {
			certs = append(certs, leaf)
		}
		return certs
	}
	concatenated := func(certs []*x509.Certificate) string {
		var der []byte
		for _, cert := range certs {
			der = append(der, cert.Raw...)
		}
		return base64.StdEncoding.EncodeToString(der)
	}
	for name, d := range map[string]struct {
		decode func(string) ([]*x509.Certificate, error)
		text   func([]*x509.Certificate) string
	}{
		"base64 list":         {decodeBase64List, func(c []*x509.Certificate) string { return strings.Join(texts(c), ",") }},
		"base64 concatenated": {decodeBase64Concatenated, concatenated},
		"byte sequence list":  {decodeByteSequenceList, func(c []*x509.Certificate) string { return ":" + strings.Join(texts(c), ":, :") + ":" }},
		"url-pem chain": {decodeURLPEMChain, func(c []*x509.Certificate) string {
			return strings.ReplaceAll(url.QueryEscape(canonicalPEM(c)), "+", "%20")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range maxCertificates + 1 {
				certs, err := d.decode(d.text(times(n)))
				assert.Equal(t, n == 0, err != nil, "%d", n)
				assert.Len(t, certs, n)
			}
			for _, n := range []int{maxCertificates + 1, maxCertificates + 2} {
				certs, err := d.decode(d.text(times(n)))
				assert.Error(t, err)
				assert.Empty(t, certs)
			}
		})
	}
}

// validCost returns the allocation for one valid value of the decoder.
func validCost(t *testing.T, name string, decode func(string) ([]*x509.Certificate, error), leaf *x509.Certificate, block, text string) uint64 {
	t.Helper()
	value := text
	switch {
	case strings.HasPrefix(name, "byte"):
		value = ":" + text + ":"
	case strings.HasPrefix(name, "url"):
		value = block
	case strings.HasPrefix(name, "spaced"):
		value = strings.ReplaceAll(strings.TrimSuffix(canonicalPEM([]*x509.Certificate{leaf}), "\n"), "\n", " ")
	case strings.HasSuffix(name, "JSON"):
		value = `[{"hash":"` + capturedHash + `","cert":"` + strings.ReplaceAll(canonicalPEM([]*x509.Certificate{leaf}), "\n", `\n`) + `"}]`
	case strings.HasPrefix(name, "XFCC"):
		value = "Hash=" + capturedHash + `;Cert="` + block + `"` + strings.Repeat(",By=a", strings.Count(name, "nine")*9)
	}
	certs, err := decode(value)
	require.NoError(t, err)
	require.Len(t, certs, 1)
	return allocated(func() { _, _ = decode(value) })
}

// capturedHash is the SHA-256 of client-rsa, from pki/index.json.
const capturedHash = "454fba97d7a6868a92d05f56392eb4f492f6038ca56030a40bc6f2b0c1b95416"
