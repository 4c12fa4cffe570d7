package forwarded_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

// viaGateway returns a request that API Management sent through App Service: its own certificate in
// the platform's header, the client's in a second one.
func viaGateway(gateway *certauthtest.Certificate, client *x509.Certificate) func() *http.Request {
	return func() *http.Request {
		r := arriving(gateway.Base64())
		r.Header["X-Client-Cert"] = values(asList(client))
		return r
	}
}

// Two hops: App Service vouches for the gateway, and the gateway's certificate for the header that
// the gateway wrote. Rows 12 and 13.
func TestAppServiceCertificate_IsTheGatewaysOwn(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	infrastructure := certauthtest.NewCA(t, "Infrastructure")
	gateway := infrastructure.Issue(t, "gateway", certauthtest.DNS("apim.internal"))
	sibling := infrastructure.Issue(t, "gateway", certauthtest.DNS("other.internal"))
	impostor := certauthtest.SelfSigned(t, "gateway", certauthtest.DNS("apim.internal"))
	chain := certauth.Chain{Roots: certauth.Certificates(infrastructure.Certificate)}
	platform := "X-Arr-Clientcert"
	untrusted, missing := certauth.ReasonSourceUntrusted, certauth.ReasonCertificateMissing
	for name, policy := range map[string]certauth.Policy{
		"by thumbprint": certauth.Thumbprints{gateway.Thumbprint()}, "by key": certauth.PublicKeys{keyHash(gateway.Certificate)}, "by chain and name": certauth.All{chain, certauth.DNSNames{"apim.internal"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: forwarded.APIManagement{From: forwarded.AppServiceCertificate(policy)}, Policy: p.chain()})
			assert.True(t, s.read["x-arr-clientcert"], "the gateway's certificate is removed from the request too")
			id := s.judge(t, viaGateway(gateway, p.client.Certificate), certauth.ReasonNone)
			require.NotNil(t, id)
			assert.Equal(t, p.client.Raw, id.Leaf.Raw, "the identity is the client")
			assert.Len(t, id.Presented, 1)
			s.judgeAll(t, viaGateway(gateway, p.client.Certificate), []row{
				{"no certificate of the gateway", put(platform), untrusted},
				{"an empty one", put(platform, ""), untrusted},
				{"another certificate of its CA", put(platform, sibling.Base64()), untrusted},
				{"another key of the same name", put(platform, impostor.Base64()), untrusted},
				{"the client's own certificate", put(platform, p.good), untrusted},
				{"nonsense", put(platform, "?"), untrusted},
				{"twice", put(platform, gateway.Base64(), gateway.Base64()), untrusted},
				{"the attacker's in front", put(platform, p.good, gateway.Base64()), untrusted},
				{"only under an alias", inOrder(put(platform), set("X_ARR_ClientCert", gateway.Base64())), untrusted},
				{"aliases beside it", set("X_ARR_ClientCert", p.good), certauth.ReasonNone},
				{"row 13 no X-ARR-LOG-ID", put("X-ARR-LOG-ID"), untrusted},
				{"row 13 no X-ARR-SSL", put("X-ARR-SSL"), untrusted},
				{"row 13 X-ARR-SSL is not well formed", put("X-ARR-SSL", "2048"), untrusted},
				{"row 13 X-AppService-Proto is http", put("X-AppService-Proto", "http"), untrusted},
				{"no evidence and no client", inOrder(put("X-ARR-LOG-ID"), put("X-Client-Cert")), missing},
				{"no gateway and no client", inOrder(put(platform), put("X-Client-Cert")), missing},
				{"no gateway and an empty client", inOrder(put(platform), put("X-Client-Cert", "")), missing},
				{"no client", put("X-Client-Cert"), missing},
				{"the client twice", put("X-Client-Cert", p.good, p.good), certauth.ReasonCertificateMalformed},
				{"nonsense for the client", put("X-Client-Cert", "?"), certauth.ReasonCertificateMalformed},
				{"Connection names the client's header", put("Connection", "X-Client-Cert"), certauth.ReasonCertificateMalformed},
				{"the gateway's own certificate for the client", put("X-Client-Cert", gateway.Base64()), certauth.ReasonChainUntrusted},
				{"a client of another CA", put("X-Client-Cert", impostor.Base64()), certauth.ReasonChainUntrusted},
				{"a TLS certificate beside it", func(r *http.Request) {
					r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{gateway.Certificate}}
				}, untrusted},
			})
		})
	}
}

