package forwarded_test

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// refusedBy returns the refusal of a request with these headers.
func refusedBy(t *testing.T, source certauth.Source, p partner, header http.Header) *certauth.Error {
	t.Helper()
	auth, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header = header
	_, err = auth.Check(r)
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused
}

// The hint of a refusal says what to check next: the front end's configuration if no certificate
// arrived, the network if another sender sent one, and the form of the value, including the form
// that it seems to have, if it is not the expected one.
func TestReader_HintsOfRefusals(t *testing.T) {
	p := newPartner(t)
	anybody, nobody := forwarded.InsecureAnyPeer(), forwarded.SharedSecret("X-Gate", secret)
	good := base64.StdEncoding.EncodeToString(p.client.Certificate.Raw)
	escaped := url.PathEscape(string(p.client.PEM()))
	nginx := func(value string) http.Header {
		h := http.Header{"X-Client-Verify": {"SUCCESS"}}
		if value != "" {
			h["X-Client-Cert"] = []string{value}
		}
		return h
	}
	const (
		missing   = "check that the front end requests a client certificate on this host and path, and that its route sets "
		untrusted = "the request did not come through the front end that From describes; if the front end's address or secret was changed, correct From; otherwise check what else can reach this port" // finding N63
		pem       = "Nginx sends one certificate in percent-encoded PEM ($ssl_client_escaped_cert)"
		base64DER = "it looks like base64 of DER, as App Service, HAProxy and Traefik send it"
	)
	for _, tc := range []struct {
		name   string
		source certauth.Source
		header http.Header
		want   certauth.Reason
		hint   string
		not    string
	}{
		{"no certificate", forwarded.RFC9440{From: anybody}, http.Header{}, certauth.ReasonCertificateMissing, missing + "Client-Cert;", ""},
		{"no certificate from a stranger", forwarded.RFC9440{From: nobody}, http.Header{}, certauth.ReasonCertificateMissing, missing + "Client-Cert;", ""},
		{"no certificate, but its flag", forwarded.Nginx{From: anybody}, nginx(""), certauth.ReasonCertificateMissing, "", missing},
		{"no certificate and another flag", forwarded.Nginx{From: anybody}, http.Header{"X-Client-Verify": {"NONE"}}, certauth.ReasonCertificateMissing, missing + "X-Client-Cert;", ""},
		// finding N128: the hint was to look at the log and the client CA of a front end that had verified the certificate.
		{"a certificate without its flag", forwarded.Nginx{From: anybody}, http.Header{"X-Client-Cert": {escaped}}, certauth.ReasonFrontEndUnverified, "the front end sets no X-Client-Verify on this route", "client CA"},
		{"a certificate with another flag", forwarded.Nginx{From: anybody}, http.Header{"X-Client-Cert": {escaped}, "X-Client-Verify": {"NONE"}}, certauth.ReasonFrontEndUnverified, "the front end did not verify this certificate", "on this route"},
		{"a stranger's", forwarded.Nginx{From: nobody}, nginx("x"), certauth.ReasonSourceUntrusted, untrusted, ""},
		{"another form", forwarded.Nginx{From: anybody}, nginx(good), certauth.ReasonCertificateMalformed, pem + "; " + base64DER, ""},
		{"a form that is known by its first words", forwarded.Nginx{From: anybody}, nginx("-----BEGIN CERTIFICATE-----"), certauth.ReasonCertificateMalformed, pem + "; it looks like PEM", base64DER},
		{"base64 of something else", forwarded.Nginx{From: anybody}, nginx("Zm9vYmFy"), certauth.ReasonCertificateMalformed, pem, base64DER},
		{"Envoy's JSON, where text is wanted", forwarded.Envoy{From: anybody}, http.Header{"X-Forwarded-Client-Cert": {"[]"}}, certauth.ReasonCertificateMalformed, "Envoy sends the X-Forwarded-Client-Cert of Envoy with Hash and Cert or Chain", "in JSON"},
		{"text, where Envoy's JSON is wanted", forwarded.Envoy{From: anybody, JSON: true}, http.Header{"X-Forwarded-Client-Cert": {"Hash=a"}}, certauth.ReasonCertificateMalformed, "with Hash and Cert or Chain, in JSON", ""},
		{"no form at all", forwarded.Nginx{From: anybody}, nginx("?"), certauth.ReasonCertificateMalformed, pem, "; it"},
		// finding N137, as the three after it: the hint was that the value looks like what it has to be, or like something else.
		{"an element without Cert", forwarded.Envoy{From: anybody}, http.Header{"X-Forwarded-Client-Cert": {"Hash=" + strings.Repeat("ab", 32) + ";Subject=\"CN=a\""}}, certauth.ReasonCertificateMalformed, "set_current_client_cert_details with cert: true", "looks like"},
		{"two certificates", forwarded.Nginx{From: anybody}, nginx(escaped + escaped), certauth.ReasonCertificateMalformed, pem, "looks like"},
		{"the name of a variable", forwarded.ApplicationGateway{From: anybody}, http.Header{"X-Client-Certificate": {"{var_client_cert}"}, "X-Client-Certificate-Verification": {"SUCCESS"}}, certauth.ReasonCertificateMalformed, "({var_client_certificate}); it looks like a variable that the front end did not replace", "base64url"},
		{"a fingerprint", forwarded.APIManagement{From: anybody}, http.Header{"X-Client-Cert": {strings.Repeat("AB", 20)}}, certauth.ReasonCertificateMalformed, "it looks like a fingerprint", ""},
		{"base64 where it is wanted", forwarded.Header{From: anybody, Name: "X-Cert", Format: forwarded.FormatBase64DER}, http.Header{"X-Cert": {good + "="}}, certauth.ReasonCertificateMalformed, "Header sends one certificate in the configured format", ""},
	} {
		refused := refusedBy(t, tc.source, p, tc.header)
		assert.Equal(t, tc.want, refused.Reason, "%s: %v", tc.name, refused)
		assert.Contains(t, refused.Hint, tc.hint, tc.name)
		if tc.not != "" {
			assert.NotContains(t, refused.Hint, tc.not, tc.name)
		}
	}
}

