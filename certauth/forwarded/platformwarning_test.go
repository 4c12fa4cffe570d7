package forwarded_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Outside App Service the source refuses every caller and logs this once at the start, not only for
// each caller. An operator who declared that the process is outside is not warned.
func TestAppService_WarnsAtStartOutsideThePlatform(t *testing.T) {
	p := newPartner(t)
	gateway := certauthtest.NewCA(t, "Infrastructure").Issue(t, "gateway")
	hop := forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Thumbprints{gateway.Thumbprint()})}
	const warning = "every certificate will be refused as untrusted"
	start := func(source certauth.Source) string {
		var log bytes.Buffer
		_, err := certauth.New(certauth.Config{Source: source, Policy: p.chain(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
		require.NoError(t, err)
		return log.String()
	}
	t.Setenv("WEBSITE_SITE_NAME", "")
	t.Setenv("WEBSITE_INSTANCE_ID", "")
	assert.Contains(t, start(forwarded.AppService{}), warning)
	assert.Contains(t, start(hop), warning)
	assert.NotContains(t, start(forwarded.AppService{InsecureOutsideAppService: true}), warning)
	onAppService(t)
	assert.NotContains(t, start(forwarded.AppService{}), warning)
	assert.NotContains(t, start(hop), warning)
}

// A TLS client certificate of the sender that no gate declared is a second certificate, even if the
// platform vouches for the first.
func TestAppServiceCertificate_DeclaresNoTLSCertificate(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	gateway := certauthtest.NewCA(t, "Infrastructure").Issue(t, "gateway")
	s := newStand(t, certauth.Config{
		Source: forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Thumbprints{gateway.Thumbprint()})}, Policy: p.chain(),
	})
	s.judge(t, viaGateway(gateway, p.client.Certificate), certauth.ReasonNone)
	s.judge(t, func() *http.Request {
		r := viaGateway(gateway, p.client.Certificate)()
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{gateway.Certificate}}
		return r
	}, certauth.ReasonSourceUntrusted)
}
