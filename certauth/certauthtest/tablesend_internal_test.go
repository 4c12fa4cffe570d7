package certauthtest

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sendConcurrently sends the row whose requests are sent at the same time to an honest service, which prepare changes and
// starts.
func sendConcurrently(t *testing.T, prepare func(*httptest.Server)) *tableReport {
	t.Helper()
	at := slices.IndexFunc(forged().Rows, func(r row) bool { return r.Concurrent > 0 })
	require.GreaterOrEqual(t, at, 0)
	client := SelfSigned(t, "client")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-Tls-Client-Cert") != client.Base64() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	prepare(server)
	defer server.Close()
	run := newRendering(t, HandlerTest{FrontEnd: FrontEnd{Name: "Traefik"}, Client: client, Path: "/", Method: http.MethodGet})
	run.limit = rowLimit
	require.NoError(t, run.connectTo(server.URL))
	answers, err := run.send(&forged().Rows[at])
	require.NoError(t, err)
	report := &tableReport{left: map[string]int{}}
	run.judge(&forged().Rows[at], answers, report)
	return report
}

// finding N144: of a service with TLS that limits its connections, the first ones waited for the others, and those for
// an end of the first.
func TestTestHandler_AServiceMayLimitItsConnections(t *testing.T) {
	report := sendConcurrently(t, func(server *httptest.Server) {
		server.Listener = limitedListener{server.Listener, make(chan struct{}, 4)}
		server.StartTLS()
	})
	assert.Empty(t, report.wrong)
}

// limitedListener accepts a connection when there is a place for it.
type limitedListener struct {
	net.Listener

	places chan struct{}
}

func (l limitedListener) Accept() (net.Conn, error) {
	l.places <- struct{}{}
	conn, err := l.Listener.Accept()
	return &limitedConn{conn, sync.OnceFunc(func() { <-l.places })}, err
}

type limitedConn struct {
	net.Conn

	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}
