package certauth_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest/unittest"
)

// claimsOf parses a token's payload as a JWT library does.
func claimsOf(t *testing.T, payload string) map[string]any {
	t.Helper()
	var claims map[string]any
	require.NoError(t, json.Unmarshal([]byte(payload), &claims))
	return claims
}

// RFC 8705, appendix A: a certificate and its confirmation; section 3.1: the confirmation of
// another one.
func TestCheckToken_VectorsOfTheRFC(t *testing.T) {
	content, err := os.ReadFile("../testdata/rfc8705/certificate.pem")
	require.NoError(t, err)
	block, rest := pem.Decode(content)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	own, err := os.ReadFile("../testdata/rfc8705/appendix-a.json")
	require.NoError(t, err)
	other, err := os.ReadFile("../testdata/rfc8705/section-3.1.json")
	require.NoError(t, err)

	// Its version is 1, which no policy accepts, so its hash is compared separately.
	confirmed := claimsOf(t, string(own))["cnf"].(map[string]any)["x5t#S256"]
	assert.Equal(t, "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0", confirmed)
	assert.Equal(t, confirmed, (&certauth.Identity{Leaf: cert}).X5TS256())
	client, ok := certauth.FromContext(unittest.Context(t, t.Context(), certauthtest.NewCA(t, "CA").Issue(t, "client")))
	require.True(t, ok)
	for _, content := range [][]byte{own, other} {
		assert.ErrorContains(t, client.CheckToken(claimsOf(t, string(content))), "bound to another certificate")
	}
}

func TestCheckToken_ComparesTheConfirmation(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	client, renewed := ca.Issue(t, "client"), ca.Issue(t, "client")
	id, ok := certauth.FromContext(unittest.Context(t, t.Context(), client))
	require.True(t, ok)
	hash := id.X5TS256()
	next := (&certauth.Identity{Leaf: renewed.Certificate}).X5TS256()
	for _, tc := range []struct {
		name    string
		payload string
		want    string // empty: accepted
	}{
		{"bound to this certificate", `{"cnf":{"x5t#S256":"` + hash + `"}}`, ""},
		{"and by another method as well", `{"cnf":{"jkt":"x","x5t#S256":"` + hash + `"}}`, ""},
		{"bound to another certificate", `{"cnf":{"x5t#S256":"` + next + `"}}`, "bound to another"},
		{"not bound", `{"sub":"client"}`, "not bound"},
		{"no claims", `null`, "not bound"},
		{"bound by another method", `{"cnf":{"jkt":"x"}}`, "no x5t#S256"},
		{"an empty confirmation", `{"cnf":{}}`, "no x5t#S256"},
		{"a confirmation that is null", `{"cnf":null}`, "want an object"},
		{"a confirmation that is a text", `{"cnf":"` + hash + `"}`, "want an object"},
		{"a confirmation that is a list", `{"cnf":[{"x5t#S256":"` + hash + `"}]}`, "want an object"},
		{"in other letters", `{"cnf":{"x5t#s256":"` + hash + `"}}`, "no x5t#S256"},
		{"SHA-1", `{"cnf":{"x5t":"` + hash + `"}}`, "no x5t#S256"},
		{"a hash that is null", `{"cnf":{"x5t#S256":null}}`, "want a string"},
		{"a hash that is a list", `{"cnf":{"x5t#S256":["` + hash + `"]}}`, "want a string"},
		{"an empty hash", `{"cnf":{"x5t#S256":""}}`, "base64url of 32 bytes"},
		{"a hash with padding", `{"cnf":{"x5t#S256":"` + hash + `="}}`, "base64url of 32 bytes"},
		{"a hash in hex", `{"cnf":{"x5t#S256":"` + client.Thumbprint() + `"}}`, "base64url of 32 bytes"},
		{"a hash that is cut short", `{"cnf":{"x5t#S256":"` + hash[:42] + `"}}`, "base64url of 32 bytes"},
		{"a hash with a line end for its last character", `{"cnf":{"x5t#S256":"` + hash[:42] + `\n"}}`, "base64url of 32 bytes"},
		{"a hash with a line end for one in between", `{"cnf":{"x5t#S256":"` + hash[:20] + `\n` + hash[21:] + `"}}`, "base64url of 32 bytes"},
		{"a hash with another character", `{"cnf":{"x5t#S256":"` + hash[:42] + `!"}}`, "base64url of 32 bytes"},
		{"a hash with a line end", `{"cnf":{"x5t#S256":"` + hash[:20] + `\n` + hash[20:] + `"}}`, "base64url of 32 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := id.CheckToken(claimsOf(t, tc.payload))
			if tc.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.Equal(t, certauth.ReasonPolicyRefused, reasonOf(err))
			assert.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), hash, "a refusal contains nothing of the token")
		})
	}
}

// A key pin knows only the key: the holder of the key could have written the rest of the
// certificate.
func TestCheckToken_WantsAnIdentityThatIsVouchedFor(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	pin := (&certauth.Identity{Leaf: client.Certificate}).PublicKeyHash()
	auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.PublicKeys{pin}})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{client.Certificate}}
	id, err := auth.Check(r)
	require.NoError(t, err)
	claims := map[string]any{"cnf": map[string]any{"x5t#S256": id.X5TS256()}}
	assert.ErrorContains(t, id.CheckToken(claims), "a pin on its key")
	for _, nobody := range []*certauth.Identity{nil, {}} {
		assert.ErrorContains(t, nobody.CheckToken(claims), "no identity")
	}
}
