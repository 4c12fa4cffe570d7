package socket_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
	"github.com/seed2886b8ae/go-certauth/internal/socket/testdata/golang.org/x/net/http2/h2c"
)

// over returns a request of this HTTP version over a connection that the server has kept.
func over(t *testing.T, server *http.Server, conn net.Conn, major int) *http.Request {
	t.Helper()
	ctx := context.WithValue(t.Context(), http.ServerContextKey, server)
	r := httptest.NewRequest(http.MethodGet, "/", nil).WithContext(socket.Keep(ctx, conn))
	r.ProtoMajor = major
	return r
}

// accepted returns the server's end of a connection over the network.
func accepted(t *testing.T, network, address string) net.Conn {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Skip(err) // not every system supports every kind of unix socket
	}
	t.Cleanup(func() { _ = listener.Close() })
	client, err := net.Dial(network, listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = client.Close() })
	conn, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// wrapper is a connection around another one, as a user's listener makes it.
type wrapper struct{ net.Conn }

func (w wrapper) NetConn() net.Conn { return w.Conn }

// encrypted is a wrapper that speaks TLS.
type encrypted struct {
	wrapper

	protocol string
}

func (e encrypted) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{NegotiatedProtocol: e.protocol}
}

// The peer is that of the innermost socket, below at most fifteen wrappers.
func TestPeerOf_Wrappers(t *testing.T) {
	conn := accepted(t, "tcp", "127.0.0.1:0")
	wrapped := conn
	for range 15 {
		wrapped = wrapper{wrapped}
	}
	peer, err := socket.PeerOf(over(t, nil, wrapped, 1))
	require.NoError(t, err)
	assert.Equal(t, conn.RemoteAddr().String(), peer.Addr.String())
	_, err = socket.PeerOf(over(t, nil, wrapper{wrapped}, 1))
	var unknown *socket.Error
	require.ErrorAs(t, err, &unknown)
	assert.NotEmpty(t, unknown.Hint)
}

// A packet-oriented unix socket is refused, because the permissions concern a listening stream.
func TestPeerOf_OnlyStreamsOfUnixSockets(t *testing.T) {
	for network, want := range map[string]bool{"unix": true, "unixpacket": false} {
		t.Run(network, func(t *testing.T) {
			peer, err := socket.PeerOf(over(t, nil, accepted(t, network, filepath.Join(t.TempDir(), "s")), 1))
			if want {
				require.NoError(t, err)
				assert.Equal(t, "unix", peer.Network)
				return
			}
			require.Error(t, err)
			assert.Zero(t, peer)
		})
	}
}

// reporting is a connection of the PROXY protocol.
type reporting struct {
	net.Conn

	address func() net.Addr
}

func (r reporting) Raw() net.Conn        { return r.Conn }
func (r reporting) RemoteAddr() net.Addr { return r.address() }

// The address that the connection reports is a TCP address, and not the balancer's own.
func TestReported_Addresses(t *testing.T) {
	conn := accepted(t, "tcp", "127.0.0.1:0")
	front := netip.MustParseAddrPort("10.0.0.4:1")
	for name, tc := range map[string]struct {
		address func() net.Addr
		want    bool
	}{
		"of TCP":            {func() net.Addr { return net.TCPAddrFromAddrPort(front) }, true},
		"of UDP":            {func() net.Addr { return net.UDPAddrFromAddrPort(front) }, false},
		"of a unix socket":  {func() net.Addr { return &net.UnixAddr{Net: "unix", Name: "10.0.0.4:1"} }, false},
		"none":              {func() net.Addr { return nil }, false},
		"the socket's own":  {conn.RemoteAddr, false},
		"a panic":           {func() net.Addr { panic("no header") }, false},
		"no address at all": {func() net.Addr { return &net.TCPAddr{} }, false},
	} {
		beneath, reported, err := socket.Reported(over(t, nil, reporting{conn, tc.address}, 1))
		if tc.want {
			require.NoError(t, err, name)
			assert.Equal(t, front.Addr(), reported)
			assert.Equal(t, conn.RemoteAddr().String(), beneath.Addr.String())
			continue
		}
		require.Error(t, err, name)
		assert.False(t, reported.IsValid(), name)
	}
}

// inClear returns a server that speaks HTTP/2 without TLS.
func inClear(handler http.Handler) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{Protocols: protocols, Handler: handler}
}

