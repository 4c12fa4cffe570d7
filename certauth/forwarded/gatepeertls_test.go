package forwarded_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// reported is a connection that reports another remote address, like those of a PROXY protocol
// listener.
type reported struct {
	net.Conn

	from net.Addr
}

func (c reported) NetConn() net.Conn    { return c.Conn }
func (c reported) RemoteAddr() net.Addr { return c.from }

// A gate that admits the peer of the socket does not declare a TLS client certificate that the
// sender has presented on that socket.
func TestGates_PeerDeclaresNoTLSCertificate(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	proxy := certauthtest.NewCA(t, "Infrastructure").Issue(t, "proxy")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	accepted, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = accepted.Close() })
	passedOn := reported{accepted, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 4), Port: 4000}}
	for name, tc := range map[string]struct {
		gate forwarded.Gate
		over func(*http.Request) *http.Request
	}{
		"Peers":      {forwarded.Peers("10.0.0.4"), func(r *http.Request) *http.Request { return certauthtest.WithPeer(t, r, "tcp", "10.0.0.4:4000") }},
		"UnixSocket": {forwarded.UnixSocket(), func(r *http.Request) *http.Request { return certauthtest.WithPeer(t, r, "unix", "") }},
		"ProxyProtocol": {forwarded.ProxyProtocol(forwarded.Peers("127.0.0.1"), "10.0.0.4"), func(r *http.Request) *http.Request {
			return r.WithContext(certauth.ConnContext(r.Context(), passedOn))
		}},
	} {
		auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: tc.gate}, Policy: p.chain()})
		require.NoError(t, err)
		r := tc.over(arriving(p.good))
		_, err = auth.Check(r)
		assert.NoError(t, err, name)
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{proxy.Certificate}}
		_, err = auth.Check(r)
		assert.Equal(t, certauth.ReasonSourceUntrusted, reasonOf(err), "%s: %v", name, err)
	}
}

// Reload also reads the files of a gate: the front end's new certificate is admitted, and the old
// one no longer is. The gate's policy is printed with the source.
func TestProxyCertificate_IsReloadedAndPrinted(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	infrastructure := certauthtest.NewCA(t, "Infrastructure")
	before, after := infrastructure.Issue(t, "front-end"), infrastructure.Issue(t, "front-end")
	file := filepath.Join(t.TempDir(), "pins.txt")
	write := func(pin string) { require.NoError(t, os.WriteFile(file, []byte(pin+"\n"), 0o600)) }
	write(before.Thumbprint())
	gate := forwarded.ProxyCertificate(certauth.ThumbprintsFrom(certauth.PinFile(file)))
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: gate}, Policy: p.chain()})
	require.NoError(t, err)
	assert.Contains(t, auth.String(), file)
	check := func(sender *certauthtest.Certificate) certauth.Reason {
		r := arriving(p.good)
		r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{sender.Certificate}}
		_, err := auth.Check(r)
		return reasonOf(err)
	}
	assert.Equal(t, certauth.ReasonNone, check(before))
	write(after.Thumbprint())
	require.NoError(t, auth.Reload(t.Context()))
	assert.Equal(t, certauth.ReasonNone, check(after))
	assert.Equal(t, certauth.ReasonSourceUntrusted, check(before))
}
