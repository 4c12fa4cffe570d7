package forwarded_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// status lists the flags of a preset, without the headers that a gate reads.
func (d preset) status() [][2]string {
	var flags [][2]string
	for _, pair := range d.beside {
		if pair[0] != "X-Azure-FDID" {
			flags = append(flags, pair)
		}
	}
	return flags
}

// judgeFlags judges rows based on the genuine request of a preset.
func judgeFlags(t *testing.T, name string, rows []row) {
	t.Helper()
	p := newPartner(t)
	d := named(name)
	t.Run(name, func(t *testing.T) {
		s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
		s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, rows)
	})
}

// Traefik #5061, #5012; ingress-nginx without its annotations: a certificate without the front
// end's verification. Rows 51 and 53.
func TestTrust_VerifyHeaderIsRequired(t *testing.T) {
	with := 0
	for _, d := range presets() {
		for _, flag := range d.status() {
			if flag[1] == "" {
				continue // its required value is its absence
			}
			with++
			judgeFlags(t, d.name, []row{
				{"row 51 " + flag[0] + " is there", nil, certauth.ReasonNone},
				{"row 51 " + flag[0] + " is absent", put(flag[0]), certauth.ReasonFrontEndUnverified},
				{"row 51 " + flag[0] + " is empty", put(flag[0], ""), certauth.ReasonFrontEndUnverified},
				{"row 51 " + flag[0] + " only as an alias", inOrder(put(flag[0]), func(r *http.Request) {
					for _, name := range aliases(flag[0]) {
						r.Header[name] = values(flag[1])
					}
				}), certauth.ReasonFrontEndUnverified},
				{"row 51 " + flag[0] + " twice", put(flag[0], flag[1], flag[1]), certauth.ReasonCertificateMalformed},
				{"row 51 " + flag[0] + " twice, the second bad", put(flag[0], flag[1], "NONE"), certauth.ReasonCertificateMalformed},
				{"row 51 " + flag[0] + " only in a trailer", inOrder(put(flag[0]), func(r *http.Request) {
					r.Trailer = http.Header{http.CanonicalHeaderKey(flag[0]): values(flag[1])}
				}), certauth.ReasonFrontEndUnverified},
			})
		}
	}
	assert.Equal(t, 20, with, "eleven presets with flags: two in each variant of HAProxy and of Cloudflare, and in Google")
}

// finding R3: without a certificate, a flag that says "verified" made a request malformed for some
// presets and anonymous for others.
//
// HAProxy's ssl_c_verify is 0 without any certificate; Cloudflare verifies revoked ones; Google has
// an allow-invalid mode. Row 52.
func TestTrust_VerifyFlagWithoutCertificateGrantsNothing(t *testing.T) {
	for _, d := range presets() {
		if len(d.status()) == 0 {
			continue
		}
		want := certauth.ReasonCertificateMissing
		judgeFlags(t, d.name, []row{
			{"success without a certificate", put(d.header), want},
			{"success and an empty certificate", put(d.header, ""), want},
			{"success from elsewhere, without a certificate", inOrder(put(d.header), func(r *http.Request) { r.RemoteAddr = "203.0.113.9:1" }), certauth.ReasonCertificateMissing},
			{"success and nonsense", put(d.header, "?"), certauth.ReasonCertificateMalformed},
		})
	}
	for _, name := range []string{"HAProxy", "HAProxy numbered"} {
		judgeFlags(t, name, []row{
			{"row 52 used 0, verify 0, empty certificate", inOrder(put("X-SSL-Client-Used", "0"), put("X-SSL-Client-Cert", "")), certauth.ReasonCertificateMissing},
			{"row 52 used 0, verify 0, no certificate", inOrder(put("X-SSL-Client-Used", "0"), put("X-SSL-Client-Cert")), certauth.ReasonCertificateMissing},
			{"used 0, verify 0, somebody's certificate", put("X-SSL-Client-Used", "0"), certauth.ReasonFrontEndUnverified},
		})
	}
	judgeFlags(t, "HAProxy RFC 9440", []row{{"used 0, verify 0, an empty byte sequence", inOrder(put("X-SSL-Client-Used", "0"), put("Client-Cert", "::")), certauth.ReasonCertificateMalformed}})
	t.Run("where the front end is believed", func(t *testing.T) {
		p := newPartner(t)
		for name, source := range verifying() {
			s := newStand(t, certauth.Config{Source: source(fromTens()), Policy: certauth.CommonNames{"orders"}})
			d := named(name)
			s.judge(t, func() *http.Request {
				r := d.request(p.client.Certificate)
				d.without(r)
				return r
			}, certauth.ReasonCertificateMissing)
		}
	})
}

