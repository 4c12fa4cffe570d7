package tokens_test

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
	"github.com/seed2886b8ae/go-certauth/certauth/tokens"
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
func TestBinding_VectorsOfTheRFC(t *testing.T) {
	content, err := os.ReadFile("../../testdata/rfc8705/certificate.pem")
	require.NoError(t, err)
	block, rest := pem.Decode(content)
	require.Empty(t, rest)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	id := &certauth.Identity{Leaf: cert}
	assert.Equal(t, "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0", id.X5TS256())
	own, err := os.ReadFile("../../testdata/rfc8705/appendix-a.json")
	require.NoError(t, err)
	other, err := os.ReadFile("../../testdata/rfc8705/section-3.1.json")
	require.NoError(t, err)
	// Nobody's identity: the certificate of the RFC has expired, no policy lets it in.
	binding := tokens.Binding{InsecureKeyPin: true}
	assert.NoError(t, binding.Check(id, claimsOf(t, string(own))))
	assert.ErrorContains(t, binding.Check(id, claimsOf(t, string(other))), "bound to another certificate")
}

func TestBinding_ComparesTheConfirmation(t *testing.T) {
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
		unbound string // with AllowUnbound
	}{
		{"bound to this certificate", `{"cnf":{"x5t#S256":"` + hash + `"}}`, "", ""},
		{"and by another method as well", `{"cnf":{"jkt":"x","x5t#S256":"` + hash + `"}}`, "", ""},
		{"bound to another certificate", `{"cnf":{"x5t#S256":"` + next + `"}}`, "bound to another", "bound to another"},
		{"not bound", `{"sub":"client"}`, "not bound", ""},
		{"no claims", `null`, "not bound", ""},
		{"bound by another method", `{"cnf":{"jkt":"x"}}`, "no x5t#S256", "no x5t#S256"},
		{"an empty confirmation", `{"cnf":{}}`, "no x5t#S256", "no x5t#S256"},
		{"a confirmation that is null", `{"cnf":null}`, "want an object", "want an object"},
		{"a confirmation that is a text", `{"cnf":"` + hash + `"}`, "want an object", "want an object"},
		{"a confirmation that is a list", `{"cnf":[{"x5t#S256":"` + hash + `"}]}`, "want an object", "want an object"},
		{"in other letters", `{"cnf":{"x5t#s256":"` + hash + `"}}`, "no x5t#S256", "no x5t#S256"},
		{"SHA-1", `{"cnf":{"x5t":"` + hash + `"}}`, "no x5t#S256", "no x5t#S256"},
		{"a hash that is null", `{"cnf":{"x5t#S256":null}}`, "want a string", "want a string"},
		{"a hash that is a list", `{"cnf":{"x5t#S256":["` + hash + `"]}}`, "want a string", "want a string"},
		{"an empty hash", `{"cnf":{"x5t#S256":""}}`, "base64url of 32 bytes", "base64url of 32 bytes"},
		{"a hash with padding", `{"cnf":{"x5t#S256":"` + hash + `="}}`, "base64url of 32 bytes", "base64url of 32 bytes"},
		{"a hash in hex", `{"cnf":{"x5t#S256":"` + client.Thumbprint() + `"}}`, "base64url of 32 bytes", "base64url of 32 bytes"},
		{"a hash that is cut short", `{"cnf":{"x5t#S256":"` + hash[:42] + `"}}`, "base64url of 32 bytes", "base64url of 32 bytes"},
		{"a hash with a line end", `{"cnf":{"x5t#S256":"` + hash[:20] + `\n` + hash[20:] + `"}}`, "base64url of 32 bytes", "base64url of 32 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, mode := range []struct {
				binding tokens.Binding
				want    string
			}{{tokens.Binding{}, tc.want}, {tokens.Binding{AllowUnbound: true}, tc.unbound}} {
				err := mode.binding.Check(id, claimsOf(t, tc.payload))
				if mode.want == "" {
					assert.NoError(t, err)
					continue
				}
				assert.ErrorIs(t, err, certauth.ReasonPolicyRefused)
				require.ErrorIs(t, err, certauth.ReasonPolicyRefused)
				assert.ErrorContains(t, err, mode.want)
				assert.NotContains(t, err.Error(), hash, "a refusal shows nothing of the token")
			}
		})
	}
}

// A key pin knows the key: the certificate around it is whatever its holder wrote.
func TestBinding_WantsAnIdentityThatIsVouchedFor(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	pin := (&certauth.Identity{Leaf: client.Certificate}).PublicKeyHash()
	auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: certauth.PublicKeys{pin}})
	require.NoError(t, err)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{client.Certificate}}
	id, err := auth.Check(r)
	require.NoError(t, err)
	claims := map[string]any{"cnf": map[string]any{"x5t#S256": id.X5TS256()}}
	assert.ErrorContains(t, tokens.Binding{}.Check(id, claims), "a pin on its key")
	assert.ErrorContains(t, tokens.Binding{AllowUnbound: true}.Check(id, nil), "a pin on its key")
	assert.NoError(t, tokens.Binding{InsecureKeyPin: true}.Check(id, claims))

	for _, nobody := range []*certauth.Identity{nil, {}} {
		for _, binding := range []tokens.Binding{{}, {AllowUnbound: true, InsecureKeyPin: true}} {
			assert.ErrorContains(t, binding.Check(nobody, claims), "no identity")
		}
	}
}
