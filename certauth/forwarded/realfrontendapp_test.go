//go:build unix

package forwarded_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// app is the service behind the front end, a server as a user would write it, and what it has seen.
type app struct {
	address string
	handler atomic.Pointer[http.Handler]
	bytes   atomic.Int64 // bytes that reached the socket
	closed  atomic.Bool  // a connection has been closed

	mu   sync.Mutex
	seen sighting
}

// sighting is the result of the last request.
type sighting struct {
	bytes   int64
	arrived http.Header // the headers as net/http read them
	proto   int         // HTTP version of that
	event   certauth.Event
	handed  http.Header // the headers that the handler behind the middleware received
}

// newApp serves on a network and address of package net.
func newApp(t *testing.T, network, address string) *app {
	t.Helper()
	return newAppWith(t, nil, network, address)
}

// newAppWith serves these protocols, by default those of net/http.
func newAppWith(t *testing.T, protocols *http.Protocols, network, address string) *app {
	t.Helper()
	listener, err := net.Listen(network, address)
	require.NoError(t, err)
	a := &app{address: listener.Addr().String()}
	server := &http.Server{
		ConnContext: certauth.ConnContext, ReadHeaderTimeout: 10 * time.Second, Protocols: protocols,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a.note(func(s *sighting) { s.arrived, s.proto = r.Header.Clone(), r.ProtoMajor })
			(*a.handler.Load()).ServeHTTP(w, r)
		}),
	}
	done := make(chan struct{})
	go func() {
		_ = server.Serve(counting{listener, a})
		close(done)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return a
}

// use puts the middleware in front of the app's handler.
func (a *app) use(t *testing.T, source certauth.Source, policy certauth.Policy) {
	t.Helper()
	auth, err := certauth.New(certauth.Config{
		Source: source, Policy: policy,
		Observe: func(_ context.Context, e certauth.Event) { a.note(func(s *sighting) { s.event = e }) },
	})
	require.NoError(t, err)
	handler := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		a.note(func(s *sighting) { s.handed = r.Header.Clone() })
	}))
	a.handler.Store(&handler)
}

func (a *app) note(change func(*sighting)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.seen)
}

// forget clears the sighting before a request.
func (a *app) forget() {
	a.note(func(s *sighting) { *s = sighting{} })
	a.bytes.Store(0)
}

func (a *app) sighted() (s sighting) {
	a.note(func(seen *sighting) { s = *seen })
	s.bytes = a.bytes.Load()
	return s
}

// counting counts the bytes that arrive: zero means that the front end did not forward the request.
type counting struct {
	net.Listener
	app *app
}

func (l counting) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return countingConn{conn, l.app}, err
}

type countingConn struct {
	net.Conn
	app *app
}

func (c countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.app.bytes.Add(int64(n))
	return n, err
}

// NetConn lets gates find the socket.
func (c countingConn) NetConn() net.Conn { return c.Conn }

func (c countingConn) Close() error {
	c.app.closed.Store(true)
	return c.Conn.Close()
}
