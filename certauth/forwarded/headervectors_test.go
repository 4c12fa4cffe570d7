package forwarded_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// headerVector is one case of headers.json; the README in that folder explains the fields.
type headerVector struct {
	ID            string
	Form          string
	LeafHeader    string `json:"leaf_header"`
	ChainHeader   string `json:"chain_header"`
	ChainEncoding string `json:"chain_encoding"`
	Headers       [][2]string
	Peer          string
	MaxChain      *int `json:"max_chain"`
	Want          struct {
		Certs int
		None  bool
		Why   string
		Error bool
	}
}

// beside is how many certificates the library permits besides the leaf.
const beside = 9

// All cases of other projects, with the decoders and the gate only: no flag, no fingerprint. The
// policy pins the leaf of RFC 9440, Appendix A.
func TestHeaderVectors(t *testing.T) {
	folder := os.Getenv("CERTAUTH_VECTORS")
	if folder == "" {
		t.Skip("CERTAUTH_VECTORS is not set; point it to the folder that holds headers/headers.json")
	}
	content, err := os.ReadFile(filepath.Join(folder, "headers", "headers.json"))
	require.NoError(t, err)
	var cases []headerVector
	require.NoError(t, json.Unmarshal(content, &cases))
	assert.Len(t, cases, 53)
	leaf := pki(t)["rfc9440-leaf"]
	assert.Equal(t, "bfaf1f7e070f9fa8dd62905f158da73f84a1136624fbafcc9393c8f7287a69eb", thumbprint(leaf.Raw))
	now := time.Date(2020, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			added := c.stretch(t)
			s := newStand(t, certauth.Config{Source: c.source(t), Policy: certauth.Certificates(leaf), Now: func() time.Time { return now }})
			id := s.judge(t, func() *http.Request {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = "10.1.2.3:40000"
				if c.Peer != "" {
					require.Equal(t, "untrusted", c.Peer)
					r.RemoteAddr = "203.0.113.9:40000"
				}
				for _, h := range c.Headers {
					r.Header.Add(h[0], h[1])
				}
				return r
			}, c.reason(t))
			if id != nil {
				assert.Len(t, id.Presented, c.Want.Certs+added)
				assert.Equal(t, leaf.Raw, id.Leaf.Raw)
			}
		})
	}
}

func (c headerVector) reason(t *testing.T) certauth.Reason {
	t.Helper()
	switch {
	case c.Want.Certs > 0:
		return certauth.ReasonNone
	case c.Want.None && c.Want.Why == "absent":
		return certauth.ReasonCertificateMissing
	case c.Want.None && c.Want.Why == "untrusted_source":
		return certauth.ReasonSourceUntrusted
	}
	require.True(t, c.Want.Error, "unknown expectation")
	return certauth.ReasonCertificateMalformed
}

// stretch adapts a case to our limit, which is fixed: the chain grows by the difference of the
// limits, so that its distance from the limit stays the same.
func (c headerVector) stretch(t *testing.T) int {
	t.Helper()
	if c.MaxChain == nil {
		return 0
	}
	require.Equal(t, "list", c.ChainEncoding, "max_chain with another encoding cannot be expressed yet")
	require.LessOrEqual(t, *c.MaxChain, beside)
	for i, h := range c.Headers {
		if strings.EqualFold(h[0], c.ChainHeader) {
			first, _, _ := strings.Cut(h[1], ",")
			c.Headers[i][1] = strings.Repeat(first+", ", beside-*c.MaxChain) + h[1]
			return beside - *c.MaxChain
		}
	}
	require.Fail(t, "max_chain without a chain cannot be expressed")
	return 0
}

func (c headerVector) source(t *testing.T) certauth.Source {
	t.Helper()
	from := fromTens()
	if c.Form == "xfcc" {
		require.Equal(t, "X-Forwarded-Client-Cert", c.LeafHeader)
		return forwarded.Envoy{From: from}
	}
	formats := map[string]forwarded.Format{
		"base64-der": forwarded.FormatBase64DER, "rfc9440": forwarded.FormatByteSequence, "pem-urlencoded": forwarded.FormatURLPEM,
		"pem-urlencoded-aws": forwarded.FormatURLPEMChain, "traefik": forwarded.FormatBase64DERList,
	}
	chains := map[string]forwarded.ChainFormat{
		"": forwarded.ChainUnspecified, "list": forwarded.ChainByteSequenceList, "concatenated": forwarded.ChainBase64Concatenated, "indexed": forwarded.ChainBase64Numbered,
	}
	require.Contains(t, formats, c.Form)
	require.Contains(t, chains, c.ChainEncoding)
	return forwarded.Header{From: from, Name: c.LeafHeader, Format: formats[c.Form], ChainName: c.ChainHeader, ChainFormat: chains[c.ChainEncoding]}
}