// An HTTP/2 request that net/http itself cannot have served came over a connection that a handler
// took over. The connection's own encryption state takes precedence over that of the request, which
// the client chooses there; the request's is used only if no connection is known.
func TestTunnel_IsHTTP2ThatTheServerCannotHaveServed(t *testing.T) {
	conn := accepted(t, "tcp", "127.0.0.1:0")
	h2, h1 := &tls.ConnectionState{NegotiatedProtocol: "h2"}, &tls.ConnectionState{NegotiatedProtocol: "http/1.1"}
	tlsH2, tlsH1 := encrypted{wrapper{conn}, "h2"}, encrypted{wrapper{conn}, "http/1.1"}
	plain := &http.Server{}
	for name, tc := range map[string]struct {
		server *http.Server
		conn   net.Conn // nil: not kept
		major  int
		state  *tls.ConnectionState // of the request
		tunnel bool
	}{
		"HTTP/1":          {plain, conn, 1, nil, false},
		"HTTP/1 over TLS": {plain, tlsH1, 1, h1, false},
		"h2 over TLS":     {plain, tlsH2, 2, h2, false},
		"h2 over TLS that the request does not show": {plain, tlsH2, 2, nil, false},
		"HTTP/2 over TLS that negotiated HTTP/1":     {plain, tlsH1, 2, h1, true},
		"the same, and the request says h2":          {plain, tlsH1, 2, h2, true},
		"the same, and the request says in clear":    {inClear(nil), tlsH1, 2, nil, true},
		"HTTP/2 in clear":                            {inClear(nil), conn, 2, nil, false},
		"HTTP/2 in clear on a server that has none":  {plain, conn, 2, nil, true},
		"HTTP/2 in clear by h2c":                     {inClear(h2c.Handler{}), conn, 2, nil, true},
		"HTTP/2 in clear by a pointer to h2c":        {inClear(&h2c.Handler{}), conn, 2, nil, true},
		"HTTP/2 in clear by a handler of one's own":  {inClear(http.NotFoundHandler()), conn, 2, nil, false},
		"not kept, HTTP/1":                           {plain, nil, 1, nil, false},
		"not kept, h2 over TLS":                      {plain, nil, 2, h2, false},
		"not kept, HTTP/2 over TLS with HTTP/1":      {plain, nil, 2, h1, true},
		"not kept, HTTP/2 in clear":                  {inClear(nil), nil, 2, nil, false},
		"not kept, HTTP/2 in clear by h2c":           {inClear(h2c.Handler{}), nil, 2, nil, true},
		"not kept, no HTTP/2 in clear":               {plain, nil, 2, nil, true},
	} {
		r := over(t, tc.server, tc.conn, tc.major)
		if tc.conn == nil {
			r = httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(t.Context(), http.ServerContextKey, tc.server))
			r.ProtoMajor = tc.major
		}
		r.TLS = tc.state
		err := socket.Tunnel(r)
		if !tc.tunnel {
			assert.NoError(t, err, name)
		} else {
			var refused *socket.Error
			assert.ErrorAs(t, err, &refused, name)
		}
		if tc.conn == nil {
			continue
		}
		_, err = socket.PeerOf(r)
		assert.Equal(t, tc.tunnel, err != nil, "%s: PeerOf: %v", name, err)
	}
}

// h2c is removed from the Upgrade header together with its settings; other protocols and their
// spelling stay.
func TestDropUpgrade_LeavesOtherWishesAsTheyAre(t *testing.T) {
	const settings = "Http2-Settings"
	long := strings.Repeat("a", 4<<10)
	for _, tc := range []struct {
		name    string
		upgrade []string
		want    []string
	}{
		{"none", nil, nil},
		{"websocket", []string{"websocket"}, []string{"websocket"}},
		{"an odd spelling", []string{" foo/1 ,websocket", "bar"}, []string{" foo/1 ,websocket", "bar"}},
		{"h2c", []string{"h2c"}, nil},
		{"h2c among others", []string{"websocket, H2C"}, []string{"websocket"}},
		{"as long as may be", []string{"websocket, ", long[11:]}, []string{"websocket, ", long[11:]}},
		{"longer", []string{"websocket, ", long[10:]}, nil},
		{"h2c after a longer header", []string{long, "h2c"}, nil},
	} {
		header := http.Header{settings: {"AAMAAABk"}}
		if tc.upgrade != nil {
			header["Upgrade"] = tc.upgrade
		}
		socket.DropUpgrade(header)
		assert.Equal(t, tc.want, header["Upgrade"], tc.name)
		dropped := len(tc.want) == 0 && tc.upgrade != nil || tc.name == "h2c among others"
		assert.Equal(t, !dropped, header[settings] != nil, tc.name)
	}
}

func TestTakesOver(t *testing.T) {
	assert.False(t, socket.TakesOver(nil))
	assert.False(t, socket.TakesOver(http.NotFoundHandler()))
	assert.False(t, socket.TakesOver(http.NewServeMux()))
	assert.True(t, socket.TakesOver(h2c.Handler{}))
	assert.True(t, socket.TakesOver(&h2c.Handler{}))
}
