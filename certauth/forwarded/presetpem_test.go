package forwarded_test

import (
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// armour returns a function that puts PEM text into the value of a form, or false for other forms.
func (d preset) armour(sum string) (func(text string) string, bool) {
	switch d.form.name {
	case formURL.name, formURLChain.name:
		return escape, true
	case formSpaced.name:
		return func(text string) string { return strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", " ") }, true
	case formXFCC.name:
		return func(text string) string { return "Hash=" + sum + `;Cert="` + escape(text) + `"` }, true
	}
	return nil, false
}

// brokenPEM returns rows 28, 29 and 32 of the list, as text before it is encoded for a header.
func brokenPEM(t *testing.T, p partner, good string) map[string]string {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(good, "\n"), "\n")
	body := strings.Join(lines[1:len(lines)-1], "\n")
	whole := strings.ReplaceAll(body, "\n", "")
	begin, end := lines[0]+"\n", "\n"+lines[len(lines)-1]+"\n"
	corrupt := begin + "!" + body[1:] + end
	damaged := p.client.Raw[:len(p.client.Raw):len(p.client.Raw)]
	damaged = append([]byte(nil), damaged...)
	damaged[4] ^= 0xff
	kind := func(name string) string {
		return strings.ReplaceAll(good, "CERTIFICATE", name)
	}
	headers := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: p.client.Raw})
	require.NotEqual(t, good, corrupt)
	return map[string]string{
		"row 28 junk in front of BEGIN": "subject=CN = orders\n" + good, "row 28 a line end in front of BEGIN": "\n" + good, "row 28 a space in front of BEGIN": " " + good, "row 28 junk after END": good + "junk\n",
		"row 28 junk directly after END": strings.TrimSuffix(good, "\n") + "junk", "row 28 a second line end": good + "\n", "row 28 no END": begin + body + "\n", "row 28 no BEGIN": body + end, "row 28 no end of the BEGIN line": lines[0] + body + end,
		"row 28 lower-case markers": strings.ReplaceAll(good, "CERTIFICATE", "certificate"), "row 28 four dashes": strings.ReplaceAll(good, "-----", "----"), "row 28 PEM headers": string(headers), "row 28 an empty header line": begin + "\n" + body + end,
		"row 28 no body": begin + strings.TrimPrefix(end, "\n"), "row 28 an empty body": begin + end, "row 28 one line": begin + whole + end, "row 28 lines of 76": begin + whole[:76] + "\n" + whole[76:] + end, "row 28 a checksum line": begin + body + "\n=abcd" + end,
		"row 28 another word in END": begin + body + strings.ReplaceAll(end, "CERTIFICATE", "PRIVATE KEY"), "row 28 trailing spaces": begin + strings.ReplaceAll(body, "\n", " \n") + end, "row 28 no padding": begin + strings.TrimRight(body, "=") + end,
		"row 28 text between blocks":   good + "issuer=CN = Partner Root\n" + good,
		"row 29 a corrupt block first": corrupt + good, "row 29 a damaged certificate first": asBlock(damaged) + good, "row 29 a corrupt block alone": corrupt, "row 29 a damaged certificate alone": asBlock(damaged), "row 29 a corrupt block second": good + corrupt,
		"row 29 a private key first": string(p.client.KeyPEM(t)) + good, "row 29 a private key second": good + string(p.client.KeyPEM(t)), "row 29 TRUSTED CERTIFICATE": kind("TRUSTED CERTIFICATE"), "row 29 X509 CERTIFICATE": kind("X509 CERTIFICATE"),
		"row 29 CERTIFICATE REQUEST": kind("CERTIFICATE REQUEST"), "row 29 PKCS7": kind("PKCS7"), "row 29 an empty block first": begin + end + good,
	}
}

// Rows 28, 29 and 32: nothing may accompany the one block, and a bad block is never skipped in
// favour of the next.
func TestPresets_PEMIsExact(t *testing.T) {
	p := newPartner(t)
	client := clientWith(t, p)
	good := asPEM(client)
	for _, d := range presets() {
		dress, found := d.armour(thumbprint(client.Raw))
		if !found {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			table := map[string]string{}
			for name, text := range brokenPEM(t, p, good) {
				value := dress(text)
				if d.form.name == formSpaced.name && strings.TrimRight(text, "\n") == strings.TrimRight(good, "\n") {
					continue // one space more at the end, which row 15 has
				}
				table[name] = value
			}
			rows := malformedRows(d.header, table)
			second := certauth.ReasonCertificateMalformed
			if d.form.name == formURLChain.name {
				second = certauth.ReasonNone
			}
			rows = append(
				rows,
				row{"row 28 as it is", put(d.header, dress(good)), certauth.ReasonNone},
				row{"row 32 a second block", put(d.header, dress(good+good)), second},
				row{"row 32 a second block of somebody else", put(d.header, dress(good+string(p.ca.PEM()))), second},
			)
			s.judgeAll(t, func() *http.Request { return d.request(client) }, rows)
		})
	}
}

