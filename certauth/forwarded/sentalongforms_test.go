package forwarded_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// What is sent along with the leaf and crypto/x509 does not read keeps nobody out if it is
// framed as a certificate, and vouches for nothing; what is framed otherwise is malformed. The
// leaf itself must be read.
func TestReader_CertificatesAlongThatCannotBeRead(t *testing.T) {
	p := newPartner(t)
	framed := []byte{0x30, 4, 0x30, 2, 5, 0} // a sequence that begins with a sequence
	encoded := func(der ...byte) string { return base64.StdEncoding.EncodeToString(der) }
	for _, tc := range []struct {
		name  string
		value string
		want  certauth.Reason
	}{
		{"framed as a certificate", p.good + "," + encoded(framed...), certauth.ReasonNone},
		{"two of them", p.good + "," + encoded(framed...) + "," + encoded(framed...), certauth.ReasonNone},
		{"something behind it", p.good + "," + encoded(append(framed[:6:6], 5, 0)...), certauth.ReasonCertificateMalformed},
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