// No trimming, no folding of case, no other spelling. Rows 51 and 53 to 56.
func TestTrust_VerifyFlagMatchesExactly(t *testing.T) {
	denied := certauth.ReasonFrontEndUnverified
	for _, d := range presets() {
		for _, flag := range d.status() {
			var rows []row
			for _, value := range []string{
				"NONE", "success", "Success", "SUCCESS ", " SUCCESS", "SUCCESS,FAILED", "FAILED:SUCCESS", "SUCCESS;", "GENEROUS", "FAILED", "FAILED:self-signed certificate", "PASSTHROUGH", "OK", "TRUE", "True", "true ", "yes", "on", "1", "0", "01", "true,false", "false", "\x00", "null",
			} {
				if value != flag[1] {
					rows = append(rows, row{"row 51 " + flag[0] + " is " + strings.ReplaceAll(value, "\x00", "NUL"), put(flag[0], value), denied})
				}
			}
			judgeFlags(t, d.name, rows)
		}
	}
	var rows []row
	for _, value := range []string{"20", "00", "0x0", "-0", "+0", "0 ", "18", "21", "0,0", "0.0", ""} {
		rows = append(rows, row{"row 53 verify " + value, put("X-SSL-Client-Verify", value), denied})
	}
	for _, value := range []string{"0", "01", "2", "true", "1 ", ""} {
		rows = append(rows, row{"row 53 used " + value, put("X-SSL-Client-Used", value), denied})
	}
	judgeFlags(t, "HAProxy", append(rows, row{"row 53 verify absent", put("X-SSL-Client-Verify"), denied}, row{"row 53 used absent", put("X-SSL-Client-Used"), denied}))
	judgeFlags(t, "ApplicationGateway", []row{
		{"row 54 PASSTHROUGH where SUCCESS is asked", put("X-Client-Certificate-Verification", "PASSTHROUGH"), denied},
		{"row 54 empty", put("X-Client-Certificate-Verification", ""), denied},
	})
	judgeFlags(t, "ApplicationGateway passthrough", []row{
		{"SUCCESS where PASSTHROUGH is asked", put("X-Client-Certificate-Verification", "SUCCESS"), denied},
		{"NONE", put("X-Client-Certificate-Verification", "NONE"), denied},
	})
	judgeFlags(t, "GoogleLB", []row{
		{"row 55 present true, verified false", put("X-Client-Cert-Chain-Verified", "false"), denied},
		{"row 55 verified true with an error", put("X-Client-Cert-Error", "client_cert_validation_failed"), denied},
		{"row 55 present absent", put("X-Client-Cert-Present"), denied},
		{"row 55 present false", put("X-Client-Cert-Present", "false"), denied},
		{"the error header is absent", put("X-Client-Cert-Error"), certauth.ReasonNone},
		{"the error header twice, both empty", put("X-Client-Cert-Error", "", ""), certauth.ReasonCertificateMalformed},
	})
	for _, variant := range []string{"Cloudflare", "Cloudflare RFC 9440"} { // row 76: the fields of RFC 9440 are filled whatever the validation said
		judgeFlags(t, variant, []row{
			{"row 56 verified true, revoked true", put("Cf-Cert-Revoked", "true"), denied},
			{"row 56 verified true, revoked absent", put("Cf-Cert-Revoked"), denied},
			{"row 56 verified false, revoked false", put("Cf-Cert-Verified", "false"), denied},
		})
	}
	judgeFlags(t, "CloudFront", []row{{"present is 0", put("CloudFront-Viewer-Cert-Present", "0"), denied}})
}

// Row 57: certificate and fingerprint are from different senders.
func TestPresets_FingerprintMustMatch(t *testing.T) {
	other := certauthtest.SelfSigned(t, "other").Certificate
	for _, d := range presets() {
		if d.fingerprint == "" {
			continue
		}
		p := newPartner(t)
		s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
		right := d.digest(p.client.Certificate)
		wrong := digestSHA1(p.client.Certificate)
		if len(right) == len(wrong) {
			wrong = digestSHA256(p.client.Certificate)
		}
		malformed := certauth.ReasonCertificateMalformed
		t.Run(d.name, func(t *testing.T) {
			s.judgeAll(t, func() *http.Request { return d.request(p.client.Certificate) }, []row{
				{"the right one", nil, certauth.ReasonNone},
				{"upper case", put(d.fingerprint, strings.ToUpper(right)), certauth.ReasonNone},
				{"with colons", put(d.fingerprint, colons(right)), certauth.ReasonNone},
				{"row 57 of another certificate", put(d.fingerprint, d.digest(other)), malformed},
				{"row 57 absent", put(d.fingerprint), malformed},
				{"row 57 empty", put(d.fingerprint, ""), malformed},
				{"row 57 the SHA-256 of nothing", put(d.fingerprint, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), malformed},
				{"row 57 the SHA-1 of nothing", put(d.fingerprint, "da39a3ee5e6b4b0d3255bfef95601890afd80709"), malformed},
				{"row 57 of another hash function", put(d.fingerprint, wrong), malformed},
				{"row 57 one digit short", put(d.fingerprint, right[1:]), malformed},
				{"row 57 one byte short", put(d.fingerprint, right[2:]), malformed},
				{"row 57 one byte long", put(d.fingerprint, right+"00"), malformed},
				{"row 57 twice", put(d.fingerprint, right, right), malformed},
				{"row 57 a trailing space", put(d.fingerprint, right+" "), malformed},
				{"row 57 no hex", put(d.fingerprint, strings.Repeat("z", len(right))), malformed},
				{"row 57 colons alone", put(d.fingerprint, "::"), malformed},
				{"another certificate beside the right fingerprint", put(d.header, d.form.value(other)), malformed},
			})
		})
	}
}

// Row 58: with pass-certificate off, nothing in the request distinguishes the client's certificate
// from one that the client wrote itself. This row documents how little the flag means there.
func TestPresets_Row58IsFoundByTheProbeAlone(t *testing.T) {
	p := newPartner(t)
	victim := p.ca.Issue(t, "victim").Certificate
	d := named("IngressNginx")
	s := newStand(t, certauth.Config{Source: forwarded.IngressNginx{From: fromTens()}, Policy: p.chain()})
	id := s.judge(t, func() *http.Request { return d.request(victim) }, certauth.ReasonNone)
	assert.Equal(t, "victim", id.Leaf.Subject.CommonName)
}
