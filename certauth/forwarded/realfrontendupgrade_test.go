//go:build unix

package forwarded_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding T5: through HAProxy, and through an nginx that passes Upgrade and Connection on, a client
// without a certificate got 101 from a service that serves h2c by taking connections over. It could
// then impersonate any client by writing the front end's headers.
func TestRealFrontEnds_UpgradeToH2CIsNoTunnelToTheService(t *testing.T) {
	c := newCast(t)
	for i, tc := range []struct {
		program
		config, path string
		answer       int // to the request that asks for h2c
	}{
		{nginx, "dangerous.conf", "/upgrade", http.StatusSwitchingProtocols},
		{haproxy, "dangerous.cfg", "/", http.StatusSwitchingProtocols},
		{nginx, "recommended.conf", "/", http.StatusUnauthorized},
		{nginx, "recommended.conf", "/websocket", http.StatusUnauthorized},
		{haproxy, "recommended.cfg", "/", http.StatusUnauthorized},
		{apache, "recommended.conf", "/", http.StatusUnauthorized},
		{caddy, "recommended.Caddyfile", "/", http.StatusUnauthorized},
		{envoy, "recommended.yaml", "/", http.StatusUnauthorized},
	} {
		t.Run(tc.name+" with "+tc.config+", "+tc.path, func(t *testing.T) {
			r := recommendations[[...]int{0, 1, 0, 0, 1, 2, 3, 6}[i]]
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			handler := takingOver(*a.handler.Load())
			a.handler.Store(&handler)
			front := tc.start(t, tc.config, settings{App: a.address, Verify: r.verify}, c)
			a.forget()

			conn, err := (&tls.Dialer{Config: c.tlsConfig(nil)}).DialContext(t.Context(), "tcp", front.address)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			forgery := r.convention.forge(c.victim)
			got := upgrade(t, conn, "GET "+tc.path+" HTTP/1.1\r\nHost: localhost\r\n"+strings.Join(forgery, "\r\n")+"\r\n"+wishForH2C+"\r\n")
			require.Equal(t, tc.answer, got)
			if got != http.StatusSwitchingProtocols {
				return
			}
			assert.Equal(t, http.StatusUnauthorized, byHTTP2(t, conn, tc.path, forgery...))
			saw := a.sighted()
			assert.Nil(t, saw.handed, "the handler ran")
			assert.Equal(t, stranger, string(saw.event.Reason()))
			assert.Equal(t, "127.0.0.1", saw.event.Peer.String(), "it did come from the front end")
		})
	}
}

// finding T45: HAProxy passes CONNECT on, and after an answer of 2xx it passes on whatever the client
// writes next (RFC 9110, section 9.3.6). A client with any valid certificate could then impersonate
// any other one by writing the front end's headers.
func TestRealFrontEnds_CONNECTIsNoTunnelToTheService(t *testing.T) {
	c := newCast(t)
	for _, tc := range []struct {
		program
		config string
		r      recommended
		answer int
	}{
		{haproxy, "dangerous.cfg", recommendations[1], http.StatusUnauthorized},
		{haproxy, "recommended.cfg", recommendations[1], http.StatusForbidden},
		{nginx, "recommended.conf", recommendations[0], http.StatusBadRequest},
		{apache, "recommended.conf", recommendations[2], http.StatusUnauthorized},
		{caddy, "dangerous.Caddyfile", recommendations[3], http.StatusUnauthorized},
		{caddy, "recommended.Caddyfile", recommendations[3], http.StatusMethodNotAllowed},
		{envoy, "recommended.yaml", recommendations[6], http.StatusNotFound},
	} {
		t.Run(tc.name+" with "+tc.config, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.r.source, c.policy())
			front := tc.start(t, tc.config, settings{App: a.address, Verify: tc.r.verify}, c)
			a.forget()
			conn, err := (&tls.Dialer{Config: c.tlsConfig(c.p256)}).DialContext(t.Context(), "tcp", front.address)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			got := upgrade(t, conn, "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n")
			assert.Equal(t, tc.answer, got)
			assert.Nil(t, a.sighted().handed, "the handler ran")
			if got == http.StatusUnauthorized {
				assert.Equal(t, stranger, string(a.sighted().event.Reason()))
			}
			if got != http.StatusOK {
				return
			}
			_ = upgrade(t, conn, "GET / HTTP/1.1\r\nHost: localhost\r\n"+strings.Join(tc.r.convention.forge(c.victim), "\r\n")+"\r\n\r\n")
			if id := a.sighted().event.Identity; id != nil {
				assert.NotEqual(t, c.victim.Thumbprint(), id.Thumbprint(), "the client wrote the headers itself")
			}
		})
	}
}

