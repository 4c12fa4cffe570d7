package revocation_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// counting counts the connections that arrive.
type counting struct {
	net.Listener
	came atomic.Int64
}

func (l *counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.came.Add(1)
	}
	return conn, err
}

// Case 97 with sockets: with the default Fetcher and a handler, no connection is made for a
// certificate without a chain, and one is made for the same certificate with a chain.
func TestRevocation_UnverifiedCertificateConnectsToNobody(t *testing.T) {
	partner, stranger := certauthtest.NewCA(t, "Partner CA"), certauthtest.NewCA(t, "Partner CA")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	door := &counting{Listener: listener}
	responder := &httptest.Server{Listener: door, Config: &http.Server{Handler: certauthtest.NewResponder(t, partner)}}
	responder.Start()
	defer responder.Close()
	at := netip.MustParseAddrPort(listener.Addr().String())
	checker, err := revocation.New(revocation.Config{HTTP: revocation.HTTPOptions{
		AllowNets: []netip.Prefix{netip.PrefixFrom(at.Addr(), 32)}, AllowPorts: []int{int(at.Port())},
	}})
	require.NoError(t, err)
	defer func() { require.NoError(t, checker.Close()) }()
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Header{Name: "X-Client-Cert", Format: forwarded.FormatBase64DER, From: forwarded.InsecureAnyPeer()},
		Policy: certauth.All{certauth.Chain{Roots: certauth.Certificates(partner.Certificate)}, certauth.NotRevoked{Checker: checker}},
	})
	require.NoError(t, err)
	ask := func(leaf *certauthtest.Certificate) int {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Client-Cert", leaf.Base64())
		w := httptest.NewRecorder()
		auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
		return w.Code
	}
	points := []certauthtest.Template{certauthtest.OCSPAt(responder.URL), certauthtest.CRLAt(responder.URL + "/ca.crl")}
	for range 3 {
		assert.Equal(t, http.StatusUnauthorized, ask(stranger.Issue(t, "client", points...)))
	}
	assert.Equal(t, http.StatusUnauthorized, ask(certauthtest.SelfSigned(t, "client", points...)))
	assert.Zero(t, door.came.Load(), "connections for certificates that do not chain")
	assert.Equal(t, http.StatusOK, ask(partner.Issue(t, "client", points...)))
	assert.Equal(t, int64(1), door.came.Load(), "the control")
}
