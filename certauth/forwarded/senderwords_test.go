package forwarded_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding R28: if the front end's own certificate had expired, was renewed, or was not requested, the
// hint was to look for other senders.
func TestGates_RefusalOfTheSendersCertificateSaysWhatHelps(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	now := time.Now()
	front := certauthtest.SelfSigned(t, "front-end")
	renewed := certauthtest.SelfSigned(t, "front-end")
	ended := certauthtest.SelfSigned(t, "front-end", certauthtest.Valid(now.Add(-48*time.Hour), now.Add(-24*time.Hour)))
	early := certauthtest.SelfSigned(t, "front-end", certauthtest.Valid(now.Add(24*time.Hour), now.Add(48*time.Hour)))
	gates := map[string]func(certauth.Policy) forwarded.Gate{"ProxyCertificate": forwarded.ProxyCertificate, "AppServiceCertificate": forwarded.AppServiceCertificate}
	for _, tc := range []struct {
		name      string
		pinned    *certauthtest.Certificate
		presented *certauthtest.Certificate
		gate      string // of one kind only
		hint      string
	}{
		{"it has expired", ended, ended, "", "the sender's own certificate has expired; if the sender is the front end, renew it there"},
		{"it is not valid yet", early, early, "", "check this host's clock: the sender's own certificate is not valid yet"},
		{"it was renewed", front, renewed, "", "if the front end's own certificate was renewed, accept the new one in From"},
		{"it was not requested", front, nil, "ProxyCertificate", "set tls.Config.ClientAuth to tls.RequestClientCert"},
		{"it was not presented to App Service", front, nil, "AppServiceCertificate", "clientCertMode=Required"},
	} {
		for kind, gate := range gates {
			if tc.gate != "" && tc.gate != kind {
				continue
			}
			t.Run(tc.name+", "+kind, func(t *testing.T) {
				var refused *certauth.Error
				auth, err := certauth.New(certauth.Config{
					Source: forwarded.Header{From: gate(certauth.Certificates(tc.pinned.Certificate)), Name: "X-Client-Cert", Format: forwarded.FormatBase64DER},
					Policy: p.chain(), Observe: func(_ context.Context, e certauth.Event) {
						if e.Err != nil {
							refused = e.Err
						}
					},
				})
				require.NoError(t, err)
				server := httptest.NewUnstartedServer(auth.Handler(http.NotFoundHandler()))
				server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
				server.StartTLS()
				defer server.Close()
				client := server.Client()
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
				require.NoError(t, err)
				request.Header = arriving().Header
				request.Header.Set("X-Client-Cert", p.good)
				switch {
				case tc.presented == nil:
				case kind == "ProxyCertificate":
					client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{tc.presented.TLS()}
				default:
					request.Header.Set("X-Arr-Clientcert", tc.presented.Base64())
				}
				response, err := client.Do(request)
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
				assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
				require.NotNil(t, refused)
				assert.Equal(t, certauth.ReasonSourceUntrusted, refused.Reason)
				assert.Contains(t, refused.Hint, tc.hint)
				assert.NotContains(t, refused.Hint, "did not come through")
			})
		}
	}
}

// If the gate's own source refuses the request, its hint is the one that helps.
func TestGates_RefusalOfWhatTheSenderForwardsKeepsItsHint(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	gate := forwarded.AppServiceCertificate(certauth.Thumbprints{p.client.Thumbprint()})
	auth, err := certauth.New(certauth.Config{Source: forwarded.APIManagement{From: gate}, Policy: p.chain()})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		change func(*http.Request)
		hint   string
	}{
		"a header that is no certificate": {set("X-Arr-Clientcert", "-----BEGIN CERTIFICATE-----"), "it looks like PEM"},
		"without the platform's evidence": {set("X-Arr-Log-Id"), "the request did not come through App Service's front end"},
	} {
		t.Run(name, func(t *testing.T) {
			r := arriving(p.good)
			r.Header.Set("X-Client-Cert", p.good)
			tc.change(r)
			_, err := auth.Check(r)
			var refused *certauth.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, certauth.ReasonSourceUntrusted, refused.Reason)
			assert.Contains(t, refused.Hint, tc.hint)
		})
	}
}
