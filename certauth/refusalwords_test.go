package certauth_test

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// unparsed returns the DER of a client of that CA, which crypto/x509 may be unable to read.
func (p *party) unparsed(t testing.TB, public any, change ...certauthtest.Template) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(0x1501), NotBefore: p.NotBefore, NotAfter: p.NotAfter, RawSubject: nameOf(t, nameValue{oidCN, asn1.TagUTF8String, "odd client"})}
	asClient(template)
	for _, f := range change {
		f(template)
	}
	if public == nil {
		public = newECKey(t, elliptic.P256()).Public()
	}
	der, err := x509.CreateCertificate(rand.Reader, template, p.Certificate, public, p.key)
	require.NoError(t, err)
	return der
}

// overwritten replaces the only occurrence of the bytes by the same number of other bytes.
func overwritten(t testing.TB, der []byte, old, now string) []byte {
	t.Helper()
	require.Equal(t, 1, bytes.Count(der, []byte(old)))
	require.Len(t, now, len(old))
	return bytes.Replace(der, []byte(old), []byte(now), 1)
}

// version1 returns what plain openssl x509 -req would make: neither version nor extensions.
func version1(t testing.TB, der []byte) []byte {
	t.Helper()
	var whole struct{ TBS, Algorithm, Signature asn1.RawValue }
	_, err := asn1.Unmarshal(der, &whole)
	require.NoError(t, err)
	var kept [][]byte
	for rest := whole.TBS.Bytes; len(rest) > 0; {
		var one asn1.RawValue
		rest, err = asn1.Unmarshal(rest, &one)
		require.NoError(t, err)
		if one.Class != asn1.ClassContextSpecific {
			kept = append(kept, one.FullBytes)
		}
	}
	return seq(t, seq(t, kept...), whole.Algorithm.FullBytes, whole.Signature.FullBytes)
}

const (
	curveP256      = "\x2a\x86\x48\xce\x3d\x03\x01\x07"
	curvePrime239  = "\x2a\x86\x48\xce\x3d\x03\x01\x06"
	rsaEncryption  = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	idRSASSAPSS    = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"
	pemOfCert      = "CERTIFICATE"
	otherFrontEnd  = "check that Config.Source is the source of the front end"
	reissue        = "ask the CA for a new certificate"
	exclusionsHint = "Config.Exclusions"
)

