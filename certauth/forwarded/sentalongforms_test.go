package forwarded_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// A certificate that is sent along with the leaf and that crypto/x509 cannot read does not refuse
// the caller if it is framed as a certificate, and vouches for nothing; otherwise it is malformed.
// The leaf itself must be readable.
func TestReader_CertificatesAlongThatCannotBeRead(t *testing.T) {
	p := newPartner(t)
	framed := []byte{0x30, 4, 0x30, 2, 5, 0} // a sequence that begins with a sequence
	encoded := func(der ...byte) string { return base64.StdEncoding.EncodeToString(der) }
	pem := func(ders ...[]byte) string {
		var text []byte
		for _, der := range ders {
			text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		return url.PathEscape(string(text))
	}
	leaf := p.client.Certificate.Raw
	for name, tc := range map[string]struct {
		value string
		want  certauth.Reason
	}{
		"framed as a certificate":        {pem(leaf, framed), certauth.ReasonNone},
		"two of them":                    {pem(leaf, framed, framed), certauth.ReasonNone},
		"in the place of the leaf":       {pem(framed, leaf), certauth.ReasonCertificateMalformed},
		"a sequence of something else":   {pem(leaf, []byte{0x30, 2, 5, 0}), certauth.ReasonCertificateMalformed},
		"the leaf, and nothing after it": {pem(leaf), certauth.ReasonNone},
	} {
		auth, err := certauth.New(certauth.Config{Source: forwarded.ALB{From: forwarded.InsecureAnyPeer(), Passthrough: true}, Policy: p.chain()})
		require.NoError(t, err)
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header["X-Amzn-Mtls-Clientcert"] = []string{tc.value}
		_, err = auth.Check(r)
		if tc.want == certauth.ReasonNone {
			assert.NoError(t, err, name)
			continue
		}
		refused := (*certauth.Error)(nil)
		if assert.ErrorAs(t, err, &refused, name) {
			assert.Equal(t, tc.want, refused.Reason, "%s: %v", name, err)
		}
	}
	for _, tc := range []struct {
		name  string
		value string
		want  certauth.Reason
	}{
		{"framed as a certificate", p.good + "," + encoded(framed...), certauth.ReasonNone},
		{"two of them", p.good + "," + encoded(framed...) + "," + encoded(framed...), certauth.ReasonNone},
		{"something after it", p.good + "," + encoded(append(framed[:6:6], 5, 0)...), certauth.ReasonCertificateMalformed},
		{"shorter than it says", p.good + "," + encoded(framed[:5]...), certauth.ReasonCertificateMalformed},
		{"a sequence of something else", p.good + "," + encoded(0x30, 2, 5, 0), certauth.ReasonCertificateMalformed},
		{"no sequence", p.good + "," + encoded(0x31, 4, 0x30, 2, 5, 0), certauth.ReasonCertificateMalformed},
		{"in the place of the leaf", encoded(framed...) + "," + p.good, certauth.ReasonCertificateMalformed},
	} {
		auth, err := certauth.New(certauth.Config{Source: forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, Policy: p.chain()})
		if !assert.NoError(t, err) {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
		r.Header.Set("X-Forwarded-Tls-Client-Cert", tc.value)
		id, err := auth.Check(r)
		if tc.want == certauth.ReasonNone {
			assert.NoError(t, err, tc.name)
			assert.NotNil(t, id, tc.name)
			continue
		}
		refused := (*certauth.Error)(nil)
		if assert.ErrorAs(t, err, &refused, tc.name) {
			assert.Equal(t, tc.want, refused.Reason, "%s: %v", tc.name, err)
		}
	}
}

// A certificate in the right form that crypto/x509 cannot read is identified by its subject, and
// the hint says what its CA must correct, because the front end is configured correctly.
func TestReader_LeafThatCannotBeReadIsNamed(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner Root")
	for _, tc := range []struct {
		name   string
		cert   *certauthtest.Certificate
		broken bool // including the subject
		says   string
	}{
		{"with a subject", ca.Issue(t, "orders", serial), false, `the certificate of "CN=orders`},
		{"without one", ca.Issue(t, "", serial, func(c *x509.Certificate) { c.Subject = pkix.Name{} }), false, `the certificate of ""`},
		{"with one that cannot be read", ca.Issue(t, "orders", serial), true, "the certificate cannot be read: "},
	} {
		der := bytes.Clone(tc.cert.Certificate.Raw)
		at := bytes.Index(der, []byte{2, 2, 0x12, 0x34})
		require.Positive(t, at)
		der[at+2] = 0x92 // negative, which RFC 5280, section 4.1.2.2, forbids
		if tc.broken {
			der[bytes.LastIndex(der, []byte{6, 3, 0x55, 4, 3})] = 5 // a type that is no OID
		}
		header := http.Header{"X-Forwarded-Tls-Client-Cert": {base64.StdEncoding.EncodeToString(der)}}
		refused := refusedBy(t, forwarded.Traefik{From: forwarded.InsecureAnyPeer()}, newPartner(t), header)
		assert.Equal(t, certauth.ReasonCertificateMalformed, refused.Reason, tc.name)
		assert.ErrorContains(t, refused, tc.says, tc.name)
		assert.ErrorContains(t, refused, " cannot be read: ", tc.name)
		assert.NotContains(t, refused.Error(), "not of one certificate", tc.name)
		assert.Equal(t, "the header is correct; ask the CA for a new certificate: serial numbers must be positive (RFC 5280, section 4.1.2.2)", refused.Hint, tc.name)
	}
}

func serial(c *x509.Certificate) { c.SerialNumber = big.NewInt(0x1234) }

// A flag of the front end has at most one kibibyte: a longer one is malformed, and not merely a
// different value.
func TestReader_LengthOfAFlag(t *testing.T) {
	p := newPartner(t)
	for n, want := range map[int]certauth.Reason{1024: certauth.ReasonFrontEndUnverified, 1025: certauth.ReasonCertificateMalformed} {
		leaf := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.client.Certificate.Raw})))
		refused := refusedBy(t, forwarded.Nginx{From: forwarded.InsecureAnyPeer()}, p, http.Header{"X-Client-Cert": {leaf}, "X-Client-Verify": {strings.Repeat("x", n)}})
		assert.Equal(t, want, refused.Reason, "%d: %v", n, refused)
	}
}
