package revocation_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

type opensslCase struct {
	ID          string    `json:"id"`
	Response    string    `json:"response"`
	Certificate string    `json:"certificate"`
	Issuer      string    `json:"issuer"`
	Time        time.Time `json:"time"`
	AllowSHA1   bool      `json:"allow_sha1"`
	MaxAge      string    `json:"max_age"`
	Want        string    `json:"want"`
	FirstCheck  string    `json:"first_failing_check"`
	Proves      string    `json:"proves"`
}

// The checks of the verification table, by the names that the vectors use.
var checkErrors = map[string]error{
	"issuer_name":        revocation.ErrIssuerMismatch,
	"responder_id":       revocation.ErrNoSigner,
	"signature":          revocation.ErrBadSignature,
	"delegate_signature": revocation.ErrResponderNotAuthorized,
	"certid_name_hash":   revocation.ErrNoMatch,
	"certid_key_hash":    revocation.ErrNoMatch,
}

// The 55 cases of OpenSSL's test/ocsp-tests, with expectations from its exit codes.
func TestOpenSSLVectors(t *testing.T) {
	root := os.Getenv("CERTAUTH_VECTORS")
	if root == "" {
		t.Skip("CERTAUTH_VECTORS is not set; it names the folder of the independent vectors")
	}
	folder := filepath.Join(root, "openssl-ocsp")
	content, err := os.ReadFile(filepath.Join(folder, "cases.json"))
	require.NoError(t, err)
	var suite struct {
		DataDir string        `json:"data_dir"`
		Cases   []opensslCase `json:"cases"`
	}
	require.NoError(t, json.Unmarshal(content, &suite))
	require.Len(t, suite.Cases, 55)
	read := func(name string) []byte {
		content, err := os.ReadFile(filepath.Join(folder, suite.DataDir, name))
		require.NoError(t, err)
		return content
	}
	certificate := func(name string) *x509.Certificate {
		block, _ := pem.Decode(read(name))
		require.NotNil(t, block, name)
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(t, err)
		return cert
	}
	for _, c := range suite.Cases {
		t.Run(c.ID, func(t *testing.T) {
			der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(read(c.Response))), ""))
			require.NoError(t, err)
			maxAge, err := time.ParseDuration(c.MaxAge)
			require.NoError(t, err)
			cert, issuer := certificate(c.Certificate), certificate(c.Issuer)
			terms := revocation.VerifyOptions{Now: c.Time, Skew: -1, MaxAge: maxAge, MaxAgeCA: maxAge, AllowSHA1: c.AllowSHA1}
			result, err := revocation.VerifyOCSP(der, cert, issuer, terms)
			if c.Want == "good" {
				require.NoError(t, err, c.Proves)
				assert.Equal(t, revocation.Good, result.Status)
			} else {
				require.Error(t, err, c.Proves)
				assert.Equal(t, revocation.Unavailable, result.Status)
				if want, known := checkErrors[c.FirstCheck]; known {
					assert.ErrorIs(t, err, want, c.FirstCheck)
				}
			}
			terms.AllowSHA1 = false
			result, err = revocation.VerifyOCSP(der, cert, issuer, terms)
			require.Error(t, err, "every signature is SHA-1")
			assert.Equal(t, revocation.Unavailable, result.Status)
		})
	}
}
