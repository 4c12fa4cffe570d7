package certauthtest_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding N10: SetAppServiceHeaders required arrived.TLS without saying so, and the outcome was a
// 401 without a visible reason. Its requirements are now documented; FrontEnd.Forward has none. For
// a handler alone, Context of package unittest provides the identity.
func TestSetAppServiceHeaders_WhatItTakesFromTLS(t *testing.T) {
	client := certauthtest.SelfSigned(t, "orders")
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: certauth.Certificates(client.Certificate),
	})
	require.NoError(t, err)
	with := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{client.Certificate}}
	for _, tc := range []struct {
		name string
		set  func(r *http.Request)
		want certauth.Reason
	}{
		{"TLS with the certificate", func(r *http.Request) {
			certauthtest.SetAppServiceHeaders(r.Header, &http.Request{TLS: with})
		}, certauth.ReasonNone},
		{"TLS without one", func(r *http.Request) {
			certauthtest.SetAppServiceHeaders(r.Header, &http.Request{TLS: &tls.ConnectionState{}})
		}, certauth.ReasonCertificateMissing},
		{"no TLS", func(r *http.Request) {
			certauthtest.SetAppServiceHeaders(r.Header, &http.Request{})
		}, certauth.ReasonCertificateMissing},
		{"no TLS, and the certificate beside it", func(r *http.Request) {
			certauthtest.SetAppServiceHeaders(r.Header, &http.Request{})
			r.Header.Set("X-ARR-ClientCert", client.Base64())
		}, certauth.ReasonSourceUntrusted},
		{"Forward, with nothing else", func(r *http.Request) {
			certauthtest.FrontEnd{Name: "AppService"}.Forward(t, r, client)
		}, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			tc.set(r)
			_, err := auth.Check(r)
			if tc.want == certauth.ReasonNone {
				require.NoError(t, err)
				return
			}
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, tc.want, refused.Reason)
			assert.NotEmpty(t, refused.Hint)
		})
	}
}
