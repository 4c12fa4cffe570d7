package forwarded_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// cca #240: a value without colons was accepted. The cases of the Structured Fields test suite on
// byte sequences (RFC 9651, section 4.2.7), unchanged and adapted to a whole certificate. The two
// deviations that parsers may accept, missing padding and surplus bits, are refused here.
func TestDecode_RFC9440IsStrict(t *testing.T) {
	p := newPartner(t)
	client := clientWith(t, p)
	text := asList(client)
	body := strings.TrimRight(text, "=")
	table := map[string]string{}
	for _, literal := range []string{
		"::", ":aGVsbG8=:", ":=aGVsbG8=:", ":a=GVsbG8=:", ":aGVsbG8:", ":aGVsbG8=", "aGVsbG8=:", ":aGVsb G8=:", ":aGVsbG8=!:", ":aGVsbG8=\\:", ":iZ==:", ":/+Ah:", ":_-Ah:", ":aGVsbG8=:;a=1", ":\n:", ":aGVsbG8=\n:", ":\x00:", ":ü:", ":a:b:", ":",
		"?1", "1", `"aGVsbG8="`, "(:aGVsbG8=:)", "aGVsbG8=", "*aGVsbG8=*", "@1659578233", "%\"a\"",
	} {
		table[fmt.Sprintf("the suite's %q", literal)] = literal
	}
	for name, value := range map[string]string{
		"row 35 bare base64": text, "row 35 no colon in front": text + ":", "row 35 no trailing colon": ":" + text, "row 35 a parameter": ":" + text + ":;a=1", "row 35 a parameter without a value": ":" + text + ":;a", "row 35 a semicolon": ":" + text + ":;",
		"row 35 two members": ":" + text + ":, :" + text + ":", "two sequences": ":" + text + "::" + text + ":", "a space inside": ":" + text[:40] + " " + text[40:] + ":", "a line end inside": ":" + text[:64] + "\n" + text[64:] + ":", "spaces inside the colons": ": " + text + " :",
		"a space in front": " :" + text + ":", "a trailing space": ":" + text + ": ", "a tab in front": "\t:" + text + ":", "padding in front": ":=" + text + ":", "padding in the middle": ":" + text[:8] + "=" + text[9:] + ":", "missing padding": ":" + body + ":", "surplus padding": ":" + text + "=:",
		"bits beyond the last byte": ":" + body[:len(body)-1] + string(nextDigit(body[len(body)-1])) + text[len(body):] + ":", "base64url": ":" + strings.NewReplacer("+", "-", "/", "_").Replace(text) + ":", "base64url with padding kept": ":" + strings.ReplaceAll(text, "/", "_") + ":",
		"three colons": "::" + text + ":", "a trailing comma": ":" + text + ":,", "a backslash": ":" + text[:8] + "\\" + text[9:] + ":", "an exclamation mark": ":" + text + "!:", "a string": `"` + text + `"`, "asterisks of an old draft": "*" + text + "*", "an inner list": "(:" + text + ":)",
	} {
		table[name] = value
	}
	for _, d := range presets() {
		if d.form.name != formSequence.name {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(client) }, append(malformedRows(d.header, table), row{"as it is", nil, certauth.ReasonNone}))
		})
	}
}

// Keycloak's lookups silently truncate a chain. Here a chain is read completely or refused: by
// count in this test, by length in TestPresets_LengthsAtTheirLimits and below.
func TestDecode_ChainOverTheLimitIsRefusedNotCut(t *testing.T) {
	p := newPartner(t)
	m := newMaker(t)
	others := func(n int) []*x509.Certificate {
		certs := []*x509.Certificate{p.client.Certificate}
		for i := range n {
			certs = append(certs, p.ca.Issue(t, fmt.Sprintf("other %d", i)).Certificate)
		}
		return certs
	}
	large := sizedClient(t, m, p, 7000)
	for _, c := range carriers() {
		t.Run(c.preset, func(t *testing.T) {
			d := named(c.preset)
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			sent := func(certs []*x509.Certificate) func() *http.Request {
				return func() *http.Request {
					r := d.request(certs[0])
					c.send(r, certs...)
					return r
				}
			}
			for beside := range 10 {
				id := s.judge(t, sent(others(beside)), certauth.ReasonNone)
				if assert.NotNil(t, id) {
					assert.Len(t, id.Presented, 1+beside)
				}
			}
			for _, beside := range []int{10, 11, 12, 20} {
				s.judge(t, sent(others(beside)), certauth.ReasonCertificateMalformed)
				// The source itself returns the error, before the Authenticator counts again.
				found, err := read(t, d.source(fromTens()), overSocket(t, sent(others(beside))()))
				assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
				assert.Empty(t, found)
			}
			if strings.Contains(c.preset, "numbered") || c.preset == "Apache" {
				return // one header per certificate, each with its own limit
			}
			certs := others(0)
			for range 8 { // nine certificates, but more than 64 KiB in every form
				certs = append(certs, large)
			}
			s.judge(t, sent(certs), certauth.ReasonCertificateMalformed)
		})
	}
}
