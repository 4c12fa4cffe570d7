package certauth_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

func TestPeer_IsWhatTheSocketSays(t *testing.T) {
	for _, tc := range []struct {
		name, network string
		want          string
	}{
		{"a TCP connection", "tcp", "127.0.0.1"},
		{"a unix socket", "unix", "unix"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			address := "127.0.0.1:0"
			if tc.network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			listener, err := net.Listen(tc.network, address)
			require.NoError(t, err)
			var seen certauth.Peer
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				r.RemoteAddr = "203.0.113.9:1" // what middleware in front may do
				seen = certauth.PeerOf(r)
			}))
			require.NoError(t, server.Listener.Close())
			server.Listener = listener
			server.Config.ConnContext = certauth.ConnContext
			server.Start()
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, tc.network, listener.Addr().String())
			}}}
			response, err := client.Get("http://app.example/")
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
			assert.True(t, seen.Socket)
			assert.Equal(t, tc.network, seen.Network)
			assert.Equal(t, tc.want, seen.String())
			assert.Equal(t, tc.network == "tcp", seen.Addr.IsValid())
		})
	}
}

// finding T3: without ConnContext, a source that called PeerOf trusted what middleware had written
// into RemoteAddr.
func TestPeer_WithoutConnContextRemoteAddrIsForTheLogAlone(t *testing.T) {
	for remote, want := range map[string]string{
		"10.1.2.3:80":              "10.1.2.3",
		"[::ffff:10.1.2.3]:80":     "10.1.2.3",
		"[fe80::1%eth0]:80":        "fe80::1",
		"[2001:db8::1]:80":         "2001:db8::1",
		"10.1.2.3":                 "unknown",
		"@":                        "unknown",
		"":                         "unknown",
		"pipe":                     "unknown",
		"localhost:80":             "unknown",
		"10.1.2.3:80, 127.0.0.1:1": "unknown",
	} {
		r := request()
		r.RemoteAddr = remote
		peer := certauth.PeerOf(r)
		assert.Equal(t, want, peer.String(), remote)
		assert.False(t, peer.Socket)
		assert.False(t, peer.Addr.IsValid(), remote)
		assert.Empty(t, peer.Network)
	}
}

// finding S2: ConnContext called the connection for its address in the accept loop, where a
// connection that waits for its client blocks all others.
func TestPeer_ConnContextCallsNoMethodOfTheConnection(t *testing.T) {
	assert.NotPanics(t, func() {
		certauth.ConnContext(t.Context(), struct{ net.Conn }{}) // every method of it panics
		certauth.ConnContext(t.Context(), nil)
	})
}

// The wrappers of a connection. Those that embed a net.Conn promote only its RemoteAddr.
type (
	opaque    struct{ net.Conn }
	showing   struct{ net.Conn }
	raw       struct{ net.Conn }
	embedding struct{ *net.TCPConn }
	circular  struct{ net.Conn }
	lying     struct{ showing }
	panicking struct{ net.Conn }
	emptied   struct{ net.Conn }
)

func (c showing) NetConn() net.Conn { return c.Conn }
func (c raw) Raw() net.Conn         { return c.Conn }
func (c circular) NetConn() net.Conn {
	return c
}

func (c lying) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9), Port: 1}
}
func (panicking) NetConn() net.Conn { panic("a bug of the wrapper") }
func (emptied) NetConn() net.Conn   { return nil }

