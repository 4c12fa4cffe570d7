package forwarded_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
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

// wishForH2C is the request for h2c that RFC 7540, section 3.2, requires of a client.
const wishForH2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"

// takingOver imitates golang.org/x/net/http2/h2c, which this module does not require: if a request
// asks for h2c, or begins with the preface of HTTP/2, it takes the connection over and serves
// HTTP/2 on it. The later requests have the context of the first one, including its server and its
// TLS state. Tests below examples run the original.
func takingOver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, first *http.Request) {
		wishes := strings.EqualFold(first.Header.Get("Upgrade"), "h2c")
		prior := first.Method == "PRI" && first.ProtoMajor == 2
		if !wishes && !prior {
			next.ServeHTTP(w, first)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		var start io.Reader = strings.NewReader("PRI * HTTP/2.0\r\n\r\n")
		if wishes {
			start = strings.NewReader("")
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		}
		accepting, _ := first.Context().Value(http.ServerContextKey).(*http.Server)
		inner := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.WithContext(context.WithValue(r.Context(), http.ServerContextKey, accepting))
				r.TLS = first.TLS
				next.ServeHTTP(w, r)
			}),
			BaseContext: func(net.Listener) context.Context { return first.Context() },
			Protocols:   new(http.Protocols), ReadHeaderTimeout: time.Minute,
		}
		inner.Protocols.SetUnencryptedHTTP2(true)
		only := &oneConn{conn: conn, reader: io.MultiReader(start, buffered), closed: make(chan struct{})}
		_ = inner.Serve(only)
	})
}

// oneConn is a listener that accepts a single connection, and that connection.
type oneConn struct {
	conn   net.Conn
	reader io.Reader
	given  bool
	once   sync.Once
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return takenConn{l.conn, l}, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

type takenConn struct {
	net.Conn
	listener *oneConn
}

func (c takenConn) Read(p []byte) (int, error) { return c.listener.reader.Read(p) }

func (c takenConn) Close() error {
	defer c.listener.once.Do(func() { close(c.listener.closed) })
	return c.Conn.Close()
}

// upgrade sends a request that asks for h2c and returns the status of the answer; after 101 the
// connection uses HTTP/2.
func upgrade(t *testing.T, conn net.Conn, request string) int {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := io.WriteString(conn, request)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(oneByte{conn}), nil)
	require.NoError(t, err)
	if response.StatusCode != http.StatusSwitchingProtocols {
		_ = response.Body.Close()
	}
	return response.StatusCode
}

// oneByte does not read beyond the answer.
type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:1]) }

// byHTTP2 sends a request with the header lines over the connection, in HTTP/2.
func byHTTP2(t *testing.T, conn net.Conn, path string, lines ...string) (status int) {
	t.Helper()
	transport := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(context.Context, string, string) (net.Conn, error) { return struct{ net.Conn }{conn}, nil },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, nil)
	require.NoError(t, err)
	for _, line := range lines {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Set(name, value)
	}
	response, err := transport.RoundTrip(r)
	require.NoError(t, err)
	_ = response.Body.Close()
	assert.Equal(t, 2, response.ProtoMajor)
	return response.StatusCode
}

