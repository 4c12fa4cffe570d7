package evidence_test

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

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
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

// The checks of the verification table, by their names in the vectors.
var checkErrors = map[string]error{
	"issuer_name":        evidence.ErrIssuerMismatch,
	"responder_id":       evidence.ErrNoSigner,
	"signature":          evidence.ErrBadSignature,
	"delegate_signature": evidence.ErrResponderNotAuthorized,
	"certid_name_hash":   evidence.ErrNoMatch,
	"certid_key_hash":    evidence.ErrNoMatch,
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
			terms := evidence.VerifyOptions{Now: c.Time, Skew: -1, MaxAge: maxAge, MaxAgeCA: maxAge, AllowSHA1: c.AllowSHA1}
			result, err := evidence.VerifyOCSP(der, cert, issuer, terms)
			if c.Want == "good" {
				require.NoError(t, err, c.Proves)
				assert.Equal(t, evidence.Good, result.Status)
			} else {
				require.Error(t, err, c.Proves)
				assert.Equal(t, evidence.Unavailable, result.Status)
				if want, known := checkErrors[c.FirstCheck]; known {
					assert.ErrorIs(t, err, want, c.FirstCheck)
				}
			}
			terms.AllowSHA1 = false
			result, err = evidence.VerifyOCSP(der, cert, issuer, terms)
			require.Error(t, err, "every signature is SHA-1")
			assert.Equal(t, evidence.Unavailable, result.Status)
		})
	}
}
