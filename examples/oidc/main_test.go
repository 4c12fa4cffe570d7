package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest/unittest"
)

const issuer, audience = "https://issuer.example", "orders"

// sign makes a JWT with ES256 (RFC 7518, section 3.4).
func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	text := encode([]byte(`{"alg":"ES256","typ":"at+jwt"}`)) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	require.NoError(t, err)
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + encode(signature)
}

func TestWithToken(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	verifier := oidc.NewVerifier(issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{key.Public()}}, &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.ES256}})
	ca := certauthtest.NewCA(t, "Partner CA")
	client, thief := ca.Issue(t, "client"), ca.Issue(t, "thief")

	hash := func(of *certauthtest.Certificate) string {
		return (&certauth.Identity{Leaf: of.Certificate}).X5TS256()
	}
	claims := func(more map[string]any) map[string]any {
		all := map[string]any{"iss": issuer, "aud": audience, "sub": "client", "exp": time.Now().Add(time.Hour).Unix()}
		for name, value := range more {
			all[name] = value
		}
		return all
	}
	bound := claims(map[string]any{"cnf": map[string]any{"x5t#S256": hash(client)}})
	for _, tc := range []struct {
		name   string
		shows  *certauthtest.Certificate
		header []string
		status int
		error  bool // invalid_token
	}{
		{"the client with its token", client, []string{"Bearer " + sign(t, key, bound)}, http.StatusOK, false},
		{"finding N38: the scheme in another letter case", client, []string{"bEARER " + sign(t, key, bound)}, http.StatusOK, false},
		{"two spaces (RFC 9110, section 11.4)", client, []string{"Bearer  " + sign(t, key, bound)}, http.StatusOK, false},
		{"another scheme", client, []string{"Basic " + sign(t, key, bound)}, http.StatusUnauthorized, false},
		{"no scheme", client, []string{sign(t, key, bound)}, http.StatusUnauthorized, false},
		{"no token", client, []string{"Bearer"}, http.StatusUnauthorized, true},
		{"somebody else with that token", thief, []string{"Bearer " + sign(t, key, bound)}, http.StatusUnauthorized, true},
		{"nobody with that token", nil, []string{"Bearer " + sign(t, key, bound)}, http.StatusUnauthorized, false},
		{"the client without a token", client, nil, http.StatusUnauthorized, false},
		{"the client with two", client, []string{"Bearer " + sign(t, key, bound), "Bearer x"}, http.StatusUnauthorized, false},
		{"a token that is not bound", client, []string{"Bearer " + sign(t, key, claims(nil))}, http.StatusUnauthorized, true},
		{"a token of somebody else's key", client, []string{"Bearer " + sign(t, stranger, bound)}, http.StatusUnauthorized, true},
		{"an expired token", client, []string{"Bearer " + sign(t, key, claims(map[string]any{"exp": 1, "cnf": bound["cnf"]}))}, http.StatusUnauthorized, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx := t.Context()
			if tc.shows != nil {
				ctx = unittest.Context(t, ctx, tc.shows)
			}
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
			for _, line := range tc.header {
				r.Header.Add("Authorization", line)
			}
			w, runs := httptest.NewRecorder(), 0
			withToken(verifier, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				runs++
				orders(w, r)
			})).ServeHTTP(w, r)
			assert.Equal(t, tc.status, w.Code)
			assert.Equal(t, tc.status == http.StatusOK, runs == 1)
			assert.Equal(t, tc.error, w.Header().Get("WWW-Authenticate") == `Bearer error="invalid_token"`)
		})
	}
}
