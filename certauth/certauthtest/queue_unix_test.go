//go:build unix

package certauthtest

import (
	"net"
	"net/http/httptest"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// finding N158: for a service with a queue of five connections, as those of Python have by default, the connections that it
// does not take were opened all the same, and the row failed.
func TestTestHandler_AServiceMayHaveAShortQueue(t *testing.T) {
	report := sendConcurrently(t, func(server *httptest.Server) {
		listener, ok := server.Listener.(*net.TCPListener)
		require.True(t, ok)
		raw, err := listener.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) { err = syscall.Listen(int(fd), 5) }))
		require.NoError(t, err)
		server.Listener = limitedListener{server.Listener, make(chan struct{}, 1)} // one request after another
		server.Start()
	})
	assert.Empty(t, report.wrong)
	assert.Equal(t, 3, report.refused)
}
