package certauthtest_test

import (
	"bufio"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// proxyListener trusts the PROXY header (version 1) of every sender.
type proxyListener struct{ net.Listener }

func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxyConn{Conn: conn, reader: bufio.NewReader(conn)}, nil
}

type proxyConn struct {
	net.Conn
	reader *bufio.Reader
	once   sync.Once
	remote net.Addr
}

func (c *proxyConn) RemoteAddr() net.Addr {
	c.once.Do(func() {
		c.remote = c.Conn.RemoteAddr()
		if start, _ := c.reader.Peek(6); string(start) != "PROXY " {
			return
		}
		line, _ := c.reader.ReadString('\n')
		if words := strings.Fields(line); len(words) == 6 {
			if address, err := netip.ParseAddrPort(net.JoinHostPort(words[2], words[4])); err == nil {
				c.remote = net.TCPAddrFromAddrPort(address)
			}
		}
	})
	return c.remote
}

func (c *proxyConn) Read(p []byte) (int, error) {
	c.RemoteAddr()
	return c.reader.Read(p)
}

// A listener that trusts every PROXY header opens a gate on RemoteAddr, but not a gate on the
// socket.
func TestTestHandler_CatchesABelievedPROXYHeader(t *testing.T) {
	p := newPartner(t)
	for name, tc := range map[string]struct {
		from forwarded.Gate
		want []string
	}{
		"a gate on RemoteAddr":   {forwarded.InsecureRemoteAddr("127.0.0.1"), []string{"a stranger with a PROXY header of the front end"}},
		"a gate on the balancer": {forwarded.AnyGate(forwarded.ProxyProtocol(forwarded.Peers("127.0.0.1"), "127.0.0.1"), forwarded.SharedSecret("X-Gate", "correct horse battery staple")), nil},
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: forwarded.Nginx{From: tc.from}, Policy: p.policy()})
			require.NoError(t, err)
			server := httptest.NewUnstartedServer(orders)
			require.NoError(t, auth.ConfigureServer(server.Config))
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.Listener = proxyListener{server.Listener}
			server.Start()
			defer server.Close()
			test := p.test("Nginx")
			test.URL, test.Exempt, test.Fingerprint = server.URL, "", false
			test.Secret = http.Header{"X-Gate": {"correct horse battery staple"}}
			wrong := wrongRows(t, nil, test)
			if tc.want == nil {
				assert.Empty(t, wrong)
				return
			}
			for _, row := range tc.want {
				assert.Contains(t, wrong, row)
			}
		})
	}
}
