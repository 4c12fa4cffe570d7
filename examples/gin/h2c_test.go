package main

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding T5: gin's UseH2C takes connections over when a client asks for it, and the
// client then wrote the front end's headers over the front end's connection.
func TestTrust_GinUseH2CIsNoTunnelToTheService(t *testing.T) {
	partner := newPartner(t)
	victim, front := partner.issuing.Issue(t, "victim"), certauthtest.SelfSigned(t, "front-end")
	here, key := forwarded.Peers("127.0.0.1"), forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))
	for _, tc := range []struct {
		name      string
		from      forwarded.Gate
		useH2C    bool
		protocols *http.Protocols
		tls, wish bool
		status    int
	}{
		{"Peers, by Upgrade", here, true, nil, false, true, http.StatusUnauthorized},
		{"Peers, by prior knowledge", here, true, nil, false, false, http.StatusUnauthorized},
		{"Peers, by Upgrade, where the server speaks HTTP/2 as well", here, true, protocols(), false, true, http.StatusUnauthorized},
		{"ProxyCertificate, by Upgrade", key, true, nil, true, true, http.StatusUnauthorized},
		{"ProxyCertificate, by prior knowledge", key, true, nil, true, false, http.StatusUnauthorized},
		{"Peers, by prior knowledge, where the server itself speaks HTTP/2", here, false, protocols(), false, false, http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var reason certauth.Reason
			auth := newAuth(t, fromHere(tc.from), func(c *certauth.Config) {
				c.Observe = func(_ context.Context, e certauth.Event) {
					if e.Path == "/probe" { // the request that asked for the upgrade runs at the same time
						reason = e.Reason()
					}
				}
			})
			router := gin.New()
			router.UseH2C = tc.useH2C
			router.Use(adapt(auth.Handler))
			router.GET("/probe", func(*gin.Context) {})
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			address := listener.Addr().String()
			if tc.tls {
				listener = withOwnCertificate(t, listener)
			}
			server := &http.Server{Handler: router.Handler(), ConnContext: certauth.ConnContext, Protocols: tc.protocols}
			go func() { _ = server.Serve(listener) }()
			t.Cleanup(func() { _ = server.Close() })

			var shows *certauthtest.Certificate
			if tc.tls {
				shows = front
			}
			d := dig(t, address, shows)
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

// withOwnCertificate serves TLS on the listener, without HTTP/2, and requests the front end's
// certificate.
func withOwnCertificate(t *testing.T, listener net.Listener) net.Listener {
	t.Helper()
	return tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{certauthtest.SelfSigned(t, "service").TLS()},
		ClientAuth:   tls.RequestClientCert, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
	})
}

// finding T5: with gin's h2c handler inside auth.Handler, one excluded request was sufficient for a
// connection on which nothing was judged.
func TestTrust_GinUseH2CTakesNoConnectionFromHandler(t *testing.T) {
	newPartner(t)
	auth := newAuth(t, fromHere(forwarded.Peers("127.0.0.1")))
	router := gin.New()
	router.UseH2C = true
	router.GET("/open", func(*gin.Context) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: auth.Handler(router.Handler()), ConnContext: certauth.ConnContext}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	assert.Equal(t, http.StatusOK, dig(t, listener.Addr().String(), nil).upgrade(t, "/open"), "an answer without a change of the protocol")

	assert.ErrorContains(t, auth.ConfigureServer(&http.Server{Handler: router.Handler()}), "h2c.NewHandler")
}
