package forwarded

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const capturesFolder = "../../testdata/captures"

// capturedValues returns every value in a captured request's header of the format, as a minimal
// corpus.
func capturedValues(t testing.TB, format string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(capturesFolder, "*.json"))
	require.NoError(t, err)
	seen := map[string]bool{}
	var list []string
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		var file struct {
			Configs map[string]struct {
				Sources []struct {
					Format, Header string
					Chain          struct{ Format, Header string }
				}
			}
			Captures []struct {
				Config  string
				Request struct{ Headers [][2]string }
			}
		}
		require.NoError(t, json.Unmarshal(content, &file))
		for _, c := range file.Captures {
			for _, source := range file.Configs[c.Config].Sources {
				for _, h := range c.Request.Headers {
					leaf := source.Format == format && h[0] == http.CanonicalHeaderKey(source.Header)
					chain := source.Chain.Format == format && strings.HasPrefix(h[0], http.CanonicalHeaderKey(source.Chain.Header))
					if (leaf || chain) && !seen[h[1]] {
						seen[h[1]] = true
						list = append(list, h[1])
					}
				}
			}
		}
	}
	require.NotEmpty(t, list, format)
	return list
}

// capturedCertificate returns a certificate of the captures' PKI.
func capturedCertificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(capturesFolder, "pki", name+".pem"))
	require.NoError(t, err)
	block, rest := pem.Decode(content)
	require.NotNil(t, block)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}