// finding T5: a client that changed to HTTP/2 with "Upgrade: h2c" through the front end wrote the
// front end's headers itself, over the front end's own connection.
func TestTrust_UpgradeToH2CIsNoTunnelToTheService(t *testing.T) {
	onAppService(t)
	front := certauthtest.SelfSigned(t, "front-end")
	both := new(http.Protocols)
	both.SetHTTP1(true)
	both.SetUnencryptedHTTP2(true)
	local := forwarded.Peers("127.0.0.1")
	for _, tc := range []struct {
		name      string
		network   string
		from      forwarded.Gate
		around    func(http.Handler) http.Handler
		protocols *http.Protocols
		tls       bool
		wish      bool
		want      int
	}{
		{"Peers, by Upgrade", "tcp", local, takingOver, nil, false, true, http.StatusUnauthorized},
		{"Peers, by prior knowledge", "tcp", local, takingOver, nil, false, false, http.StatusUnauthorized},
		{"UnixSocket, by Upgrade", "unix", forwarded.UnixSocket(), takingOver, nil, false, true, http.StatusUnauthorized},
		{"UnixSocket, by prior knowledge", "unix", forwarded.UnixSocket(), takingOver, nil, false, false, http.StatusUnauthorized},
		{"InsecureRemoteAddr, by Upgrade", "tcp", forwarded.InsecureRemoteAddr("127.0.0.1"), takingOver, nil, false, true, http.StatusUnauthorized},
		{"Peers over TLS, by Upgrade", "tcp", forwarded.EveryGate(local, forwarded.ProxyCertificate(certauth.Certificates(front.Certificate))), takingOver, nil, true, true, http.StatusUnauthorized},
		{"ProxyCertificate, by Upgrade", "tcp", forwarded.ProxyCertificate(certauth.Certificates(front.Certificate)), takingOver, nil, true, true, http.StatusUnauthorized},
		{"ProxyCertificate, by Upgrade, where the server speaks HTTP/2 itself", "tcp", forwarded.ProxyCertificate(certauth.Certificates(front.Certificate)), takingOver, both, true, true, http.StatusUnauthorized},
		{"one of two gates, by Upgrade", "tcp", forwarded.AnyGate(local, forwarded.SharedSecret("X-Gate", secret)), takingOver, nil, false, true, http.StatusUnauthorized},

		{"Peers, where the server speaks HTTP/2 itself", "tcp", local, nil, both, false, false, http.StatusOK},
		{"UnixSocket, where the server speaks HTTP/2 itself", "unix", forwarded.UnixSocket(), nil, both, false, false, http.StatusOK},
		{"InsecureRemoteAddr, where the server speaks HTTP/2 itself", "tcp", forwarded.InsecureRemoteAddr("127.0.0.1"), nil, both, false, false, http.StatusOK},
		{"a secret, which only the front end knows", "tcp", forwarded.SharedSecret("X-Gate", secret), takingOver, nil, false, false, http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSocketService(t, tc.from)
			listener, err := net.Listen(tc.network, listenAddress(t, tc.network))
			require.NoError(t, err)
			address := listener.Addr()
			if tc.tls {
				listener = tls.NewListener(listener, &tls.Config{
					Certificates: []tls.Certificate{certauthtest.SelfSigned(t, "service").TLS()}, ClientAuth: tls.RequestClientCert, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12,
				})
			}
			s.serve(t, listener, &http.Server{ConnContext: certauth.ConnContext, Protocols: tc.protocols}, tc.around)
			conn, err := new(net.Dialer).DialContext(t.Context(), address.Network(), address.String())
			require.NoError(t, err)
			if tc.tls {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{front.TLS()}})
			}
			defer func() { _ = conn.Close() }()
			if tc.wish {
				require.Equal(t, http.StatusSwitchingProtocols, upgrade(t, conn, "GET / HTTP/1.1\r\nHost: a\r\n"+wishForH2C+"\r\n"))
			}
			lines := []string{s.line()}
			if tc.want == http.StatusOK {
				lines = append(lines, "X-Gate: "+secret)
			}
			assert.Equal(t, tc.want, byHTTP2(t, conn, "/", lines...))
			if tc.want == http.StatusUnauthorized {
				assert.Equal(t, certauth.ReasonSourceUntrusted, s.last().Reason)
				assert.Contains(t, s.last().Hint, "http.Server.Protocols")
			}
		})
	}
}

// finding T5: a client that uses the platform's connection itself can write all of App Service's
// evidence.
func TestAppService_UpgradeToH2CIsNoTunnelToTheService(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	handler, reason := watched(t, p, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: takingOver(handler), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.Equal(t, http.StatusSwitchingProtocols, upgrade(t, conn, "GET / HTTP/1.1\r\nHost: a\r\n"+wishForH2C+"\r\n"))
	var lines []string
	for name, values := range arriving(p.good).Header {
		lines = append(lines, name+": "+values[0])
	}
	assert.Equal(t, http.StatusUnauthorized, byHTTP2(t, conn, "/", lines...))
	assert.Equal(t, certauth.ReasonSourceUntrusted, *reason)
}

// A server that itself speaks HTTP/2 over TLS is not a tunnel.
func TestTrust_HTTP2OverTLSIsServedAsEver(t *testing.T) {
	s := newSocketService(t, forwarded.Peers("127.0.0.1"))
	h := newHTTP2Server(t, s.auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { assert.Equal(t, 2, r.ProtoMajor) })))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL, nil)
	require.NoError(t, err)
	r.Header.Set("X-Client-Cert", s.client.Base64())
	response, err := h.Client().Do(r)
	require.NoError(t, err)
	_ = response.Body.Close()
	assert.Equal(t, 2, response.ProtoMajor)
	assert.Equal(t, http.StatusOK, response.StatusCode)
}
