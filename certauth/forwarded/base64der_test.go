package forwarded_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// refusedAsMalformed checks values that must neither yield a certificate nor count as absent.
func refusedAsMalformed(t *testing.T, table map[string]string) {
	t.Helper()
	onAppService(t)
	p := newPartner(t)
	for name, value := range table {
		t.Run(name, func(t *testing.T) {
			attempt{values: values(value), want: certauth.ReasonCertificateMalformed}.run(t, p)
		})
	}
}

// cca #187, #189; encoding/pem skips a damaged block.
func TestDecode_DamagedLeafIsNeverReplacedByTheNext(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	der := p.client.Raw
	damaged := append([]byte(nil), der...)
	damaged[4] ^= 0xff // the tag of the TBSCertificate
	text := base64.StdEncoding.EncodeToString
	for name, lines := range map[string][]string{
		"damaged and whole in one DER":  values(text(append(damaged[:len(damaged):len(damaged)], der...))),
		"damaged and whole by a comma":  values(text(damaged) + "," + p.good),
		"damaged and whole in two":      values(text(damaged), p.good),
		"whole and damaged in two":      values(p.good, text(damaged)),
		"junk in front of the DER":      values(text(append([]byte{0, 0, 0}, der...))),
		"an empty SEQUENCE in front":    values(text(append([]byte{0x30, 0}, der...))),
		"wrapped in one more SEQUENCE":  values(text(append([]byte{0x30, 0x82, byte(len(der) >> 8), byte(len(der))}, der...))),
		"damaged PEM and whole base64":  values("-----BEGIN CERTIFICATE-----" + p.good + "-----END CERTIFICATE-----"),
		"the issuing CA's in front":     values(text(append(p.ca.Certificate.Raw[:len(p.ca.Certificate.Raw):len(p.ca.Certificate.Raw)], der...))),
		"damaged alone":                 values(text(damaged)),
		"whole, an empty member before": values("," + p.good),
	} {
		t.Run(name, func(t *testing.T) { attempt{values: lines, want: certauth.ReasonCertificateMalformed}.run(t, p) })
	}
}

// CVE-2023-27493 Envoy: every byte outside the alphabet, at both ends and in the middle.
func TestDecode_ControlBytesAreRefused(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain()})
	require.NoError(t, err)
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for c := range 256 {
		b := string([]byte{byte(c)})
		if strings.Contains(alphabet, b) {
			continue
		}
		four := strings.Repeat(b, 4) // keeps the length a multiple of four
		for _, value := range []string{p.good[:8] + b + p.good[9:], p.good[:8] + four + p.good[8:], four + p.good, p.good + four, b + p.good, p.good + b, b} {
			_, err := auth.Check(arriving(value))
			assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err), "byte %#02x", c)
		}
	}
}

// Cloud Foundry's gorouter and Envoy use one header name for two formats.
func TestDecode_FormatIsNeverGuessed(t *testing.T) {
	table := map[string]string{}
	for _, name := range []string{
		"decode-rfc9440", "decode-rfc9440-list", "decode-xfcc", "decode-xfcc-base64", "decode-hex", "decode-hex-colons", "decode-base64url", "decode-json", "decode-data-url", "decode-quoted",
		"decode-pem-percent", "decode-pem-percent-lower", "decode-pem-percent-twice", "decode-pem-spaces", "decode-pem-joined", "decode-pem-junk", "decode-base64-pem", "decode-percent-base64", "decode-set",
	} {
		table[name] = vectorValue(t, "appservice", name)
	}
	refusedAsMalformed(t, table)
}

// cca #220, #240.
func TestDecode_TrailingBytesAreRefused(t *testing.T) {
	p := newPartner(t)
	table := map[string]string{"text after the padding": p.good + "AAAA", "a newline in the map": p.good + "\n"}
	for name, tail := range map[string]string{"a zero": "\x00", "a space": " ", "a line end": "\n", "another DER value": "\x05\x00", "three zeros": "\x00\x00\x00", "many": strings.Repeat("\x00", 3000)} {
		table[name] = base64.StdEncoding.EncodeToString(append(p.client.Raw[:len(p.client.Raw):len(p.client.Raw)], tail...))
	}
	refusedAsMalformed(t, table)
}

// base64.Strict allows CR and LF; Keycloak's MIME decoder and .NET skip whitespace.
func TestDecode_Base64HasOneSpelling(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	// One client for each kind of padding, which the length of the common name determines.
	for padding := range 3 {
		client := p.client
		for n := 0; strings.Count(client.Base64()[len(client.Base64())-2:], "=") != padding; n++ {
			client = p.ca.Issue(t, strings.Repeat("n", 1+n%32))
		}
		good := client.Base64()
		body := strings.TrimRight(good, "=")
		attempt{name: "as it is", values: values(good)}.run(t, p)
		others := []string{
			good + "=", good + "==", good + "====", "=" + good, body + "===", strings.NewReplacer("+", "-", "/", "_").Replace(good) + "-", good + "\n", good + "\r\n", " " + good, good + " ",
			good[:64] + "\n" + good[64:], good[:64] + "\r\n" + good[64:], good[:64] + "\r\n\r\n" + good[64:], good[:76] + "\n\n\n\n" + good[76:], good[:1] + " " + good[1:],
		}
		if padding > 0 {
			others = append(others, body, body+strings.Repeat("=", padding%2+1), body[:len(body)-1]+string(nextDigit(body[len(body)-1]))+good[len(body):])
		}
		for _, value := range others {
			attempt{values: values(value), want: certauth.ReasonCertificateMalformed}.run(t, p)
		}
	}
}