// A value that is too long is refused unread, and the operator reads its length.
func TestReader_TooLongSaysHowLong(t *testing.T) {
	p := newPartner(t)
	refused := refusedBy(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, p, http.Header{"X-Client-Cert": {strings.Repeat("x", 16<<10+1)}})
	assert.Equal(t, certauth.ReasonCertificateMalformed, refused.Reason)
	assert.ErrorContains(t, refused, "X-Client-Cert: 16385 bytes, want at most 16384")
}

// With a fingerprint, a chain is read from its own header.
func TestHeader_FingerprintAndChain(t *testing.T) {
	p := newPartner(t)
	issuing := p.ca.NewIntermediate(t, "Issuing")
	client := issuing.Issue(t, "orders")
	source := forwarded.Header{
		From: forwarded.InsecureAnyPeer(), Name: "X-Cert", Format: forwarded.FormatBase64DER,
		ChainName: "X-Chain", ChainFormat: forwarded.ChainBase64Numbered, FingerprintName: "X-Fingerprint", FingerprintHash: forwarded.HashSHA256,
	}
	auth, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header = http.Header{"X-Cert": {client.Base64()}, "X-Fingerprint": {client.Thumbprint()}}
	r.Header.Set("X-Chain_0", base64.StdEncoding.EncodeToString(issuing.Certificate.Raw))
	id, err := auth.Check(r)
	require.NoError(t, err)
	assert.Len(t, id.Presented, 2)
}

// HTTP/2 passes a value on unchanged: the source trims what it reads, and the request's own header
// stays unchanged.
func TestReader_ChangesNoHeader(t *testing.T) {
	p := newPartner(t)
	spaced := strings.ReplaceAll(strings.TrimSpace(string(p.client.PEM())), "\n", " ") + " "
	auth, err := certauth.New(certauth.Config{Source: forwarded.Apache{From: forwarded.InsecureAnyPeer()}, Policy: p.chain()})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
	r.Header.Set("SSL_CLIENT_CERT", spaced)
	r.Header.Set("SSL_CLIENT_VERIFY", "SUCCESS")
	before := r.Header.Clone()
	_, err = auth.Check(r)
	assert.NoError(t, err)
	assert.Equal(t, before, r.Header)
}

// A single missing variable of the platform causes the warning.
func TestAppService_WarnsAboutOneVariable(t *testing.T) {
	p := newPartner(t)
	for _, unset := range []string{"WEBSITE_SITE_NAME", "WEBSITE_INSTANCE_ID"} {
		onAppService(t)
		t.Setenv(unset, "")
		var log bytes.Buffer
		_, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		assert.Contains(t, log.String(), "unset="+unset)
	}
	onAppService(t)
}

// A Connection header that names evidence of the platform, or is too long to be honest (4 KiB),
// refuses a certificate.
func TestAppService_LengthOfTheConnectionHeader(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for n, want := range map[int]certauth.Reason{4096: certauth.ReasonNone, 4097: certauth.ReasonCertificateMalformed} {
		attempt{values: values(p.good), change: func(r *http.Request) { r.Header["Connection"] = []string{strings.Repeat("x", n)} }, want: want}.run(t, p)
	}
}