func TestAppServiceCertificate_OutsideThePlatform(t *testing.T) {
	t.Setenv("WEBSITE_SITE_NAME", "")
	t.Setenv("WEBSITE_INSTANCE_ID", "")
	p := newPartner(t)
	gateway := certauthtest.SelfSigned(t, "gateway")
	s := newStand(t, certauth.Config{Source: forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Certificates(gateway.Certificate))}, Policy: p.chain()})
	s.judge(t, viaGateway(gateway, p.client.Certificate), certauth.ReasonSourceUntrusted)
}

// The gateway's certificate is judged by the clock of the configuration.
func TestAppServiceCertificate_Expires(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	gateway := certauthtest.SelfSigned(t, "gateway", certauthtest.Valid(end.Add(-2*time.Hour), end))
	for now, want := range map[time.Time]certauth.Reason{end: certauth.ReasonNone, end.Add(time.Second): certauth.ReasonSourceUntrusted} {
		s := newStand(t, certauth.Config{
			Source: forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Certificates(gateway.Certificate))}, Policy: p.chain(), Now: func() time.Time { return now },
		})
		s.judge(t, viaGateway(gateway, p.client.Certificate), want)
	}
}

func TestAppServiceCertificate_MistakesAndText(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	good := forwarded.AppServiceCertificate(certauth.Thumbprints{p.client.Thumbprint()})
	for want, from := range map[string]forwarded.Gate{
		"Source: APIManagement.From: AppServiceCertificate: ":              forwarded.AppServiceCertificate(nil),
		"Policy.Thumbprints[0]":                                            forwarded.AppServiceCertificate(certauth.Thumbprints{"ab"}),
		"the gate would accept every certificate of the CA":                forwarded.AppServiceCertificate(p.chain()),
		"Policy.DNSNames":                                                  forwarded.AppServiceCertificate(certauth.DNSNames{"apim.internal"}),
		"Source: APIManagement.From: AnyGate[1]: AppServiceCertificate: ":  forwarded.AnyGate(good, forwarded.AppServiceCertificate(certauth.Thumbprints{})),
		"are the same header to proxies and servers":                       forwarded.EveryGate(good, forwarded.SharedSecret("X_ARR_ClientCert", secret)),
		"Source: APIManagement.From: EveryGate[0]: AppServiceCertificate:": forwarded.EveryGate(forwarded.AppServiceCertificate(certauth.Any{})),
	} {
		_, err := certauth.New(certauth.Config{Source: forwarded.APIManagement{From: from}, Policy: p.chain()})
		assert.ErrorContains(t, err, want)
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.APIManagement{From: good}, Policy: p.chain()})
	require.NoError(t, err)
	assert.Contains(t, auth.String(), "forwarded.APIManagement (X-Client-Cert from AppServiceCertificate(")
}

// finding N148: the gateway's certificate was compared with that of the caller whom a Handler further out has let
// through, so that a request which a handler made for this caller was refused.
func TestAppServiceCertificate_IsNotComparedWithTheCaller(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	gateway, other := certauthtest.SelfSigned(t, "gateway"), p.ca.Issue(t, "other")
	var last certauth.Event
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Certificates(gateway.Certificate))}, Policy: p.chain(),
		Observe: func(_ context.Context, e certauth.Event) { last = e },
	})
	require.NoError(t, err)
	for client, want := range map[*certauthtest.Certificate]certauth.Reason{p.client: certauth.ReasonNone, other: certauth.ReasonSourceUntrusted} {
		var handler http.Handler
		handler = auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !r.URL.Query().Has("part") {
				part := viaGateway(gateway, client.Certificate)().WithContext(r.Context())
				part.URL.RawQuery = "part"
				handler.ServeHTTP(w, part)
			}
		}))
		handler.ServeHTTP(httptest.NewRecorder(), viaGateway(gateway, p.client.Certificate)())
		assert.Equal(t, want, last.Reason())
		if want != certauth.ReasonNone {
			assert.Contains(t, last.Err.Hint, "use one Handler for a request")
			assert.Equal(t, other.Thumbprint(), last.Certificate.Fingerprint)
		}
	}
}