// nextDigit changes the lowest bit of a base64 digit, which is unused before padding.
func nextDigit(c byte) byte {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	return alphabet[strings.IndexByte(alphabet, c)^1]
}

// Vault's URL decoder, blend's envoyutil, Keycloak's Traefik lookup, the ACA sample.
func TestDecode_PlusIsNeverASpace(t *testing.T) {
	p := newPartner(t)
	for !strings.Contains(p.good, "+") {
		p = newPartner(t)
	}
	onAppService(t)
	attempt{name: "a plus sign is a digit", values: values(p.good)}.run(t, p)
	refusedAsMalformed(t, map[string]string{
		"a space for it": strings.ReplaceAll(p.good, "+", " "), "%2B for it": strings.ReplaceAll(p.good, "+", "%2B"), "%2b for it": strings.ReplaceAll(p.good, "+", "%2b"), "the committed vector": vectorValue(t, "appservice", "decode-plus-as-space"),
	})
}

// DecodeString returns bytes together with its error; ParseCertificates(nil) returns neither
// certificates nor an error.
func TestDecode_PartialResultIsDiscarded(t *testing.T) {
	p := newPartner(t)
	whole := strings.TrimRight(p.good, "=")
	refusedAsMalformed(t, map[string]string{
		"whole, then a bad group": whole[:len(whole)/4*4] + "!!!!", "whole and padded, then a bad group": p.good + "!!!!", "whole, then half a group": p.good + "AA",
		"nothing, padded": "====", "nothing, half padded": "==", "an empty SEQUENCE": base64.StdEncoding.EncodeToString([]byte{0x30, 0}), "one zero byte": "AA==",
	})
}

// Caddy 2.6 and 2.11 (fix #7530), Apache, HAProxy write a placeholder for absence.
func TestDecode_AbsenceSentinelsNeverYieldACertificate(t *testing.T) {
	table := map[string]string{}
	for _, sentinel := range []string{
		"(null)", "null", "NULL", "nil", "<nil>", "none", "None", "NONE", "undefined", "-", "::", ":", ":::", `""`, "''", "false", "0", "N/A", "[]", "{}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "{http.request.tls.client.certificate_der_base64}", "%28null%29", "AAAA", "bnVsbA==",
	} {
		table[sentinel] = sentinel
	}
	refusedAsMalformed(t, table)
}

// HAProxy's /CN=admin inside a CN, Traefik's Info header, Azure's WebForms sample: text about a
// certificate is never read.
func TestDecode_NameHeadersAreNeverRead(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	policy := certauth.All{p.chain(), certauth.CommonNames{"admin"}}
	tell := func(r *http.Request) {
		for _, line := range []string{
			"X-Ssl-Client-S-Dn: CN=admin", "X-Ssl-Client-Cn: admin", "X-Client-Cert-Subject: CN=admin", "X-Client-Cert-Serial: 01", "X-Ssl-Client-San: DNS:admin", "Ssl-Client-Subject-Dn: CN=admin",
			"X-Forwarded-Tls-Client-Cert-Info: Subject%3D%22CN%3Dadmin%22", "X-Ms-Client-Principal-Name: admin", "X-Arr-Clientcert-Subject: CN=admin", "X-Amzn-Mtls-Clientcert-Subject: CN=admin", "Remote-User: admin",
		} {
			name, value, _ := strings.Cut(line, ": ")
			r.Header[name] = values(value)
		}
		r.Header["X-Arr-Ssl"] = values("2048|256|CN=admin|CN=admin") // the server's certificate
	}
	attempt{policy: policy, values: values(p.good), change: tell, want: certauth.ReasonNameNotAllowed}.run(t, p)
	attempt{policy: policy, change: tell, want: certauth.ReasonCertificateMissing}.run(t, p)
	attempt{policy: policy, values: values(p.ca.Issue(t, "admin").Base64()), want: certauth.ReasonNone}.run(t, p)
	attempt{policy: policy, values: values(certauthtest.SelfSigned(t, "admin").Base64()), change: tell, want: certauth.ReasonChainUntrusted}.run(t, p)
}

// nginx folds $ssl_client_cert; Traefik 2.8 to 2.9.1 escaped (#9412, #9669): a form that one preset
// tolerates is refused by the others.
func TestDecode_ToleranceStaysInItsPreset(t *testing.T) {
	p := newPartner(t)
	refusedAsMalformed(t, map[string]string{
		"Apache's PEM with spaces": strings.ReplaceAll(string(p.client.PEM()), "\n", " "), "Apache's (null)": "(null)", "nginx's percent-encoded PEM": strings.ReplaceAll(string(p.client.PEM()), "\n", "%0A"),
		"Traefik's list": p.good + "," + base64.StdEncoding.EncodeToString(p.ca.Certificate.Raw), "RFC 9440": ":" + p.good + ":", "HAProxy's empty sequence": "::", "Caddy's <nil>": "<nil>",
		"gorouter's folded lines": p.good[:64] + " " + p.good[64:], "percent-encoded base64": strings.NewReplacer("+", "%2B", "/", "%2F", "=", "%3D").Replace(p.good) + "%0A",
	})
}
