package forwarded

import (
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/vector"
)

// seeds returns the header values of all committed vectors.
func seeds(f *testing.F) []string {
	f.Helper()
	var values []string
	for _, folder := range []string{"appservice", "openssl", "rfc9440"} {
		cases, err := vector.Load("../../testdata/" + folder)
		require.NoError(f, err)
		for _, c := range cases {
			headers, err := c.Headers()
			require.NoError(f, err)
			for _, h := range headers {
				if strings.EqualFold(h[0], nameARRClientCert) {
					values = append(values, h[1])
				}
			}
		}
	}
	require.NotEmpty(f, values)
	return append(values, "", "=", "====", "A", "(null)", "<nil>", "::", ":", "-", "null", "undefined", "{http.request.tls.client.certificate_der_base64}",
		strings.Repeat("A", maxLeafHeader), strings.Repeat("A", maxLeafHeader+4), strings.Repeat(",", maxLeafHeader), "MIIB\r\n", "MII=", "MI==", "M===", "QR==", "\x00", "\ufeffMIIB", "-----BEGIN CERTIFICATE-----")
}

// A value is accepted if and only if it is the only base64 text, within the limit, of exactly one
// certificate as the standard library reads it.
func FuzzBase64DER(f *testing.F) {
	for _, seed := range seeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		cert, err := decodeBase64DER(value)
		assert.NotEqual(t, cert == nil, err == nil)
		if err != nil {
			assert.LessOrEqual(t, len(err.Error()), 512)
		}
		assert.LessOrEqual(t, len(resembles(value)), 128)

		der, plainErr := base64.StdEncoding.DecodeString(value)
		if plainErr != nil || len(value) > maxLeafHeader || base64.StdEncoding.EncodeToString(der) != value {
			assert.Error(t, err)
			return
		}
		plain, plainErr := x509.ParseCertificate(der)
		if plainErr != nil {
			assert.Error(t, err)
			return
		}
		if assert.NoError(t, err) {
			assert.Equal(t, plain.Raw, cert.Raw)
			assert.Equal(t, value, base64.StdEncoding.EncodeToString(cert.Raw))
		}
	})
}
