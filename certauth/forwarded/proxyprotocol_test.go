package forwarded_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// proxyListener reads PROXY headers of version 1, if there are any, when their content is
// requested, as github.com/pires/go-proxyproto does. "PROXY UNIX" represents a binary header of
// version 2 that reports a unix socket.
type proxyListener struct {
	net.Listener
	wrap func(*proxyConn) net.Conn
}

func (l proxyListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.wrap(&proxyConn{Conn: conn, reader: bufio.NewReader(conn), remote: conn.RemoteAddr()}), nil
}

type proxyConn struct {
	net.Conn
	reader *bufio.Reader
	once   sync.Once
	remote net.Addr
}

// The ways in which such a connection exposes the connection that it wraps.
type (
	rawConn struct{ *proxyConn }
	netConn struct{ *proxyConn }
)

func (c rawConn) Raw() net.Conn     { return c.Conn }
func (c netConn) NetConn() net.Conn { return c.Conn }

func hidden(c *proxyConn) net.Conn { return c }
func byRaw(c *proxyConn) net.Conn  { return rawConn{c} }
func byNetConn(c *proxyConn) net.Conn {
	return netConn{c}
}

func (c *proxyConn) header() {
	if start, err := c.reader.Peek(6); err != nil || string(start) != "PROXY " {
		return
	}
	line, err := c.reader.ReadString('\n')
	fields := strings.Fields(line)
	switch {
	case err != nil:
	case len(fields) == 6:
		port, _ := strconv.Atoi(fields[4])
		c.remote = &net.TCPAddr{IP: net.ParseIP(fields[2]), Port: port}
	case line == "PROXY UNIX\r\n":
		c.remote = &net.UnixAddr{Net: "unix", Name: "/run/app"}
	}
}

func (c *proxyConn) Read(p []byte) (int, error) {
	c.once.Do(c.header)
	return c.reader.Read(p)
}

func (c *proxyConn) RemoteAddr() net.Addr {
	c.once.Do(c.header)
	return c.remote
}

