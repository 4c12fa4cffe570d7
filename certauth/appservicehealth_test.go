package certauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// printf %s 'platform-key' | openssl dgst -sha256 -binary | openssl base64
const (
	healthKey   = "platform-key"
	healthToken = "51OQmBIhqszPqXXNEevqKJIXEgJp8zsbT59nzVr2fFQ="
	// The hash of the empty text, which the widely copied check accepts if the key is unset.
	healthTokenOfNothing = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
)

func TestAppServiceHealth_OnlyThePlatformsTokenOpensTheDoor(t *testing.T) {
	t.Setenv("WEBSITE_AUTH_ENCRYPTION_KEY", healthKey)
	for _, tc := range []struct {
		name   string
		path   string
		tokens []string
		want   int
	}{
		{"the platform's token", "/health", []string{healthToken}, 200},
		{"no token", "/health", nil, 401},
		{"an empty token", "/health", []string{""}, 401},
		{"the hash of nothing", "/health", []string{healthTokenOfNothing}, 401},
		{"the key itself", "/health", []string{healthKey}, 401},
		{"a prefix of the token", "/health", []string{healthToken[:len(healthToken)-1]}, 401},
		{"the token and more", "/health", []string{healthToken + "="}, 401},
		{"another case", "/health", []string{"51oqMbiHQSZpQxxneEVQkjixeGjP8ZSBt59NZvR2Ffq="}, 401},
		{"the token twice", "/health", []string{healthToken, healthToken}, 401},
		{"the token after another", "/health", []string{"x", healthToken}, 401},
		{"the token on another path", "/admin", []string{healthToken}, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := public("", "/health")
			x.AppServiceHealth = true
			d := excluding(t, x)
			r := httptest.NewRequest(http.MethodGet, tc.path, nil)
			for _, token := range tc.tokens {
				r.Header.Add("x-ms-auth-internal-token", token)
			}
			status, ran := d.serve(r)
			assert.Equal(t, tc.want, status)
			assert.Equal(t, tc.want == 200, ran)
			assert.False(t, d.identity, "a probe is not a caller")
		})
	}
}

func TestAppServiceHealth_KeyComesFromTheEnvironment(t *testing.T) {
	t.Setenv("WEBSITE_AUTH_ENCRYPTION_KEY", healthKey)
	x := public("", "/health")
	x.AppServiceHealth = true
	d := excluding(t, x)
	r := httptest.NewRequest(http.MethodGet, "/health", nil)
	r.Header.Set("x-ms-auth-internal-token", healthToken)
	status, _ := d.serve(r)
	assert.Equal(t, 200, status)
	assert.Contains(t, d.auth.String(), "only with the App Service health token")
}

// The recipe's flaw: base64(SHA-256("")) is a known value.
func TestAppServiceHealth_EmptyKeyIsAnErrorOfNew(t *testing.T) {
	x := public("", "/health")
	x.AppServiceHealth = true
	for key, want := range map[string]string{
		"": "is empty", " ": "is empty", "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/key)": "is an unresolved reference",
		"@Microsoft.AppConfiguration(Endpoint=https://store.azconfig.example; Key=key)": "is an unresolved reference", // finding N60
	} {
		t.Setenv("WEBSITE_AUTH_ENCRYPTION_KEY", key)
		_, err := certauth.New(certauth.Config{
			Source: noCertificate(), Policy: certauth.Thumbprints{pinOfNobody}, Exclusions: []certauth.Exclusion{x},
		})
		require.Error(t, err)
		assert.ErrorContains(t, err, "Exclusions[0].AppServiceHealth: WEBSITE_AUTH_ENCRYPTION_KEY "+want)
	}
}