// finding T4: the address that a wrapper of the connection reports, such as that in a PROXY header,
// was treated as the socket's.
func TestPeer_IsFoundUnderWrappersThatShowWhatTheyWrap(t *testing.T) {
	server, client := connected(t, "tcp")
	onUnix, _ := connected(t, "unix")
	pipe, _ := net.Pipe()
	for _, tc := range []struct {
		name string
		conn net.Conn
		want string // "" for no socket
	}{
		{"a TCP connection", server, "127.0.0.1"},
		{"a unix connection", onUnix, "unix"},
		{"TLS over it", tls.Server(server, &tls.Config{}), "127.0.0.1"},
		{"a wrapper with NetConn", showing{server}, "127.0.0.1"},
		{"a wrapper with NetConn over TLS over another", showing{tls.Server(showing{server}, &tls.Config{})}, "127.0.0.1"},
		{"a wrapper that reports another address", lying{showing{server}}, "127.0.0.1"},
		{"a wrapper over a unix connection that reports a TCP address", lying{showing{onUnix}}, "unix"},
		{"a wrapper that shows nothing", opaque{server}, ""},
		{"a wrapper with Raw, as of the PROXY protocol", raw{server}, ""},
		{"a type that embeds *net.TCPConn", embedding{server.(*net.TCPConn)}, ""},
		{"a wrapper that wraps itself", circular{server}, ""},
		{"a wrapper that wraps nothing", emptied{server}, ""},
		{"a wrapper that panics", panicking{server}, ""},
		{"a connection in memory", pipe, ""},
		{"TLS over a connection in memory", tls.Server(pipe, &tls.Config{}), ""},
		{"a nil *net.TCPConn", (*net.TCPConn)(nil), ""},
		{"a nil *net.UnixConn", (*net.UnixConn)(nil), ""},
		{"a *net.TCPConn without a socket", &net.TCPConn{}, ""},
		{"no connection", nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := request()
			r.RemoteAddr = "10.0.0.4:1"
			peer := certauth.PeerOf(r.WithContext(certauth.ConnContext(r.Context(), tc.conn)))
			if tc.want == "" {
				assert.Equal(t, "10.0.0.4", peer.String(), "for the log")
				assert.False(t, peer.Socket)
				assert.False(t, peer.Addr.IsValid())
				return
			}
			assert.True(t, peer.Socket)
			assert.Equal(t, tc.want, peer.String())
		})
	}
	_ = client
}

// A closed connection keeps its peer.
func TestPeer_OutlivesTheConnection(t *testing.T) {
	server, _ := connected(t, "tcp")
	r := request()
	r = r.WithContext(certauth.ConnContext(r.Context(), server))
	require.NoError(t, server.Close())
	assert.Equal(t, "127.0.0.1", certauth.PeerOf(r).String())
}

// A handler can take a connection over and serve it with another server, whose requests would
// inherit the context of the first.
func TestPeer_BelongsToTheServerThatAcceptedTheConnection(t *testing.T) {
	conn, _ := connected(t, "tcp")
	first, second := &http.Server{}, &http.Server{}
	ctx := certauth.ConnContext(context.WithValue(t.Context(), http.ServerContextKey, first), conn)
	assert.True(t, certauth.PeerOf(request().WithContext(ctx)).Socket)
	assert.False(t, certauth.PeerOf(request().WithContext(context.WithValue(ctx, http.ServerContextKey, second))).Socket)
}

func TestWithPeer_IsAPeerOnASocket(t *testing.T) {
	r := request()
	for _, tc := range []struct{ network, address, want string }{
		{"tcp", "10.0.0.4:1", "10.0.0.4"},
		{"tcp", "[::ffff:10.0.0.4]:1", "10.0.0.4"},
		{"unix", "", "unix"},
	} {
		peer := certauth.PeerOf(certauthtest.WithPeer(t, r, tc.network, tc.address))
		assert.True(t, peer.Socket)
		assert.Equal(t, tc.network, peer.Network)
		assert.Equal(t, tc.want, peer.String())
	}
	assert.False(t, certauth.PeerOf(r).Socket, "the request itself must be unchanged")
}

// connected returns a connection as a listener accepts it, and its other end.
func connected(t *testing.T, network string) (server, client net.Conn) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		folder, err := os.MkdirTemp("", "peer") //nolint:usetesting // t.TempDir can be too long for a socket
		require.NoError(t, err)
		t.Cleanup(func() { _ = os.RemoveAll(folder) })
		address = filepath.Join(folder, "s")
	}
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	client, err = net.Dial(network, listener.Addr().String())
	require.NoError(t, err)
	server, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	return server, client
}