// finding T78: Caddy, like every proxy with Go's http.Transport, writes the body of CONNECT to the service
// as it is, without a length. The service took it for the next request on the front end's connection,
// and a client without a certificate could impersonate any other.
func TestRealFrontEnds_TheBodyOfCONNECTIsNoRequestToTheService(t *testing.T) {
	c := newCast(t)
	for _, tc := range []struct {
		program
		config string
		r      recommended
	}{
		{caddy, "dangerous.Caddyfile", recommendations[3]},
		{caddyCurrent, "dangerous.Caddyfile", recommendations[4]},
		{caddy, "recommended.Caddyfile", recommendations[3]},
		{traefik, "recommended.json", recommendations[5]},
		{haproxy, "dangerous.cfg", recommendations[1]},
		{apache, "recommended.conf", recommendations[2]},
		{envoy, "recommended.yaml", recommendations[6]},
	} {
		t.Run(tc.name+" with "+tc.config, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.r.source, c.policy())
			front := tc.start(t, tc.config, settings{App: a.address, Verify: tc.r.verify}, c)
			forgery := "GET / HTTP/1.1\r\nHost: localhost\r\n" + strings.Join(tc.r.convention.forge(c.victim), "\r\n") + "\r\nConnection: close\r\n\r\n"
			transport := &http.Transport{TLSClientConfig: c.tlsConfig(nil), ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, "https://"+front.address, io.NopCloser(strings.NewReader(forgery)))
			require.NoError(t, err)
			r.Host = "localhost:443"
			response, err := transport.RoundTrip(r)
			require.NoError(t, err)
			_ = response.Body.Close()
			require.True(t, eventually(t, front.ended, func() bool { return a.bytes.Load() == 0 || a.closed.Load() }), "the app has read all")
			assert.Nil(t, a.sighted().handed, "the handler ran")
		})
	}
}

// finding T48: mod_proxy_wstunnel alone passes on what the client writes after a request for WebSocket,
// whatever the answer to that was. A client without a certificate could then impersonate any other.
//
// finding T77: with upgrade=ANY it does so for every protocol, also for WebSocket, and the app receives
// only "Upgrade: *".
func TestRealFrontEnds_RefusedUpgradeIsNoTunnelToTheService(t *testing.T) {
	c := newCast(t)
	r := recommendations[2]
	for _, tc := range []struct {
		path, protocol string
		shows          *certauthtest.Certificate
		answer         int
	}{
		{"/", "websocket", nil, http.StatusUnauthorized},
		{"/", "websocket", c.rsa, http.StatusOK},
		{"/any", "websocket", nil, http.StatusUnauthorized},
		{"/any", "other/1", nil, http.StatusUnauthorized},
		{"/any", "other/1", c.rsa, http.StatusOK},
	} {
		t.Run(fmt.Sprint(tc.path, " ", tc.protocol, " ", tc.answer), func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, r.source, c.policy())
			front := apache.start(t, "dangerous.conf", settings{App: a.address, Verify: r.verify}, c)
			conn, err := (&tls.Dialer{Config: c.tlsConfig(tc.shows)}).DialContext(t.Context(), "tcp", front.address)
			require.NoError(t, err)
			defer func() { _ = conn.Close() }()
			got := upgrade(t, conn, "GET "+tc.path+" HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: "+tc.protocol+"\r\n\r\n")
			assert.Equal(t, tc.answer, got)
			a.forget()
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n"+strings.Join(r.convention.forge(c.victim), "\r\n")+"\r\n\r\n")
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err == nil {
				_ = response.Body.Close()
			}
			require.Error(t, err, "the connection is closed")
			assert.Nil(t, a.sighted().handed, "the handler ran")
		})
	}
}

// Dropping h2c does not affect WebSocket.
func TestRealFrontEnds_WebSocketStillPasses(t *testing.T) {
	c := newCast(t)
	for _, tc := range []struct {
		program
		config, path string
		r            recommended
	}{
		{nginx, "recommended.conf", "/websocket", recommendations[0]},
		{haproxy, "recommended.cfg", "/", recommendations[1]},
		{caddy, "recommended.Caddyfile", "/", recommendations[3]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := newApp(t, "tcp", "127.0.0.1:0")
			a.use(t, tc.r.source, c.policy())
			front := tc.start(t, tc.config, settings{App: a.address, Verify: tc.r.verify}, c)
			got, told, saw := a.visit(t, c, front, visit{path: tc.path, shows: c.rsa, lines: []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}})
			assert.Equal(t, accepted, got, "%v, %v", told.refused, saw.event.Err)
			assert.Equal(t, "websocket", saw.handed.Get("Upgrade"))
		})
	}
}

// A front end that uses HTTP/2 towards the service, and a service that serves it by Protocols, work
// as before.
func TestRealFrontEnds_HTTP2ToTheService(t *testing.T) {
	c := newCast(t)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	a := newAppWith(t, protocols, "tcp", "127.0.0.1:0")
	source := forwarded.HAProxy{From: here}
	a.use(t, source, c.policy())
	front := haproxy.start(t, "http2.cfg", settings{App: a.address, Verify: "optional"}, c)
	got, told, saw := a.visit(t, c, front, visit{shows: c.rsa})
	assert.Equal(t, accepted, got, "%v, %v", told.refused, saw.event.Err)
	assert.Equal(t, 2, saw.proto)
	got, _, _ = a.visit(t, c, front, visit{lines: recommendations[1].convention.forge(c.victim)})
	assert.Equal(t, missing, got)
}
