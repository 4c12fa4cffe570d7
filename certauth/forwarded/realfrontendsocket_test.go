//go:build unix

package forwarded_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// nginx and the app share a unix socket. The same requests over a port, from the same host, are
// from an untrusted sender.
func TestRealFrontEnds_UnixSocket(t *testing.T) {
	c := newCast(t)
	folder, err := os.MkdirTemp("", "app") //nolint:usetesting // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	socket := newApp(t, "unix", filepath.Join(folder, "s"))
	port := newApp(t, "tcp", "127.0.0.1:0")
	source := forwarded.Nginx{From: forwarded.UnixSocket()}
	socket.use(t, source, c.policy())
	port.use(t, source, c.policy())
	front := nginx.start(t, "unix-socket.conf", settings{App: socket.address, Verify: "optional"}, c)
	forgery := recommendations[0].convention.forge(c.victim)

	for _, tc := range []struct {
		name string
		visit
		want string
	}{
		{"a client", visit{shows: c.rsa}, accepted},
		{"a client with the header", visit{shows: c.rsa, lines: forgery}, accepted},
		{"no certificate, with the header", visit{lines: forgery}, missing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, told, saw := socket.visit(t, c, front, tc.visit)
			assert.Equal(t, tc.want, got, "%v, %v", told.refused, saw.event.Err)
			assert.Equal(t, "unix", saw.event.Peer.Network)
		})
	}
	t.Run("past nginx, to a port of the same app", func(t *testing.T) {
		assert.Equal(t, http.StatusUnauthorized, straight(t, port.address, forgery))
		assert.Equal(t, stranger, string(port.sighted().event.Reason()))
	})
}

// straight sends a request directly to the app and returns the status.
func straight(t *testing.T, address string, lines []string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
	require.NoError(t, err)
	for _, line := range lines {
		name, value := cutHeader(line)
		r.Header.Add(name, value)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := (&http.Client{Transport: transport}).Do(r)
	require.NoError(t, err)
	_ = response.Body.Close()
	return response.StatusCode
}