// Refusals whose detail or hint directed the operator to the front end although the certificate is
// at fault, or vice versa.
func wordsAboutCertificates(t *testing.T, row func(certauth.Reason)) {
	t.Helper()
	root := newRoot(t, "Root")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	client := root.newClient(t)
	pemOf := func(der []byte) string { return string(pem.EncodeToMemory(&pem.Block{Type: pemOfCert, Bytes: der})) }
	b64 := base64.StdEncoding.EncodeToString
	subject := func(attributes ...nameValue) certauthtest.Template {
		return func(c *x509.Certificate) { c.RawSubject = nameOf(t, attributes...) }
	}
	anyPeer := forwarded.InsecureAnyPeer()
	traefik := func(value string) (certauth.Source, map[string]string) {
		return forwarded.Traefik{From: anyPeer}, map[string]string{"X-Forwarded-Tls-Client-Cert": value}
	}
	nginx := func(value string) (certauth.Source, map[string]string) {
		return forwarded.Header{From: anyPeer, Name: "X-Cert", Format: forwarded.FormatURLPEM}, map[string]string{"X-Cert": value}
	}
	single := func(value string) (certauth.Source, map[string]string) {
		return forwarded.Header{From: anyPeer, Name: "X-Cert", Format: forwarded.FormatBase64DER}, map[string]string{"X-Cert": value}
	}
	chained := func(rules ...certauth.Policy) certauth.Policy {
		return append(certauth.All{root.roots()}, rules...)
	}
	type words struct {
		name   string
		der    []byte // in every form of the header, or
		send   func() (certauth.Source, map[string]string)
		policy certauth.Policy
		reason certauth.Reason
		says   []string // must be in the detail
		hint   []string
		never  []string // must be in neither
	}
	notListed := []string{"want one of", "does not list"}
	noSPIFFE := []string{"no SPIFFE ID among", "CommonNames"}
	var seventeen []nameValue
	for i := range 17 {
		seventeen = append(seventeen, nameValue{asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.TagUTF8String, "unit " + string(rune('a'+i))})
	}
	wrongForm := []string{otherFrontEnd, "sends base64", "sends one certificate", "not of one certificate"}
	rows := []words{
		{"negative serial number", overwritten(t, root.unparsed(t, nil), "\x02\x02\x15\x01", "\x02\x02\x95\x01"), nil, nil, certauth.ReasonCertificateMalformed, []string{"negative serial number"}, []string{reissue, "4.1.2.2"}, wrongForm},
		{"serial number 0", root.unparsed(t, nil, func(c *x509.Certificate) { c.SerialNumber = new(big.Int) }), nil, nil, certauth.ReasonCertificateMalformed, []string{"serial number is not positive"}, []string{reissue, "positive serial number"}, wrongForm},
		{"an underscore in a PrintableString", root.unparsed(t, nil, subject(nameValue{oidCN, asn1.TagPrintableString, "host_1"})), nil, nil, certauth.ReasonCertificateMalformed, []string{"invalid attribute value"}, []string{reissue, "UTF8String"}, wrongForm},
		{"a BIT STRING in the subject", root.unparsed(t, nil, subject(nameValue{asn1.ObjectIdentifier{2, 5, 4, 45}, asn1.TagBitString, "\x00a"})), nil, nil, certauth.ReasonCertificateMalformed, []string{"unsupported string type"}, []string{reissue, "UTF8String"}, wrongForm},
		{"a critical subject key identifier", root.unparsed(t, nil, ext(true, []byte{4, 1, 7}, 2, 5, 29, 14)), nil, nil, certauth.ReasonCertificateMalformed, []string{"subject key identifier"}, []string{reissue, "must not be critical"}, wrongForm},
		{"a curve that Go does not know", overwritten(t, root.unparsed(t, nil), curveP256, curvePrime239), nil, nil, certauth.ReasonCertificateMalformed, []string{"unsupported elliptic curve"}, []string{reissue, "P-256"}, wrongForm},
		{"P-224", root.unparsed(t, newECKey(t, elliptic.P224()).Public()), nil, nil, certauth.ReasonCertificateMalformed, []string{"P-224"}, []string{reissue, "P-256"}, wrongForm},
		{"a key for RSA-PSS alone", overwritten(t, root.unparsed(t, rsaKey.Public()), rsaEncryption, idRSASSAPSS), nil, nil, certauth.ReasonCertificateMalformed, []string{"RSA-PSS"}, []string{reissue, "rsaEncryption"}, wrongForm},
		{"version 1, of plain openssl x509 -req", version1(t, root.unparsed(t, nil)), nil, nil, certauth.ReasonCertificateMalformed, []string{"version 1", "want 3"}, []string{"-extfile", "version 3"}, wrongForm},
		{"an extension twice", root.unparsed(t, nil, ext(false, []byte{5, 0}, 1, 2, 3, 4), ext(false, []byte{4, 0}, 1, 2, 3, 4)), nil, nil, certauth.ReasonCertificateMalformed, []string{"duplicate extension"}, []string{reissue, "once"}, wrongForm},

		{"base64 of DER where PEM is expected", nil, func() (certauth.Source, map[string]string) { return nginx(b64(client.Raw)) }, nil, certauth.ReasonCertificateMalformed, nil, []string{"it looks like base64 of DER"}, []string{"base64url"}},
		{"form-encoded PEM", nil, func() (certauth.Source, map[string]string) { return nginx(url.QueryEscape(pemOf(client.Raw))) }, nil, certauth.ReasonCertificateMalformed, nil, []string{"percent-encoded"}, []string{"base64url"}},
		{"form-encoded PEM with bare dashes", nil, func() (certauth.Source, map[string]string) {
			return single(strings.NewReplacer(" ", "+", "\n", "%0A").Replace(pemOf(client.Raw)))
		}, nil, certauth.ReasonCertificateMalformed, nil, []string{"it looks like form-encoded PEM"}, []string{"base64url"}},
		{"base64 without markers and percent-encoded", nil, func() (certauth.Source, map[string]string) { return nginx(url.QueryEscape(b64(client.Raw))) }, nil, certauth.ReasonCertificateMalformed, nil, []string{"old versions of Traefik"}, []string{"base64url"}},
		{"the same under the present Traefik", nil, func() (certauth.Source, map[string]string) { return traefik(url.QueryEscape(b64(client.Raw))) }, nil, certauth.ReasonCertificateMalformed, nil, []string{"old versions of Traefik"}, []string{"base64url"}},
		{"PEM under Traefik", nil, func() (certauth.Source, map[string]string) {
			return traefik(strings.ReplaceAll(pemOf(client.Raw), "\n", ""))
		}, nil, certauth.ReasonCertificateMalformed, nil, []string{"it looks like PEM"}, []string{"base64url"}},
		{"no certificate, a probe perhaps", nil, func() (certauth.Source, map[string]string) { return traefik("") }, nil, certauth.ReasonCertificateMissing, []string{"no X-Forwarded-Tls-Client-Cert"}, []string{exclusionsHint, "method and path"}, []string{otherFrontEnd}},
		{"no certificate over TLS", nil, func() (certauth.Source, map[string]string) { return certauth.TLS{}, nil }, nil, certauth.ReasonCertificateMissing, nil, []string{exclusionsHint, "method and path"}, []string{otherFrontEnd}},

		{"a user of Active Directory by its common name", root.unparsed(t, nil, subject(
			nameValue{asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}, asn1.TagIA5String, "corp"},
			nameValue{oidCN, asn1.TagUTF8String, "Users"}, nameValue{oidCN, asn1.TagUTF8String, "Jo Doe"},
		)), nil, chained(certauth.CommonNames{"Jo Doe"}), certauth.ReasonNameNotAllowed, []string{"2 values", "Jo Doe", "Users"}, []string{"Subject", "UPNs"}, []string{"is not one of those"}},
		// finding N139, as the next one: the README promised that the detail says where the certificate has the name.
		{"a DNS name where a common name is asked", root.unparsed(t, nil, certauthtest.DNS("orders.example")), nil, chained(certauth.CommonNames{"orders.example"}), certauth.ReasonNameNotAllowed, []string{"odd client"}, []string{"as a DNS name", "DNSNames"}, []string{"does not list its name"}},
		{"a common name beside a DNS name", root.unparsed(t, nil, certauthtest.DNS("other.example"), subject(nameValue{oidCN, asn1.TagUTF8String, "orders.example"})), nil, chained(certauth.DNSNames{"orders.example"}), certauth.ReasonNameNotAllowed, []string{"other.example"}, []string{"as its common name", "CommonNames"}, []string{"does not list its name"}},
		{"a common name where a DNS name is asked", root.unparsed(t, nil), nil, chained(certauth.DNSNames{"client.example"}), certauth.ReasonNameNotAllowed, []string{"no DNS name", "odd client"}, []string{"common name", "CommonNames"}, []string{"have 0", "()"}},
		{"a common name where an address is asked", root.unparsed(t, nil), nil, chained(certauth.IPs{"192.0.2.1"}), certauth.ReasonNameNotAllowed, []string{"no IP address", "odd client"}, []string{"common name"}, []string{"have 0", "()"}},
		{"an e-mail address in the subject", root.unparsed(t, nil, subject(nameValue{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, asn1.TagIA5String, "jo@partner.example"})), nil, chained(certauth.Emails{"jo@partner.example"}), certauth.ReasonNameNotAllowed, []string{"no e-mail address", "jo@partner.example"}, []string{"in the subject", "Subject"}, []string{"have 0", "()"}},
		{"a DNS name where a URI is asked", root.unparsed(t, nil, certauthtest.DNS("a.example")), nil, chained(certauth.URIs{"https://a.example/"}), certauth.ReasonNameNotAllowed, []string{"no URI", "a.example"}, []string{"alternative name"}, []string{"have 0", "()"}},

		{"finding R26: a DNS name that is no host name, under Not", root.unparsed(t, nil, certauthtest.DNS("b.example.")), nil, chained(certauth.Not{Policy: certauth.DNSNames{"a.example"}}), certauth.ReasonNameNotAllowed, []string{`have 1 ("b.example."), not certainly different from 1 excluded ("a.example")`}, []string{"in another spelling"}, notListed},
		{"finding R26: a quoted mailbox, under Not", root.unparsed(t, nil, certauthtest.Email(`"jo"@b.example`)), nil, chained(certauth.Not{Policy: certauth.Emails{"@a.example"}}), certauth.ReasonNameNotAllowed, []string{`not certainly different from 1 excluded ("@a.example")`}, []string{"in another spelling"}, notListed},
		{"finding R26: a common name with combining letters, under Not", root.unparsed(t, nil, subject(nameValue{oidCN, asn1.TagUTF8String, "Cafe\u0301"})), nil, chained(certauth.Not{Policy: certauth.CommonNames{"Caf\u00E9"}}), certauth.ReasonNameNotAllowed, []string{"not certainly different from 1 excluded"}, []string{"in another spelling"}, notListed},
		{"finding R26: the same in a whole subject", root.unparsed(t, nil, subject(nameValue{oidCN, asn1.TagUTF8String, "Cafe\u0301"})), nil, chained(certauth.Not{Policy: certauth.Subject{"CN=Caf\u00E9"}}), certauth.ReasonNameNotAllowed, []string{"not certainly different from 1 excluded"}, []string{"in another spelling"}, notListed},
		{"finding R26: an excluded issuer in another letter case", root.unparsed(t, nil), nil, chained(certauth.Not{Policy: certauth.IssuerName{"CN=ROOT,O=partner ltd"}}), certauth.ReasonIssuerNotAllowed, []string{`issuer is "CN=Root,O=Partner Ltd", not certainly different from 1 excluded ("CN=ROOT,O=partner ltd")`}, []string{"in another spelling"}, append(notListed, "the chain is trusted")},
		{"finding R26: within an Any", root.unparsed(t, nil, certauthtest.DNS("b.example.")), nil, chained(certauth.Any{certauth.Not{Policy: certauth.DNSNames{"a.example"}}, certauth.Not{Policy: certauth.CommonNames{"odd client"}}}), certauth.ReasonPolicyRefused, []string{`have 1 ("b.example."), not certainly different from 1 excluded ("a.example")`}, nil, notListed},
		{"finding R26: seventeen organizational units, under Not", root.unparsed(t, nil, subject(seventeen...)), nil, chained(certauth.Not{Policy: certauth.OrganizationalUnits{"x"}}), certauth.ReasonNameNotAllowed, []string{"17 values, want at most 16"}, []string{"fewer of them"}, append(notListed, "have 17")},
		{"finding R26: an extension that is no text, under Not", root.unparsed(t, nil, ext(false, []byte{5, 0}, 1, 2, 3, 4)), nil, chained(certauth.Not{Policy: certauth.Extension{OID: "1.2.3.4", Text: []string{"x"}}}), certauth.ReasonExtensionNotAllowed, []string{"extension 1.2.3.4 is not one string"}, []string{"openssl x509 -text"}, []string{"another value"}},
		{"finding R26: two Not, which are none", root.unparsed(t, nil), nil, chained(certauth.Not{Policy: certauth.Not{Policy: certauth.CommonNames{"other"}}}), certauth.ReasonNameNotAllowed, nil, nil, []string{"not certainly different"}},

		{"finding R27: a SPIFFE ID beside another URI", root.unparsed(t, nil, certauthtest.URI(t, "spiffe://a.example/b", "https://a.example")), nil, chained(certauth.SPIFFEIDs{"spiffe://a.example/b"}), certauth.ReasonNameNotAllowed, []string{`2 URIs ("spiffe://a.example/b", "https://a.example"), want exactly one, a SPIFFE ID`}, []string{"X.509-SVID"}, noSPIFFE},
		{"finding R27: a URI that is no SPIFFE ID", root.unparsed(t, nil, certauthtest.URI(t, "spiffe://A.example/b")), nil, chained(certauth.SPIFFEIDs{"spiffe://a.example/b"}), certauth.ReasonNameNotAllowed, []string{`1 URIs ("spiffe://A.example/b"), want exactly one, a SPIFFE ID`, "lower-case"}, []string{"X.509-SVID"}, noSPIFFE},
		{"finding R27: no SPIFFE ID, but another URI", root.unparsed(t, nil, certauthtest.URI(t, "https://a.example")), nil, chained(certauth.SPIFFEIDs{"spiffe://a.example/b"}), certauth.ReasonNameNotAllowed, []string{"no SPIFFE ID among", `URIs "https://a.example"`}, []string{"alternative name"}, nil},
		{"finding R27: a trust domain alone", root.unparsed(t, nil, certauthtest.URI(t, "spiffe://a.example")), nil, chained(certauth.SPIFFEIDs{"spiffe://a.example"}), certauth.ReasonNameNotAllowed, []string{`1 URIs ("spiffe://a.example"), want exactly one, a SPIFFE ID`, "path"}, []string{"X.509-SVID"}, noSPIFFE},

		{"finding R29: a URI that a rule cannot read", root.unparsed(t, nil, certauthtest.Extension(t, "2.5.29.17", append([]byte{0x30, 7, 0x86, 5}, "urn: "...))), nil, chained(certauth.URIs{"urn:a"}), certauth.ReasonCertificateMalformed, []string{"byte outside printable ASCII"}, []string{"the header is correct", reissue}, wrongForm},
		{"finding R29: a principal name that a rule cannot read", root.unparsed(t, nil, certauthtest.Extension(t, "2.5.29.17", []byte("\x30\x15\xA0\x13\x06\x0A\x2B\x06\x01\x04\x01\x82\x37\x14\x02\x03\xA0\x05\x16\x03a@b"))), nil, chained(certauth.UPNs{"a@b"}), certauth.ReasonCertificateMalformed, []string{"user principal name is not a UTF8String"}, []string{"the header is correct", reissue}, wrongForm},
		{"finding R29: what a Not excludes", root.unparsed(t, nil), nil, chained(certauth.Not{Policy: certauth.CommonNames{"odd client"}}), certauth.ReasonPolicyRefused, []string{"Policy.All[1].Not", "the excluded rule matches"}, []string{"a Not of the policy excludes this certificate"}, []string{"a rule of the application"}},
		{"finding R29: an issuer that a Not excludes", root.unparsed(t, nil), nil, chained(certauth.Not{Policy: certauth.IssuedBy{PublicKeys: []string{spkiPin(root.Certificate)}}}), certauth.ReasonPolicyRefused, []string{"Policy.All[1].Not", "the excluded rule matches"}, []string{"a Not of the policy excludes this certificate"}, []string{"a rule of the application"}},
		{"finding R29: a role that the caller does not have", root.unparsed(t, nil), nil, chained(certauth.Any{certauth.Named{Name: "admin", Policy: certauth.CommonNames{"boss"}}, certauth.CommonNames{"odd client"}}, certauth.Matched{"admin"}), certauth.ReasonPolicyRefused, []string{`want one of "admin"`}, []string{"a Named that accepts it"}, []string{"a rule of the application"}},
		{"finding R29: no certificate over TLS", nil, func() (certauth.Source, map[string]string) { return certauth.TLS{}, nil }, nil, certauth.ReasonCertificateMissing, []string{"no certificate"}, []string{"tls.Config.ClientAuth"}, []string{"front end"}},
	}
	for _, tc := range rows {
		t.Run(tc.name, func(t *testing.T) {
			if strings.Contains(tc.name, "BIT STRING") && !onGo126() {
				t.Skip("crypto/x509 reads it since Go 1.27")
			}
			row(tc.reason)
			ways := []func() (certauth.Source, map[string]string){tc.send}
			if tc.der != nil {
				ways = []func() (certauth.Source, map[string]string){
					func() (certauth.Source, map[string]string) { return traefik(b64(tc.der)) },
					func() (certauth.Source, map[string]string) { return single(b64(tc.der)) },
					func() (certauth.Source, map[string]string) {
						return nginx(strings.ReplaceAll(url.QueryEscape(pemOf(tc.der)), "+", "%20"))
					},
				}
			}
			for _, way := range ways {
				source, headers := way()
				policy := tc.policy
				if policy == nil {
					policy = root.roots()
				}
				auth, err := certauth.New(certauth.Config{Source: source, Policy: policy})
				require.NoError(t, err)
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				if _, ok := source.(certauth.TLS); ok {
					r.TLS = &tls.ConnectionState{}
				}
				for name, value := range headers {
					r.Header.Set(name, value)
				}
				_, err = auth.Check(r)
				var refused *certauth.Error
				require.ErrorAs(t, err, &refused)
				assert.Equal(t, tc.reason, refused.Reason)
				for _, want := range tc.says {
					assert.ErrorContains(t, refused, want)
				}
				for _, want := range tc.hint {
					assert.Contains(t, refused.Hint, want)
				}
				for _, wrong := range tc.never {
					assert.NotContains(t, refused.Error(), wrong)
					assert.NotContains(t, refused.Hint, wrong)
				}
				assert.LessOrEqual(t, len(refused.Hint), 330)
			}
		})
	}
}