// finding T4: a PROXY header, which everybody who reaches the listener can write, opened Peers for
// the address in it, and UnixSocket if it reported a unix socket.
func TestTrust_ProxyProtocolAddressIsNotThePeer(t *testing.T) {
	const reporting, onUnix = "PROXY TCP4 10.0.0.4 10.0.0.5 1234 80\r\n", "PROXY UNIX\r\n"
	here, frontEnd := forwarded.Peers("127.0.0.1"), forwarded.Peers("10.0.0.4")
	behind := forwarded.ProxyProtocol(here, "10.0.0.4")
	for _, tc := range []struct {
		name   string
		wrap   func(*proxyConn) net.Conn
		from   forwarded.Gate
		header string
		want   int
		says   string // in the refusal or its hint
	}{
		{"the reported address is in Peers", byRaw, frontEnd, reporting, http.StatusUnauthorized, "ProxyProtocol"},
		{"the reported address is in Peers, and the socket is shown", byNetConn, frontEnd, reporting, http.StatusUnauthorized, "127.0.0.1 is not in Peers"},
		{"the reported address is in Peers, and the socket is hidden", hidden, frontEnd, reporting, http.StatusUnauthorized, "NetConn"},
		{"a unix socket is reported", byRaw, forwarded.UnixSocket(), onUnix, http.StatusUnauthorized, "NetConn"},
		{"a unix socket is reported, and the socket is shown", byNetConn, forwarded.UnixSocket(), onUnix, http.StatusUnauthorized, "not on a unix socket"},
		{"the balancer is in Peers, and its socket is hidden", byRaw, here, reporting, http.StatusUnauthorized, "ProxyProtocol"},
		{"the balancer is in Peers, and its socket is shown", byNetConn, here, reporting, http.StatusOK, ""},

		{"both are listed", byRaw, behind, reporting, http.StatusOK, ""},
		{"both are listed, and the socket is shown by NetConn", byNetConn, behind, reporting, http.StatusOK, ""},
		{"both are listed, and the socket is hidden", hidden, behind, reporting, http.StatusUnauthorized, "NetConn"},
		{"another balancer", byRaw, forwarded.ProxyProtocol(forwarded.Peers("10.0.1.9"), "10.0.0.4"), reporting, http.StatusUnauthorized, "127.0.0.1 is not in Peers"},
		{"the reported address is the balancer's in the list", byRaw, forwarded.ProxyProtocol(frontEnd, "127.0.0.1"), reporting, http.StatusUnauthorized, "not in Peers"},
		{"a balancer on a unix socket, over TCP", byRaw, forwarded.ProxyProtocol(forwarded.UnixSocket(), "10.0.0.4"), reporting, http.StatusUnauthorized, "not on a unix socket"},
		{"another address is reported", byRaw, behind, "PROXY TCP4 10.0.0.5 10.0.0.4 1234 80\r\n", http.StatusUnauthorized, "reports 10.0.0.5"},
		{"an address of IPv6 is reported", byRaw, forwarded.ProxyProtocol(here, "fd00::/64"), "PROXY TCP6 fd00::1 fd00::2 1234 80\r\n", http.StatusOK, ""},
		{"a unix socket is reported to ProxyProtocol", byRaw, behind, onUnix, http.StatusUnauthorized, "no PROXY header"},
		{"the balancer reports nobody", byRaw, forwarded.ProxyProtocol(here, "127.0.0.1"), "PROXY UNKNOWN\r\n", http.StatusUnauthorized, "no PROXY header"},
		{"no header, from a host in both lists", byRaw, forwarded.ProxyProtocol(here, "127.0.0.1"), "", http.StatusUnauthorized, "no PROXY header"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSocketService(t, tc.from)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			// The request's RemoteAddr is first the reported address and then what middleware makes
			// of it; neither is used.
			s.serve(t, proxyListener{listener, tc.wrap}, kept(), realIP)
			assert.Equal(t, tc.want, says(t, listener.Addr(), tc.header+"GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 10.0.0.4:1\r\n"+s.line()+"\r\n"))
			if tc.want != http.StatusOK {
				assert.Equal(t, certauth.ReasonSourceUntrusted, s.last().Reason)
				assert.Contains(t, s.last().Error()+" "+s.last().Hint, tc.says)
			}
		})
	}
	t.Run("both are listed, beneath TLS", func(t *testing.T) {
		s := newSocketService(t, behind)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		own := &tls.Config{Certificates: []tls.Certificate{certauthtest.SelfSigned(t, "service").TLS()}, MinVersion: tls.VersionTLS12}
		s.serve(t, tls.NewListener(proxyListener{listener, byRaw}, own), kept(), nil)
		for line, want := range map[string]int{reporting: http.StatusOK, "PROXY TCP4 10.0.0.5 10.0.0.4 1234 80\r\n": http.StatusUnauthorized} {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = conn.Write([]byte(line))
			require.NoError(t, err)
			secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			assert.Equal(t, want, ask(t, secured, "GET / HTTP/1.1\r\nHost: a\r\n"+s.line()+"\r\n"), line)
		}
	})
	t.Run("a listener that is not of the PROXY protocol, from a host in both lists", func(t *testing.T) {
		s := newSocketService(t, forwarded.ProxyProtocol(here, "127.0.0.1"))
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s.serve(t, listener, kept(), nil)
		assert.Equal(t, http.StatusUnauthorized, says(t, listener.Addr(), "GET / HTTP/1.1\r\nHost: a\r\n"+s.line()+"\r\n"))
		assert.ErrorContains(t, s.last(), "no PROXY header")
	})
}

