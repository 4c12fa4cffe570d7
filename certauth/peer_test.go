package certauth_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
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

func TestPeer_WithoutConnContextIsRemoteAddrReadStrictly(t *testing.T) {
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
	}
}