// The mistakes of New that named only a symptom: each now says what the text is and what to do.
func wordsAboutTheConfiguration(t *testing.T, row func(certauth.Reason)) {
	t.Helper()
	root := newRoot(t, "Root")
	good := string(pem.EncodeToMemory(&pem.Block{Type: pemOfCert, Bytes: root.Raw}))
	old := root.unparsed(t, nil, asCA, func(c *x509.Certificate) { c.RawSubject = nameOf(t, nameValue{oidCN, asn1.TagUTF8String, "Old Root"}) })
	old = overwritten(t, old, "\x02\x02\x15\x01", "\x02\x02\x95\x01")
	bundle := good + string(pem.EncodeToMemory(&pem.Block{Type: pemOfCert, Bytes: old}))
	wide := []byte{0xFF, 0xFE}
	for _, unit := range utf16.Encode([]rune(good)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	inFile := func(content string) certauth.PEMFile {
		name := filepath.Join(t.TempDir(), "roots.pem")
		require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
		return certauth.PEMFile(name)
	}
	directory, err := os.Getwd()
	require.NoError(t, err)
	const vault = "@Microsoft.KeyVault(SecretUri=https://kv.vault.azure.net/secrets/pin/)"
	const store = "@Microsoft.AppConfiguration(Endpoint=https://store.azconfig.io; Key=pin)" // finding N60
	sum := strings.Repeat("AB:", 31) + "AB"
	roots := func(source certauth.CertSource) certauth.Policy { return certauth.Chain{Roots: source} }
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		says   []string
		never  []string
	}{
		{"a bundle with a root that Go cannot parse", roots(certauth.PEM(bundle)), []string{"Policy.Chain.Roots", "block 1", `"CN=Old Root"`, "negative serial number", "remove the block"}, []string{"is not a certificate"}},
		{"the same in a file", roots(inFile(bundle)), []string{"block 1", `"CN=Old Root"`, "negative serial number"}, []string{"is not a certificate"}},
		{"UTF-16", roots(inFile(string(wide))), []string{"UTF-16", "Out-File"}, []string{"no certificate", "0 of 0"}},
		{"UTF-16 without a mark", roots(certauth.PEM(wide[2:])), []string{"UTF-16"}, []string{"no certificate"}},
		{"line ends as backslash and n", roots(certauth.PEM(strings.ReplaceAll(good, "\n", `\n`))), []string{"backslash and an n", "application setting"}, []string{"byte order mark"}},
		{"line ends as spaces", roots(certauth.PEM(strings.ReplaceAll(good, "\n", " "))), []string{"all on one line"}, []string{"byte order mark"}},
		{"base64 of PEM", roots(certauth.PEM(base64.StdEncoding.EncodeToString([]byte(good)))), []string{"base64 of PEM"}, []string{"no certificate"}},
		{"base64 without markers", roots(certauth.PEM(base64.StdEncoding.EncodeToString(root.Raw))), []string{"without the markers"}, []string{"no certificate"}},
		{"a path as PEM", roots(certauth.PEM("/etc/certs/roots.pem")), []string{`"/etc/certs/roots.pem"`, "PEMFile"}, []string{"no certificate"}},
		{"a path of Windows as PEM", roots(certauth.PEM(`C:\certs\roots`)), []string{"PEMFile"}, []string{"no certificate"}},
		{"a file that is missing", roots(certauth.PEMFile("certs/roots.pem")), []string{`"certs/roots.pem"`, "the working directory is", filepath.Base(directory)}, []string{"stat "}},
		{"a Key Vault reference as PEM", roots(certauth.PEM(vault)), []string{"Key Vault reference", "not resolved"}, []string{"no certificate"}},
		{"an App Configuration reference as PEM", roots(certauth.PEM(store)), []string{"App Configuration", "not resolved"}, []string{"no certificate"}},
		{"an App Configuration reference as a pin", certauth.Thumbprints{store}, []string{"App Configuration", "not resolved"}, []string{"separator"}},
		{"a Key Vault reference as a pin", certauth.Thumbprints{vault}, []string{"Policy.Thumbprints[0]", "Key Vault reference", "not resolved"}, []string{"separator"}},
		{"a Key Vault reference as a pin of a key", certauth.PublicKeys{vault}, []string{"Key Vault reference"}, []string{"neither hex"}},
		{"the output of openssl as a pin", certauth.Thumbprints{"sha256 Fingerprint=" + sum}, []string{"openssl x509 -fingerprint", "equals sign"}, []string{"separator"}},
		{"the output of an older openssl", certauth.ThumbprintsSHA1{"SHA1 Fingerprint=" + sum[:59]}, []string{"openssl x509 -fingerprint"}, []string{"separator"}},
		{"base64 as a pin", certauth.Thumbprints{base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xAB}, 32))}, []string{"base64 of 32 bytes", "hex", "PublicKeys"}, []string{"not whole bytes"}},
		{"base64url as a pin", certauth.Thumbprints{base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xFB}, 32))}, []string{"base64 of 32 bytes"}, []string{"not whole bytes"}},
		{"a certificate as a pin", certauth.Thumbprints{good}, []string{"PEM, not a pin", "Certificates"}, []string{"separator"}},
		{"curl's pin", certauth.PublicKeys{"sha256//" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xAB}, 32))}, []string{"starts with the name of the hash"}, []string{"neither hex"}},
		{"finding P34: a pin from a dialog of Windows, with its mark inside", certauth.ThumbprintsSHA1{sum[:6] + "\u200e" + sum[6:59]}, []string{`the character '\u200e' at offset 6`}, []string{"not whole bytes"}},
		{"finding P34: a pin from a web page, with its spaces", certauth.Thumbprints{strings.ReplaceAll(sum, ":", "\u00a0")}, []string{`the character '\u00a0' at offset 2`}, []string{"not whole bytes"}},
		{"finding P34: the letter O", certauth.Thumbprints{"O" + sum[1:]}, []string{`the character 'O' at offset 0`}, []string{"not whole bytes"}},
		{"a digit less", certauth.Thumbprints{strings.ReplaceAll(sum, ":", "")[1:]}, []string{"not whole bytes in hex"}, nil},
		{"SHA-256 for SHA-1", certauth.ThumbprintsSHA1{sum}, []string{"32 bytes, want 20", "Thumbprints"}, nil},
		{"a function that gives nothing", roots(certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return nil, nil })), []string{"no certificate"}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			row(certauth.ReasonNotConfigured)
			said := strings.Join(mistakesOf(t, tc.policy), "\n")
			for _, want := range tc.says {
				assert.Contains(t, said, want)
			}
			for _, wrong := range tc.never {
				assert.NotContains(t, said, wrong)
			}
		})
	}
}
