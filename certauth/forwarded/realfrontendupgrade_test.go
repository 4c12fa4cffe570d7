//go:build unix

package forwarded_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
