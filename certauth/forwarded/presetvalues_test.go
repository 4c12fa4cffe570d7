package forwarded_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// clientWith returns a client whose base64 contains a plus sign, a slash and padding.
func clientWith(t testing.TB, p partner) *x509.Certificate {
	t.Helper()
	for n := range 500 {
		cert := p.ca.Issue(t, strings.Repeat("n", 1+n%3)).Certificate
		text := base64.StdEncoding.EncodeToString(cert.Raw)
		if strings.Contains(text, "+") && strings.Contains(text, "/") && strings.HasSuffix(text, "=") {
			return cert
		}
	}
	require.Fail(t, "no client with all digits")
	return nil
}

func malformedRows(header string, table map[string]string) []row {
	var rows []row
	for name, value := range table {
		rows = append(rows, row{name, put(header, value), certauth.ReasonCertificateMalformed})
	}
	return rows
}

// insert inserts text into the middle of the value's base64.
func insert(value, text string) string {
	middle := len(value) * 2 / 3
	return value[:middle] + text + value[middle:]
}

// Rows 18, 19, 21, 23 and 24, which apply to every form.
func TestPresets_ValuesThatAreNoCertificate(t *testing.T) {
	p := newPartner(t)
	client := clientWith(t, p)
	der := client.Raw
	text := func(folder, name string) []byte {
		damaged, err := base64.StdEncoding.DecodeString(vectorValue(t, folder, name))
		require.NoError(t, err, name)
		return damaged
	}
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			good := d.form.value(client)
			wrap := d.form.wrap
			table := map[string]string{
				"row 18 one byte over the limit": strings.Repeat("A", d.form.limit+1), "row 18 a group over the limit": strings.Repeat("A", d.form.limit+4), "row 18 1 MiB of A": strings.Repeat("A", 1<<20),
				"row 18 100 000 commas": strings.Repeat(",", 100_000), "row 18 100 000 BEGIN": strings.Repeat("-----BEGIN", 100_000), "row 18 100 000 semicolons": strings.Repeat(";", 100_000),
				"row 18 up to the limit, of A": strings.Repeat("A", d.form.limit), "row 18 up to the limit, of commas": strings.Repeat(",", d.form.limit), "row 18 up to the limit, of percent signs": strings.Repeat("%", d.form.limit),
				"row 19 NUL": insert(good, "\x00"), "row 19 DEL": insert(good, "\x7f"), "row 19 BOM": "\ufeff" + good, "row 19 full-width plus": insert(good, "＋"), "row 19 CR": insert(good, "\r"), "row 19 LF": insert(good, "\n"),
				"row 19 CR LF": insert(good, "\r\n"), "row 19 tab": insert(good, "\t"), "row 19 trailing LF": good + "\n", "row 19 LF in front": "\n" + good, "row 19 0xFF": insert(good, "\xff"), "row 19 no-break space": insert(good, "\u00a0"),
				"row 21 obs-fold": insert(good, "  "),
				"row 23 hex":      hex.EncodeToString(der), "row 23 base64 of base64": wrap([]byte(base64.StdEncoding.EncodeToString(der))), "row 23 base64 of PEM": wrap([]byte(asPEM(client))),
				"row 23 PKCS#7": wrap(text("appservice", "decode-pkcs7")), "row 23 a public key": wrap(text("appservice", "decode-spki")), "row 23 PKCS#12": wrap(text("openssl", "not-a-certificate-pkcs12")),
				"row 23 a request": wrap(text("openssl", "not-a-certificate-csr")), "row 23 a list": wrap(text("openssl", "not-a-certificate-crl")), "row 23 a private key": wrap(keyDER(t, p)),
				"row 24 a trailing byte": wrap(append(der[:len(der):len(der)], 0)), "row 24 two certificates in one": wrap(append(der[:len(der):len(der)], der...)), "row 24 cut short": wrap(der[:len(der)-1]), "row 24 its first bytes": wrap(der[:4]),
				"row 24 10 000 nested": wrap([]byte(strings.Repeat("\x30\x80", 5000))), "row 24 a length of 2^63": wrap([]byte("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x02\x01\x01")), "row 24 an empty SEQUENCE": wrap([]byte{0x30, 0}),
			}
			for _, name := range []string{"decode-truncated-half", "decode-indefinite-length", "decode-length-overflow", "decode-length-overflow-64", "decode-long-length"} {
				table["row 24 "+name] = wrap(text("appservice", name))
			}
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(client) }, malformedRows(d.header, table))
			t.Run("row 18 costs no memory", func(t *testing.T) {
				for _, long := range []string{strings.Repeat("A", 1<<20), strings.Repeat(",", 100_000), strings.Repeat("-----BEGIN", 100_000), strings.Repeat(";", 100_000), strings.Repeat("%", 100_000)} {
					r := d.request(client)
					put(d.header, long)(r)
					r = overSocket(t, r)
					check := func() { _, _ = s.plain.Check(r) }
					assert.LessOrEqual(t, testing.AllocsPerRun(10, check), 64.0)
					assert.LessOrEqual(t, bytesPerRun(10, check), uint64(8<<10))
				}
			})
		})
	}
}

func keyDER(t *testing.T, p partner) []byte {
	t.Helper()
	block, _ := pem.Decode(p.client.KeyPEM(t))
	require.NotNil(t, block)
	return block.Bytes
}

// Row 22: a certificate has only one spelling in base64.
func TestPresets_Base64HasOneSpelling(t *testing.T) {
	p := newPartner(t)
	client := clientWith(t, p)
	good := base64.StdEncoding.EncodeToString(client.Raw)
	body := strings.TrimRight(good, "=")
	padBits := body[:len(body)-1] + string(nextDigit(body[len(body)-1])) + good[len(body):]
	wrong := map[string]string{
		"base64url": strings.NewReplacer("+", "-", "/", "_").Replace(good), "missing padding": body, "= in front": "=" + good, "= in the middle": insert(good, "="), "===": body + "===", "bits beyond the last byte": padBits,
		"an inner space": insert(good, " "), "an inner line end": insert(good, "\n"), "an inner tab": insert(good, "\t"), "four line ends": insert(good, "\r\n\r\n"), "surplus padding": good + "====", "percent-encoded": strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(good),
		"a space for the plus": strings.ReplaceAll(good, "+", " "), "lines of 76": good[:76] + "\r\n" + good[76:], "quoted": `"` + good + `"`,
	}
	for _, d := range presets() {
		var dress func(string) string
		switch d.form.name {
		case formBase64.name, formList.name:
			dress = func(text string) string { return text }
		case formSequence.name:
			dress = func(text string) string { return ":" + text + ":" }
		default:
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			table := map[string]string{"row 22 a trailing comma": dress(good) + ",", "row 22 a leading comma": "," + dress(good)}
			for name, text := range wrong {
				table["row 22 "+name] = dress(text)
			}
			rows := append(malformedRows(d.header, table), row{"row 22 as it is", put(d.header, dress(good)), certauth.ReasonNone})
			s.judgeAll(t, func() *http.Request { return d.request(client) }, rows)
		})
	}
}
