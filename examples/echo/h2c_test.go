package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding T5: echo's StartH2CServer takes connections over when a client asks for it, and the
// client then wrote the front end's headers over the front end's connection.
func TestTrust_EchoStartH2CServerIsNoTunnelToTheService(t *testing.T) {
	partner := newPartner(t)
	victim := partner.issuing.Issue(t, "victim")
	for _, tc := range []struct {
		name      string
		start     func(e *echo.Echo) error
		protocols *http.Protocols
		wish      bool
		status    int
	}{
		{"StartH2CServer, by Upgrade", startH2C, nil, true, http.StatusUnauthorized},
		{"StartH2CServer, by prior knowledge", startH2C, nil, false, http.StatusUnauthorized},
		{"StartH2CServer, by Upgrade, where the server speaks HTTP/2 as well", startH2C, protocols(), true, http.StatusUnauthorized},
		{"the server itself, by prior knowledge", func(e *echo.Echo) error { return e.Server.Serve(e.Listener) }, protocols(), false, http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var reason certauth.Reason
			auth := newAuth(t, fromHere(forwarded.Peers("127.0.0.1")), func(c *certauth.Config) {
				c.Observe = func(_ context.Context, e certauth.Event) {
					if e.Path == "/probe" { // the request that asked for the upgrade runs at the same time
						reason = e.Reason()
					}
				}
			})
			e := quiet()
			e.Use(echo.WrapMiddleware(auth.Handler))
			e.GET("/probe", health)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			e.Listener, e.Server.ConnContext, e.Server.Protocols = listener, certauth.ConnContext, tc.protocols
			go func() { _ = tc.start(e) }()
			t.Cleanup(func() { _ = e.Close() })

			d := dig(t, listener.Addr().String(), nil)
			if tc.wish {
				require.Equal(t, http.StatusSwitchingProtocols, d.upgrade(t, "/first"))
			}
			status := d.get(t, "/probe", victim)
			if tc.wish && status == ended { // because of the first request, whichever is faster
				return
			}
			assert.Equal(t, tc.status, status)
			if tc.status == http.StatusUnauthorized {
				assert.Equal(t, certauth.ReasonSourceUntrusted, reason)
			}
		})
	}
}

//lint:ignore SA1019 echo v4 asks for it
func startH2C(e *echo.Echo) error { return e.StartH2CServer("", &http2.Server{}) }

func quiet() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(io.Discard)
	return e
}

// echo's Start replaces the handler of its server, so that no certificates would be required: such
// a server does not start.
func TestConfigureServer_EchoStartDoesNotServeEverybody(t *testing.T) {
	newPartner(t)
	auth := newAuth(t)
	e := quiet()
	require.NoError(t, auth.ConfigureServer(e.Server))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	e.Listener = listener
	assert.Panics(t, func() { _ = e.Start("") })
}