// finding S2: ConnContext waited for the PROXY header of each connection in the accept loop, so
// that two idle strangers blocked all other connections.
func TestLimits_IdleConnectionsNeverStallAccept(t *testing.T) {
	s := newSocketService(t, forwarded.ProxyProtocol(forwarded.Peers("127.0.0.1"), "10.0.0.4"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.serve(t, proxyListener{listener, byRaw}, kept(), nil)
	for range 3 { // they send nothing, and the server's timeout is a minute
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
	}
	assert.Equal(t, http.StatusOK, says(t, listener.Addr(), "PROXY TCP4 10.0.0.4 10.0.0.5 1234 80\r\nGET / HTTP/1.1\r\nHost: a\r\n"+s.line()+"\r\n"))
}

func TestProxyProtocol_MistakesAreErrorsOfNew(t *testing.T) {
	here := forwarded.Peers("127.0.0.1")
	for _, tc := range []struct {
		name string
		from forwarded.Gate
		want string
	}{
		{"no balancer", forwarded.ProxyProtocol(nil, "10.0.0.4"), "Caddy.From: ProxyProtocol: balancer: nil gate"},
		{"no front end", forwarded.ProxyProtocol(here), "Caddy.From: ProxyProtocol: empty"},
		{"everybody as balancer", forwarded.ProxyProtocol(forwarded.InsecureAnyPeer(), "10.0.0.4"), "balancer: neither Peers nor UnixSocket"},
		{"a secret as balancer, which a connection has not", forwarded.ProxyProtocol(forwarded.SharedSecret("X-Gate", secret), "10.0.0.4"), "balancer: neither Peers nor UnixSocket"},
		{"the claimed address as balancer", forwarded.ProxyProtocol(forwarded.InsecureRemoteAddr("10.0.0.4"), "10.0.0.4"), "balancer: neither Peers nor UnixSocket"},
		{"a mistake in the balancer", forwarded.ProxyProtocol(forwarded.Peers("x"), "10.0.0.4"), `ProxyProtocol: balancer: Peers[0]: "x"`},
		{"a mistake in the list", forwarded.ProxyProtocol(here, "10.0.0.4", "0.0.0.0/0"), "ProxyProtocol[1]: "},
		{"a mistake in the list of InsecureRemoteAddr", forwarded.InsecureRemoteAddr(), "InsecureRemoteAddr: empty"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.Caddy{From: tc.from}, Policy: newPartner(t).chain()})
			assert.ErrorContains(t, err, tc.want)
		})
	}
	auth, err := certauth.New(certauth.Config{Source: forwarded.Caddy{From: forwarded.ProxyProtocol(here, "10.0.0.0/24", "fd00::1")}, Policy: newPartner(t).chain()})
	require.NoError(t, err)
	assert.Contains(t, auth.String(), "from ProxyProtocol(Peers(127.0.0.1/32), 10.0.0.0/24, fd00::1/128)")
}

// ask sends the bytes over the connection and returns the status of the answer.
func ask(t *testing.T, conn net.Conn, request string) int {
	t.Helper()
	// A last resort against hanging, long enough for a busy machine.
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	if _, err := conn.Write([]byte(request)); !assert.NoError(t, err) {
		return 0
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if !assert.NoError(t, err) {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Connections of a balancer that uses the PROXY protocol, 2000 of them idle before their header,
// together with an honest request: go test -bench IdleProxyConnections
func BenchmarkIdleProxyConnections(b *testing.B) {
	for _, idle := range []int{0, 2000} {
		b.Run(strconv.Itoa(idle)+" idle", func(b *testing.B) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			accepted := make(chan struct{}, idle+1)
			server := &http.Server{
				Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: time.Hour,
				ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
					select {
					case accepted <- struct{}{}:
					default:
					}
					return certauth.ConnContext(ctx, conn)
				},
			}
			go func() { _ = server.Serve(proxyListener{listener, byRaw}) }()
			defer func() { _ = server.Close() }()
			for range idle {
				conn, err := net.Dial("tcp", listener.Addr().String())
				require.NoError(b, err)
				b.Cleanup(func() { _ = conn.Close() })
				<-accepted
			}
			for b.Loop() {
				conn, err := net.Dial("tcp", listener.Addr().String())
				require.NoError(b, err)
				_, err = conn.Write([]byte("PROXY TCP4 10.0.0.4 10.0.0.5 1234 80\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
				require.NoError(b, err)
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				require.NoError(b, err)
				_, _ = response.Body.Close(), conn.Close()
			}
		})
	}
}