// Rows 30 and 31: percent signs are decoded once, and any character may be escaped.
func TestPresets_PercentEncoding(t *testing.T) {
	p := newPartner(t)
	client := clientWith(t, p)
	text := asPEM(client)
	good := escape(text)
	hex := strings.NewReplacer("%2B", "%2b", "%2F", "%2f", "%3D", "%3d", "%0A", "%0a")
	accepted := map[string]string{
		"literal + / =": strings.NewReplacer("%2B", "+", "%2F", "/", "%3D", "=").Replace(good), "literal + only": strings.ReplaceAll(good, "%2B", "+"), "lower-case hex": hex.Replace(good), "CR LF": strings.ReplaceAll(good, "%0A", "%0D%0A"),
		"no line end at the end": strings.TrimSuffix(good, "%0A"), "dashes escaped": strings.ReplaceAll(good, "-", "%2D"), "letters escaped": strings.ReplaceAll(good, "M", "%4D"),
	}
	refused := map[string]string{
		"%252B": strings.ReplaceAll(good, "%2B", "%252B"), "encoded twice": strings.ReplaceAll(good, "%", "%25"), "%25 alone": insert(good, "%25"), "%zz": insert(good, "%zz"), "a lone %": insert(good, "%"), "% at the end": good + "%", "%2 at the end": good + "%2",
		"%00": insert(good, "%00"), "%00 at the end": good + "%00", "%C0%AF": insert(good, "%C0%AF"), "%0D alone": insert(good, "%0D"), "a tab": insert(good, "%09"), "a plus for a space": strings.ReplaceAll(good, "%20", "+"),
		"form encoding": strings.ReplaceAll(strings.ReplaceAll(good, "%20", "+"), "%0A", "%0D%0A"), "a literal space": strings.ReplaceAll(good, "%20", " "), "a space for the plus": strings.ReplaceAll(good, "%2B", " "), "%20 for the plus": strings.ReplaceAll(good, "%2B", "%20"),
		"not encoded at all": strings.ReplaceAll(text, "\n", ""), "decoded on the way": text, "decoded and folded": strings.ReplaceAll(text, "\n", " "), "%EF%BB%BF": "%EF%BB%BF" + good, "a line end too many": good + "%0A", "CR at the end": strings.TrimSuffix(good, "%0A") + "%0D",
	}
	for _, d := range presets() {
		dress := func(value string) string { return value }
		switch d.form.name {
		case formXFCC.name:
			dress = func(value string) string { return "Hash=" + thumbprint(client.Raw) + `;Cert="` + value + `"` }
		case formURL.name, formURLChain.name:
		default:
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			var rows []row
			for name, value := range accepted {
				rows = append(rows, row{"row 31 " + name, put(d.header, dress(value)), certauth.ReasonNone})
			}
			for name, value := range refused {
				rows = append(rows, row{"row 30 " + name, put(d.header, dress(value)), certauth.ReasonCertificateMalformed})
			}
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(client) }, rows)
		})
	}
}

// Row 33, and row 28 in the one form that tolerates spaces.
func TestPresets_SpacedPEM(t *testing.T) {
	p := newPartner(t)
	good := asSpaced(p.client.Certificate)
	for _, name := range []string{"Apache", "Header"} {
		d := named(name)
		s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
		s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, malformedRows(d.header, map[string]string{
			"row 33 a double space": insert(good, "  "), "row 33 two spaces after BEGIN": strings.Replace(good, "-----BEGIN CERTIFICATE----- ", "-----BEGIN CERTIFICATE-----  ", 1), "row 33 a tab": strings.Replace(good, "----- ", "-----\t", 1),
			"row 33 no space after BEGIN": strings.Replace(good, "-----BEGIN CERTIFICATE----- ", "-----BEGIN CERTIFICATE-----", 1), "row 33 no space in front of END": strings.Replace(good, " -----END", "-----END", 1),
			"row 33 two blocks": good + " " + good, "row 33 two blocks without a space": good + good, "row 33 a space elsewhere": insert(good, " "), "row 33 no spaces in the body": strings.ReplaceAll(good[28:len(good)-26], " ", ""),
			"row 33 line ends as they were": asPEM(p.client.Certificate), "row 33 percent-encoded": escape(asPEM(p.client.Certificate)), "row 33 %20 for a space": strings.ReplaceAll(good, " ", "%20"), "row 33 plus for a space": strings.ReplaceAll(good, " ", "+"),
			"row 33 base64 of DER": asList(p.client.Certificate), "row 33 a TRUSTED CERTIFICATE": strings.ReplaceAll(good, "CERTIFICATE", "TRUSTED CERTIFICATE"),
		}))
	}
}
