//go:build unix

package certauthtest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding N158: for a service with a queue of five connections, as those of Python have by default, the connections that it
// does not take were opened all the same, and the row failed.
func TestTestHandler_AServiceMayHaveAShortQueue(t *testing.T) {
	at := slices.IndexFunc(forged().Rows, func(r row) bool { return r.Concurrent > 0 })
	require.GreaterOrEqual(t, at, 0)
	client := SelfSigned(t, "client")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Tls-Client-Cert") != client.Base64() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	listener, ok := server.Listener.(*net.TCPListener)
	require.True(t, ok)
	raw, err := listener.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 5) }))
	require.NoError(t, err)
	server.Listener = limitedListener{server.Listener, make(chan struct{}, 1)} // one request after another
	server.Start()
	defer server.Close()
	run := newRendering(t, HandlerTest{FrontEnd: FrontEnd{Name: "Traefik"}, Client: client, Path: "/", Method: http.MethodGet})
	run.limit = rowLimit
	require.NoError(t, run.connectTo(server.URL))
	answers, err := run.send(&forged().Rows[at])
	require.NoError(t, err)
	report := &tableReport{left: map[string]int{}}
	run.judge(&forged().Rows[at], answers, report)
	assert.Empty(t, report.wrong)
	assert.Equal(t, 3, report.refused)
}
