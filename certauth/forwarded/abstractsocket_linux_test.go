package forwarded_test

import (
	"crypto/rand"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding P27: a socket without a file was as good as one with a file, although its only protection is the mode of
// that file: every process of the network namespace can connect to an abstract socket (unix(7)).
func TestUnixSocket_AnAbstractSocketIsRefused(t *testing.T) {
	for name, from := range map[string]forwarded.Gate{
		"directly":   forwarded.UnixSocket(),
		"one of two": forwarded.AnyGate(forwarded.Peers("127.0.0.1"), forwarded.UnixSocket()),
		"the other":  forwarded.AnyGate(forwarded.UnixSocket(), forwarded.Peers("127.0.0.1")),
	} {
		t.Run(name, func(t *testing.T) {
			s := newSocketService(t, from)
			listener, err := net.Listen("unix", "@certauth-"+rand.Text())
			require.NoError(t, err)
			s.serve(t, listener, kept(), nil)
			assert.Equal(t, http.StatusUnauthorized, says(t, listener.Addr(), "GET / HTTP/1.1\r\nHost: a\r\n"+s.line()+"\r\n"))
			assert.Equal(t, certauth.ReasonSourceUntrusted, s.last().Reason)
			assert.Contains(t, s.last().Hint, "listen on a socket with a file")
			assert.ErrorContains(t, s.last(), "abstract unix socket")
		})
	}
}
