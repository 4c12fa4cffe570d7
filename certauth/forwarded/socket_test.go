package forwarded_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
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

// socketService is a service with Caddy's convention, and the results of its requests.
type socketService struct {
	client *certauthtest.Certificate
	auth   *certauth.Authenticator
	log    *output

	mu      sync.Mutex
	refused *certauth.Error // result of the last request
}

func newSocketService(t *testing.T, from forwarded.Gate) *socketService {
	t.Helper()
	ca := certauthtest.NewCA(t, "Partner Root")
	s := &socketService{client: ca.Issue(t, "orders"), log: &output{}}
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.Caddy{From: from},
		Policy: certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Logger: slog.New(slog.NewTextHandler(s.log, nil)),
		Observe: func(_ context.Context, e certauth.Event) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.refused = e.Err
		},
	})
	require.NoError(t, err)
	s.auth = auth
	return s
}

// serve serves the service on the listener, with a server whose other fields are set.
func (s *socketService) serve(t *testing.T, listener net.Listener, server *http.Server, around func(http.Handler) http.Handler) {
	t.Helper()
	server.Handler = s.auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if around != nil {
		server.Handler = around(server.Handler)
	}
	server.ReadHeaderTimeout = time.Minute
	done := make(chan struct{})
	go func() {
		_ = server.Serve(listener)
		close(done)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
}

// kept is a server with ConnContext.
func kept() *http.Server { return &http.Server{ConnContext: certauth.ConnContext} }

// line returns the client's certificate as the front end writes it.
func (s *socketService) line() string { return "X-Client-Cert: " + s.client.Base64() + "\r\n" }

// last returns the refusal of the last request; it is empty if the request was accepted.
func (s *socketService) last() *certauth.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		return &certauth.Error{}
	}
	return s.refused
}

// says sends the bytes over a new connection and returns the status of the answer.
func says(t *testing.T, address net.Addr, request string) int {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), address.Network(), address.String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	return ask(t, conn, request)
}

// realIP is what gorilla's ProxyHeaders, chi's RealIP and others do.
func realIP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ip := r.Header.Get("X-Real-IP"); ip != "" {
			r.RemoteAddr = ip
		}
		next.ServeHTTP(w, r)
	})
}

// finding T3: without ConnContext, Peers trusted RemoteAddr, which middleware takes from a header
// of the client, and neither the refusal nor the log said what was missing.
func TestTrust_GateNeverReadsARewrittenAddress(t *testing.T) {
	for _, tc := range []struct {
		name        string
		connContext bool
		from        forwarded.Gate
		header      string
		want        int
	}{
		{"without ConnContext, an address of the list in a header", false, forwarded.Peers("10.0.0.4"), "10.0.0.4:1", http.StatusUnauthorized},
		{"without ConnContext, the address of the socket", false, forwarded.Peers("127.0.0.1"), "", http.StatusUnauthorized},
		{"without ConnContext, a unix socket in a header", false, forwarded.UnixSocket(), "@", http.StatusUnauthorized},
		{"without ConnContext, one of two gates", false, forwarded.AnyGate(forwarded.Peers("10.0.0.4"), forwarded.SharedSecret("X-Gate", secret)), "10.0.0.4:1", http.StatusUnauthorized},
		{"with ConnContext, an address of the list in a header", true, forwarded.Peers("10.0.0.4"), "10.0.0.4:1", http.StatusUnauthorized},
		{"with ConnContext, another address in a header", true, forwarded.Peers("127.0.0.1"), "203.0.113.9:1", http.StatusOK},
		{"by the operator's word that it is insecure", false, forwarded.InsecureRemoteAddr("10.0.0.4"), "10.0.0.4:1", http.StatusOK},
		{"by that word, another address", false, forwarded.InsecureRemoteAddr("10.0.0.4"), "10.0.0.5:1", http.StatusUnauthorized},
		{"by that word, no address", false, forwarded.InsecureRemoteAddr("10.0.0.4"), "10.0.0.4", http.StatusUnauthorized},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSocketService(t, tc.from)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			server := &http.Server{}
			if tc.connContext {
				server = kept()
			}
			s.serve(t, listener, server, realIP)
			request := "GET / HTTP/1.1\r\nHost: a\r\n" + s.line()
			if tc.header != "" {
				request += "X-Real-IP: " + tc.header + "\r\n"
			}
			for range 2 {
				assert.Equal(t, tc.want, says(t, listener.Addr(), request+"\r\n"))
			}
			if tc.want == http.StatusOK {
				return
			}
			assert.Equal(t, certauth.ReasonSourceUntrusted, s.last().Reason)
			if insecure := strings.Contains(s.auth.String(), "Insecure"); !tc.connContext && !insecure {
				assert.Contains(t, s.last().Hint, "ConnContext")
				assert.Equal(t, 1, strings.Count(s.log.String(), "cannot determine the sender of a request"), "one warning: %s", s.log)
			} else {
				assert.NotContains(t, s.log.String(), "cannot determine the sender of a request")
			}
		})
	}
}

// finding T3: a service whose callers do not send certificates yet was not informed at all.
func TestTrust_MissingConnContextIsSaidAlsoWhereNoCertificateIsSent(t *testing.T) {
	s := newSocketService(t, forwarded.Peers("127.0.0.1"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.serve(t, listener, &http.Server{}, nil)
	for range 3 {
		assert.Equal(t, http.StatusUnauthorized, says(t, listener.Addr(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	}
	assert.Equal(t, certauth.ReasonCertificateMissing, s.last().Reason)
	assert.Equal(t, 1, strings.Count(s.log.String(), "cannot determine the sender of a request"), s.log)
	assert.Contains(t, s.log.String(), "ConfigureServer")
}

// AppService has no gate on the socket and needs no ConnContext.
func TestAppService_NeedsNoConnContext(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{}, Policy: p.chain()})
	require.NoError(t, err)
	server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	t.Cleanup(server.Close)
	assert.Equal(t, http.StatusOK, send(t, server.Client(), server.URL, p.good))
}

// A connection in memory has no socket.
func TestTrust_ConnectionInMemoryIsNotTrusted(t *testing.T) {
	for _, from := range []forwarded.Gate{forwarded.Peers("127.0.0.1"), forwarded.UnixSocket(), forwarded.ProxyProtocol(forwarded.UnixSocket(), "10.0.0.4")} {
		s := newSocketService(t, from)
		listener := &inMemory{conns: make(chan net.Conn, 1), closed: make(chan struct{})}
		s.serve(t, listener, kept(), nil)
		server, client := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		listener.conns <- server
		assert.Equal(t, http.StatusUnauthorized, ask(t, client, "GET / HTTP/1.1\r\nHost: a\r\n"+s.line()+"\r\n"))
		assert.Equal(t, certauth.ReasonSourceUntrusted, s.last().Reason)
		assert.ErrorContains(t, s.last(), "does not reveal a socket")
		assert.Contains(t, s.last().Hint, "NetConn")
	}
}

type inMemory struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *inMemory) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *inMemory) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *inMemory) Addr() net.Addr { return &net.TCPAddr{} }

// output collects a log.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
