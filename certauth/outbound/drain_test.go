package outbound_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
)

// pipes is a listener without a network, for bubbles.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	close func()
}

func newPipes() *pipes {
	done := make(chan struct{})
	return &pipes{conns: make(chan net.Conn), done: done, close: sync.OnceFunc(func() { close(done) })}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.close(); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case p.conns <- there:
		return here, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// A long request keeps the old connection open, and nothing else does: the connection ends shortly after the
// request.
func TestRotation_OldConnectionEndsWithItsLastRequest(t *testing.T) {
	for name, base := range map[string]func() *http.Transport{"HTTP/1.1": http1, "HTTP/2": func() *http.Transport { return &http.Transport{} }} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world, s *secret) {
				listener, release := newPipes(), make(chan struct{})
				var mutex sync.Mutex
				conns := map[net.Conn]bool{}
				count := func() int {
					mutex.Lock()
					defer mutex.Unlock()
					return len(conns)
				}
				config := w.serverConfig(t)
				config.SessionTicketsDisabled = true // a pipe has no buffer, so a ticket and the client's first bytes would wait for each other
				server := &http.Server{
					TLSConfig: config, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), ReadHeaderTimeout: time.Minute,
					Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if r.URL.Path == "/stream" {
							_ = http.NewResponseController(rw).Flush()
							<-release
						}
						_, _ = io.WriteString(rw, fingerprint(r.TLS.PeerCertificates[0]))
					}),
					ConnState: func(conn net.Conn, state http.ConnState) {
						mutex.Lock()
						defer mutex.Unlock()
						conns[conn] = true
						if state == http.StateClosed {
							delete(conns, conn)
						}
					},
				}
				served := make(chan error, 1)
				go func() { served <- server.ServeTLS(listener, "", "") }()

				own := open(t, outbound.Config{Source: outbound.Fetch(s.fetch), ServerRoots: outbound.File{Path: w.path("roots.pem")}})
				before := own.Status().Fingerprint
				pattern := base()
				pattern.DialContext = listener.dial
				transport, err := own.Transport(pattern)
				require.NoError(t, err)
				c := &http.Client{Transport: transport}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1/stream", http.NoBody)
				require.NoError(t, err)
				stream, err := c.Do(request)
				require.NoError(t, err)

				leaf := issue(t, w.clients, "orders")
				s.set(bundle(t, leaf), nil)
				require.NoError(t, own.Reload(t.Context()))
				body, _, err := get(t, c, "https://127.0.0.1/")
				require.NoError(t, err)
				assert.Equal(t, fingerprint(leaf.Certificate), body)
				time.Sleep(10 * time.Minute) //nolint:forbidigo // in a bubble
				assert.Equal(t, 2, count())
				close(release)
				rest, err := io.ReadAll(stream.Body)
				require.NoError(t, err)
				assert.Equal(t, before, string(rest))
				require.NoError(t, stream.Body.Close())
				time.Sleep(2 * time.Second) //nolint:forbidigo // in a bubble
				synctest.Wait()
				assert.Equal(t, 1, count())

				require.NoError(t, own.Close())
				time.Sleep(2 * time.Second) //nolint:forbidigo // in a bubble
				synctest.Wait()
				assert.Zero(t, count(), "Close abandons the rest")
				require.NoError(t, server.Close())
				require.ErrorIs(t, <-served, http.ErrServerClosed)
			})
		})
	}
}
