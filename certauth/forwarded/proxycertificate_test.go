package forwarded_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// hop is a backend that itself terminates TLS behind the front end.
type hop struct {
	*httptest.Server
	reason  certauth.Reason
	resumed bool
	caller  string
}

func newHop(t *testing.T, config certauth.Config) *hop {
	t.Helper()
	h := &hop{}
	config.Observe = func(_ context.Context, e certauth.Event) { h.reason = e.Reason() }
	auth, err := certauth.New(config)
	require.NoError(t, err)
	checked := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := certauth.FromContext(r.Context())
		h.caller = id.Leaf.Subject.CommonName
	}))
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.resumed, h.caller = r.TLS.DidResume, ""
		checked.ServeHTTP(w, r)
	}))
	h.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	h.Config.ConnContext = certauth.ConnContext
	h.StartTLS()
	t.Cleanup(h.Close)
	return h
}

// from returns a client with its own connection that presents the certificate.
func (h *hop) from(certificate *certauthtest.Certificate) *http.Client {
	transport := h.Client().Transport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	transport.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	if certificate != nil {
		transport.TLSClientConfig.Certificates = []tls.Certificate{certificate.TLS()}
	}
	return &http.Client{Transport: transport}
}

// Row 12: the gate accepts the front end's own key, and never the client's.
func TestProxyCertificate_IsTheFrontEndsOwnKey(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	infrastructure := certauthtest.NewCA(t, "Infrastructure")
	front := infrastructure.Issue(t, "front-end", certauthtest.DNS("front.internal"))
	sibling := infrastructure.Issue(t, "front-end", certauthtest.DNS("other.internal"))
	impostor := certauthtest.NewCA(t, "Infrastructure").Issue(t, "front-end", certauthtest.DNS("front.internal"))
	chain := certauth.Chain{Roots: certauth.Certificates(infrastructure.Certificate)}
	for name, policy := range map[string]certauth.Policy{
		"by thumbprint": certauth.Thumbprints{thumbprint(front.Raw)}, "by key": certauth.PublicKeys{keyHash(front.Certificate)}, "by chain and name": certauth.All{chain, certauth.DNSNames{"front.internal"}},
	} {
		h := newHop(t, certauth.Config{Source: forwarded.AppService{From: forwarded.ProxyCertificate(policy)}, Policy: p.chain()})
		for _, tc := range []struct {
			name      string
			presented *certauthtest.Certificate
			values    []string
			want      certauth.Reason
		}{
			{"the front end", front, values(p.good), certauth.ReasonNone},
			{"the front end without a client", front, nil, certauth.ReasonCertificateMissing},
			{"the front end with nonsense", front, values("?"), certauth.ReasonCertificateMalformed},
			{"no certificate", nil, values(p.good), certauth.ReasonSourceUntrusted},
			{"no certificate, no client", nil, nil, certauth.ReasonCertificateMissing},
			{"another key of the same name", impostor, values(p.good), certauth.ReasonSourceUntrusted},
			{"another certificate of its CA", sibling, values(p.good), certauth.ReasonSourceUntrusted},
			{"the client's own certificate", p.client, values(p.good), certauth.ReasonSourceUntrusted},
			{"the client's own certificate, no header", p.client, nil, certauth.ReasonCertificateMissing},
			{"the front end's certificate in the header too", front, values(front.Base64()), certauth.ReasonChainUntrusted},
		} {
			t.Run("row 12 "+tc.name+", "+name, func(t *testing.T) {
				status := send(t, h.from(tc.presented), h.URL, tc.values...)
				assert.Equal(t, tc.want, h.reason)
				if tc.want == certauth.ReasonNone {
					assert.Equal(t, http.StatusOK, status)
					assert.Equal(t, "orders", h.caller, "never the front end")
					return
				}
				assert.Equal(t, http.StatusUnauthorized, status)
				assert.Empty(t, h.caller)
			})
		}
	}
}

// A client certificate on the hop that no gate declared: another sender is at the other end, or TLS
// is terminated at an unexpected place.
func TestProxyCertificate_UndeclaredOneIsRefused(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	front := certauthtest.SelfSigned(t, "front-end")
	pin := forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))
	local := forwarded.Peers("127.0.0.0/8", "::1")
	for _, tc := range []struct {
		name      string
		from      forwarded.Gate
		presented *certauthtest.Certificate
		want      certauth.Reason
	}{
		{"no gate, no certificate", nil, nil, certauth.ReasonNone},
		{"no gate, the client's certificate", nil, p.client, certauth.ReasonSourceUntrusted},
		{"a gate on addresses, no certificate", local, nil, certauth.ReasonNone},
		{"a gate on addresses, a certificate", local, front, certauth.ReasonSourceUntrusted},
		{"anybody, a certificate", forwarded.InsecureAnyPeer(), front, certauth.ReasonSourceUntrusted},
		{"declared beside an address", forwarded.EveryGate(local, pin), front, certauth.ReasonNone},
		{"declared as one of two ways, no certificate", forwarded.AnyGate(local, pin), nil, certauth.ReasonNone},
		{"declared as one of two ways, the declared one", forwarded.AnyGate(local, pin), front, certauth.ReasonNone},
		{"declared as one of two ways, the client's certificate", forwarded.AnyGate(local, pin), p.client, certauth.ReasonSourceUntrusted},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHop(t, certauth.Config{Source: forwarded.AppService{From: tc.from}, Policy: p.chain()})
			send(t, h.from(tc.presented), h.URL, p.good)
			assert.Equal(t, tc.want, h.reason)
		})
	}
}

// CVE-2025-68121 Go: a resumed session is judged again, at the current time.
func TestProxyCertificate_IsJudgedOnResumedSessions(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	end := time.Now().Add(30 * time.Minute).Truncate(time.Second)
	front := certauthtest.SelfSigned(t, "front-end", certauthtest.Valid(time.Now().Add(-time.Hour), end))
	var now atomic.Pointer[time.Time]
	tell := func(t time.Time) { now.Store(&t) }
	tell(end)
	h := newHop(t, certauth.Config{
		Source: forwarded.AppService{From: forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))}, Policy: p.chain(), Now: func() time.Time { return *now.Load() },
	})
	client := h.from(front)
	assert.Equal(t, http.StatusOK, send(t, client, h.URL, p.good))
	assert.Equal(t, http.StatusOK, send(t, client, h.URL, p.good))
	require.True(t, h.resumed)
	tell(end.Add(time.Second))
	assert.Equal(t, http.StatusUnauthorized, send(t, client, h.URL, p.good))
	require.True(t, h.resumed)
	assert.Equal(t, certauth.ReasonSourceUntrusted, h.reason, "the client's own certificate has not expired")
}
