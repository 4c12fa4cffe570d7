package forwarded_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// sizedClient makes a client certificate of exactly that many bytes of DER.
func sizedClient(t *testing.T, m maker, p partner, size int) *x509.Certificate {
	t.Helper()
	for filler := size - 500; ; {
		cert, err := x509.ParseCertificate(m.der(t, p.client.PublicKey, func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, filler)}}
		}))
		require.NoError(t, err)
		if len(cert.Raw) == size {
			return cert
		}
		if off := size - len(cert.Raw); off > 1 || off < -1 { // the size of the signature varies by a byte
			filler += off
		}
	}
}

// Row 18: the longest value that is accepted, and the shortest that is not.
func TestPresets_LengthsAtTheirLimits(t *testing.T) {
	p := newPartner(t)
	m := newMaker(t)
	// DER sizes whose values have exactly the limit or just less, and the next sizes, which exceed
	// it.
	sizes := map[string][2]int{formBase64.name: {12288, 12289}, formSequence.name: {12285, 12289}, formSpaced.name: {12057, 12060}}
	for _, d := range presets() {
		size, found := sizes[d.form.name]
		if !found {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: certauth.Chain{Roots: certauth.Certificates(m.cert)}})
			for i, want := range []certauth.Reason{certauth.ReasonNone, certauth.ReasonCertificateMalformed} {
				cert := sizedClient(t, m, p, size[i])
				length := len(d.form.value(cert))
				assert.Equal(t, want != certauth.ReasonNone, length > d.form.limit, "%d bytes", length)
				s.judge(t, func() *http.Request { return d.request(cert) }, want)
			}
		})
	}
	for _, d := range presets() {
		if d.form.name != formURL.name && d.form.name != formURLChain.name && d.form.name != formXFCC.name {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: certauth.Chain{Roots: certauth.Certificates(m.cert)}})
			cert := sizedClient(t, m, p, 9000)
			for extra, want := range []certauth.Reason{certauth.ReasonNone, certauth.ReasonCertificateMalformed} {
				value := stretched(t, d.form, cert, d.form.limit+extra)
				s.judge(t, func() *http.Request {
					r := d.request(cert)
					put(d.header, value)(r)
					return r
				}, want)
			}
		})
	}
}

// stretched lengthens a genuine value without changing its meaning: with unnecessary escapes, or
// with a subject that is not used.
func stretched(t *testing.T, f form, cert *x509.Certificate, length int) string {
	t.Helper()
	certs := []*x509.Certificate{cert}
	switch f.name {
	case formXFCC.name:
		value := f.value(cert) + `;Subject="`
		return value + strings.Repeat("s", length-len(value)-1) + `"`
	case formURLChain.name:
		certs = append(certs, cert, cert) // copies of the leaf are ignored
	}
	value := f.value(certs...)
	if (length-len(value))%2 != 0 {
		value = strings.TrimSuffix(value, "%0A") // the last line end is free
	}
	var b strings.Builder
	missing := length - len(value)
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '%':
			b.WriteString(value[i : i+3])
			i += 2
		case missing >= 2:
			fmt.Fprintf(&b, "%%%02x", value[i])
			missing -= 2
		default:
			b.WriteByte(value[i])
		}
	}
	require.Equal(t, length, b.Len(), "cannot be stretched so far")
	return b.String()
}
