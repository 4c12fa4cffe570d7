package main

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// version is one version of a secret.
type version struct {
	value, contentType string
	expired            bool
}

// vault simulates Key Vault and the endpoint of the managed identity, as their REST references describe them.
type vault struct {
	mutex      sync.Mutex
	versions   []version // the newest last
	throttle   int       // requests to refuse with 429
	challenges int
	requests   int
	token      string
}

func (v *vault) set(versions ...version) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.versions = versions
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.requests++
	refuse := func(status int, code, message, inner string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": message, "innererror": map[string]string{"code": inner}}})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+v.token:
		v.challenges++
		w.Header().Set("WWW-Authenticate", `Bearer authorization="https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001", resource="https://vault.azure.net"`)
		refuse(http.StatusUnauthorized, "Unauthorized", "AKV10000: Request is missing a Bearer or PoP token.", "")
	case r.Method != http.MethodGet || r.URL.Path != "/secrets/orders/" || r.URL.Query().Get("api-version") == "":
		refuse(http.StatusNotFound, "SecretNotFound", "A secret with that name was not found in this key vault.", "")
	case v.throttle > 0:
		v.throttle--
		w.Header().Set("Retry-After", "1")
		refuse(http.StatusTooManyRequests, "Throttled", "Request was not processed because too many requests were received.", "")
	case v.versions[len(v.versions)-1].expired:
		refuse(http.StatusForbidden, "Forbidden", "Operation get is not allowed on an expired secret.", "SecretExpired")
	default:
		newest := v.versions[len(v.versions)-1]
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"id": fmt.Sprintf("https://%s/secrets/orders/%032d", r.Host, len(v.versions)), "value": newest.value, "contentType": newest.contentType,
			"attributes": map[string]any{"enabled": true, "created": time.Now().Unix()},
		})
	}
}

// serveIdentity simulates the service that App Service provides at IDENTITY_ENDPOINT.
func (v *vault) serveIdentity(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-IDENTITY-HEADER") != "the header's secret" || r.URL.Query().Get("resource") != "https://vault.azure.net" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{
		"access_token": v.token, "expires_on": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10),
		"resource": "https://vault.azure.net", "token_type": "Bearer",
	})
}

// newVault starts the simulation and returns a client of the real SDK for it.
func newVault(t *testing.T) (*vault, *azsecrets.Client) {
	t.Helper()
	v := &vault{token: "token-of-the-managed-identity"}
	identity := httptest.NewServer(http.HandlerFunc(v.serveIdentity))
	t.Cleanup(identity.Close)
	t.Setenv("IDENTITY_ENDPOINT", identity.URL)
	t.Setenv("IDENTITY_HEADER", "the header's secret")
	server := httptest.NewTLSServer(v)
	t.Cleanup(server.Close)
	credential, err := azidentity.NewManagedIdentityCredential(nil)
	require.NoError(t, err)
	client, err := azsecrets.NewClient(server.URL, credential, &azsecrets.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: server.Client()},
		// The simulation is not below vault.azure.net.
		DisableChallengeResourceVerification: true,
	})
	require.NoError(t, err)
	return v, client
}

func pfx(t *testing.T, leaf *certauthtest.Certificate, chain ...*x509.Certificate) version {
	t.Helper()
	file, err := pkcs12.LegacyDES.Encode(leaf.Key, leaf.Certificate, chain, "")
	require.NoError(t, err)
	return version{value: base64.StdEncoding.EncodeToString(file), contentType: "application/x-pkcs12"}
}

func asPEM(t *testing.T, leaf *certauthtest.Certificate, others ...*x509.Certificate) version {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(leaf.Key)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, pem.Encode(&b, &pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	for _, cert := range append(others, leaf.Certificate) { // Key Vault promises no order
		require.NoError(t, pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
	}
	return version{value: b.String(), contentType: "application/x-pem-file"}
}

func TestKeyVault_RotationThrottlingAndExpiry(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	ca := root.NewIntermediate(t, "Issuing")
	client := certauthtest.Usage(x509.ExtKeyUsageClientAuth)
	first, second, third := ca.Issue(t, "orders", client), ca.Issue(t, "orders", client), ca.Issue(t, "orders", client)
	v, secrets := newVault(t)
	v.set(pfx(t, first, ca.Certificate, root.Certificate))
	own, err := outbound.Open(t.Context(), outbound.Config{Source: fromKeyVault(secrets, "orders"), Interval: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, own.Close()) })
	serial := func() string { return own.Status().Serial }
	assert.Equal(t, first.SerialNumber.Text(16), serial())
	assert.Equal(t, 1, own.Status().Intermediates)
	assert.Equal(t, 1, v.challenges, "the SDK asks once without a token, to learn for whom the token must be")

	v.set(pfx(t, first), asPEM(t, second, root.Certificate, ca.Certificate))
	require.NoError(t, own.Reload(t.Context()))
	assert.Equal(t, second.SerialNumber.Text(16), serial(), "the newest version, in the other form")
	assert.Equal(t, 1, own.Status().Intermediates)

	v.set(pfx(t, second), pfx(t, third, ca.Certificate))
	v.mutex.Lock()
	v.throttle, v.requests = 1, 0
	v.mutex.Unlock()
	require.NoError(t, own.Reload(t.Context()))
	assert.Equal(t, third.SerialNumber.Text(16), serial())
	assert.Equal(t, 2, v.requests, "one was throttled")

	v.set(version{expired: true})
	err = own.Reload(t.Context())
	reason(t, err, outbound.ReasonSourceUnavailable)
	require.ErrorContains(t, err, "expired secret")
	assert.Equal(t, third.SerialNumber.Text(16), serial())
	assert.True(t, own.Status().Usable)
	assert.Equal(t, outbound.ReasonSourceUnavailable, own.Status().Reason)
}

func TestKeyVault_WhatCannotBeOpened(t *testing.T) {
	ca := certauthtest.NewCA(t, "Root")
	leaf := ca.Issue(t, "orders", certauthtest.Usage(x509.ExtKeyUsageClientAuth))
	v, secrets := newVault(t)
	withoutKey := asPEM(t, leaf)
	_, rest := pem.Decode([]byte(withoutKey.value))
	withoutKey.value = string(rest)
	for _, tc := range []struct {
		name   string
		secret string
		stored version
		want   outbound.Reason
	}{
		{"an expired secret", "orders", version{expired: true}, outbound.ReasonSourceUnavailable},
		{"another name", "billing", pfx(t, leaf), outbound.ReasonSourceUnavailable},
		{"a key that is not exportable", "orders", withoutKey, outbound.ReasonKeyMissing},
		{"a secret that is no certificate's", "orders", version{value: "hunter2", contentType: "text/plain"}, outbound.ReasonMalformed},
		{"a wrong content type", "orders", version{value: pfx(t, leaf).value, contentType: "application/x-pem-file"}, outbound.ReasonMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v.set(tc.stored)
			_, err := outbound.Open(t.Context(), outbound.Config{Source: fromKeyVault(secrets, tc.secret)})
			reason(t, err, tc.want)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func reason(t *testing.T, err error, want outbound.Reason) {
	t.Helper()
	e, ok := errors.AsType[*outbound.Error](err)
	require.True(t, ok, "%v", err)
	assert.Equal(t, want, e.Reason, "%v", err)
}
