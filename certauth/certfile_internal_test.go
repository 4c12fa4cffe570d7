package certauth

import (
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// The result is at least one certificate that crypto/x509 reads in the same way, and for DER
// exactly one.
func FuzzParseCerts(f *testing.F) {
	leaf := certauthtest.SelfSigned(f, "client")
	f.Add(leaf.Raw)
	f.Add(leaf.PEM())
	f.Add(append(leaf.PEM(), leaf.Raw...))
	f.Add(append([]byte{}, append(leaf.Raw, leaf.Raw...)...))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, content []byte) {
		certs, err := parseCerts(content)
		if err != nil {
			assert.Empty(t, certs)
			return
		}
		require.NotEmpty(t, certs)
		for _, cert := range certs {
			_, err := x509.ParseCertificate(cert.Raw)
			require.NoError(t, err)
		}
		if content[0] == 0x30 && content[1] >= 0x80 {
			assert.Equal(t, content, certs[0].Raw)
			assert.Len(t, certs, 1)
		}
	})
}
