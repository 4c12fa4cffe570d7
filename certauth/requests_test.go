package certauth_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// unusual is a server for requests other than a plain GET.
type unusual struct {
	client  *certauthtest.Certificate
	address string
	ran     atomic.Int64
	proxy   atomic.Pointer[httputil.ReverseProxy] // answers if it is set
}

func newUnusual(t *testing.T, optional bool, exclusions []certauth.Exclusion, wrap func(http.Handler) http.Handler) *unusual {
	t.Helper()
	u := &unusual{client: certauthtest.SelfSigned(t, "client")}
	auth := must(t, certauth.Config{
		Source: headerSource{u.client.Certificate}, Policy: certauth.Certificates(u.client.Certificate), Optional: optional, Exclusions: exclusions,
	})
	server := httptest.NewUnstartedServer(http.HandlerFunc(u.serve))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if wrap != nil { // ConfigureServer is always outside
		server.Config.Handler = wrap(auth.Handler(server.Config.Handler))
		server.Config.ConnContext, server.Config.DisableGeneralOptionsHandler = certauth.ConnContext, true // as ConnContext documents
	} else {
		require.NoError(t, auth.ConfigureServer(server.Config))
	}
	server.Start()
	t.Cleanup(server.Close)
	u.address = server.Listener.Addr().String()
	return u
}

func (u *unusual) serve(w http.ResponseWriter, r *http.Request) {
	u.ran.Add(1)
	proxy := u.proxy.Load()
	switch {
	case proxy != nil:
		proxy.ServeHTTP(w, r)
	case r.Header.Get("Upgrade") == "websocket":
		id, _ := certauth.FromContext(r.Context())
		conn, stream, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello " + id.Leaf.Subject.CommonName)
		_ = stream.Flush()
	case r.Method == http.MethodOptions:
		w.Header().Set("Access-Control-Allow-Origin", "https://partner.example")
		w.WriteHeader(http.StatusNoContent)
	default:
		_, _ = io.Copy(w, r.Body)
	}
}

// send writes the lines, with a certificate if the caller is known, and reads the answer.
func (u *unusual) send(t *testing.T, known bool, lines ...string) (*http.Response, *bufio.Reader, net.Conn) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", u.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	lines = append(lines, "Host: app.example")
	if known {
		lines = append(lines, "X-Client-Cert: 1")
	}
	_, err = fmt.Fprintf(conn, "%s\r\n\r\n", strings.Join(lines, "\r\n"))
	require.NoError(t, err)
	reader := bufio.NewReader(conn)
	method, _, _ := strings.Cut(lines[0], " ")
	response, err := http.ReadResponse(reader, &http.Request{Method: method})
	require.NoError(t, err)
	return response, reader, conn
}

// According to the Fetch standard (section "CORS-preflight fetch") the preflight is sent without
// credentials, which include client certificates.
func TestRequests_CORSPreflight(t *testing.T) {
	preflight := func(path string) []string {
		return []string{"OPTIONS " + path + " HTTP/1.1", "Origin: https://partner.example", "Access-Control-Request-Method: PUT"}
	}
	u := newUnusual(t, false, []certauth.Exclusion{{
		Method: http.MethodOptions, Path: "/orders", Reason: "a CORS preflight carries no certificate", Control: "the handler answers OPTIONS with headers alone",
	}}, nil)
	response, _, _ := u.send(t, false, preflight("/orders")...)
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
	assert.Equal(t, "https://partner.example", response.Header.Get("Access-Control-Allow-Origin"))
	response, _, _ = u.send(t, false, preflight("/refunds")...)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "each path has its own exclusion")
	response, _, _ = u.send(t, false, "PUT /orders HTTP/1.1", "Origin: https://partner.example", "Content-Length: 0")
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "the request itself must come with the certificate")

	// The alternative: CORS middleware outside, which answers preflights itself.
	u = newUnusual(t, false, nil, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
				w.WriteHeader(http.StatusNoContent)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	response, _, _ = u.send(t, false, preflight("/refunds")...)
	assert.Equal(t, http.StatusNoContent, response.StatusCode)
	assert.Zero(t, u.ran.Load(), "no handler ran")
}

// RFC 9110, section 9.3.2: HEAD is GET without the body.
func TestRequests_HEAD(t *testing.T) {
	u := newUnusual(t, false, []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}}, nil)
	for _, tc := range []struct {
		path   string
		known  bool
		status int
	}{{"/orders", true, http.StatusOK}, {"/orders", false, http.StatusUnauthorized}, {"/health", false, http.StatusOK}} {
		response, _, _ := u.send(t, tc.known, "HEAD "+tc.path+" HTTP/1.1")
		assert.Equal(t, tc.status, response.StatusCode, tc)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Empty(t, body)
	}
}

// RFC 9110, section 9.3.7: the asterisk concerns the server, not a resource.
func TestRequests_OPTIONSAsterisk(t *testing.T) {
	u := newUnusual(t, false, nil, nil)
	response, _, _ := u.send(t, false, "OPTIONS * HTTP/1.1")
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "ConfigureServer: it reaches auth")
	response, _, _ = u.send(t, true, "OPTIONS * HTTP/1.1")
	assert.Equal(t, http.StatusNoContent, response.StatusCode)

	server := httptest.NewServer(must(t, certauth.Config{
		Source: headerSource{u.client.Certificate}, Policy: certauth.Certificates(u.client.Certificate),
	}).Handler(http.HandlerFunc(u.serve)))
	t.Cleanup(server.Close)
	ran := u.ran.Load()
	u.address = server.Listener.Addr().String()
	response, _, _ = u.send(t, false, "OPTIONS * HTTP/1.1")
	assert.Equal(t, http.StatusOK, response.StatusCode, "Handler alone: net/http answers it itself, with an empty answer")
	assert.Equal(t, ran, u.ran.Load())
}

// finding T89: Varnish passes on what the client writes after any request for WebSocket, whatever the answer.
// net/http answers "OPTIONS *" before any handler and keeps the connection, so that a client without a
// certificate could then write the front end's headers itself, unless the server is set up as documented.
func TestRequests_OPTIONSAsteriskIsNoTunnel(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"ConfigureServer": nil,
		"ConnContext":     func(next http.Handler) http.Handler { return next },
	} {
		u := newUnusual(t, false, nil, wrap)
		response, reader, conn := u.send(t, false, "OPTIONS * HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, name)
		_, err := io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		_, _ = io.WriteString(conn, "GET /orders HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: 1\r\n\r\n")
		_, err = reader.ReadByte()
		require.Error(t, err, "%s: the connection is closed", name)
		assert.Zero(t, u.ran.Load(), name)
	}
}

// RFC 6455, section 4: the handshake is an ordinary request, and the last that is judged.
func TestRequests_WebSocket(t *testing.T) {
	u := newUnusual(t, false, nil, nil)
	handshake := []string{"GET /live HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	response, _, _ := u.send(t, false, handshake...)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
	assert.Zero(t, u.ran.Load())
	response, reader, _ := u.send(t, true, handshake...)
	assert.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, "hello client", string(rest))
}

// findings T48 and T77: some front ends make a tunnel of the connection for any request for WebSocket,
// or for another protocol, so that what the client wrote next was a request whose headers it had
// written itself, even if the first one was refused.
func TestRequests_UpgradeThatIsNotAccepted(t *testing.T) {
	u := newUnusual(t, false, []certauth.Exclusion{{Path: "/health", Reason: "probe", Control: "returns no data"}}, nil)
	for _, tc := range []struct {
		path, protocol string
		known          bool
		status         int
	}{
		{"/orders", "websocket/0", false, http.StatusUnauthorized},
		{"/orders", "websocket/0", true, http.StatusOK},
		{"/health", "websocket/0", false, http.StatusOK},
		{"/orders", "*", false, http.StatusUnauthorized},
		{"/orders", "TLS/1.2", true, http.StatusOK},
		{"/orders", "h2c, other/1", true, http.StatusOK},
		{"/orders", "h2c", false, http.StatusUnauthorized}, // finding T84
		{"/orders", strings.Repeat("a", 5<<10), true, http.StatusOK},
	} {
		response, reader, conn := u.send(t, tc.known, "GET "+tc.path+" HTTP/1.1", "Connection: Upgrade", "Upgrade: "+tc.protocol)
		assert.Equal(t, tc.status, response.StatusCode, tc)
		assert.True(t, response.Close, tc)
		_, err := io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		ran := u.ran.Load()
		_, _ = io.WriteString(conn, "GET /orders HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: 1\r\n\r\n")
		_, err = reader.ReadByte()
		require.Error(t, err, "the connection is closed")
		assert.Equal(t, ran, u.ran.Load(), tc)
	}
}

// A handler may take the connection over in every way that net/http offers, and its answer says
// nothing of a close.
func TestRequests_WebSocketBehindAProxyOfTheService(t *testing.T) {
	u := newUnusual(t, false, nil, nil)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, stream, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
		_ = stream.Flush()
	}))
	defer behind.Close()
	to, err := url.Parse(behind.URL)
	require.NoError(t, err)
	u.proxy.Store(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }})
	response, reader, _ := u.send(t, true, "GET /live HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
	assert.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	assert.Equal(t, []string{"Upgrade"}, response.Header["Connection"])
	rest, err := io.ReadAll(reader)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(rest))
}

// A handler that does not change the protocol can stream, and set deadlines, as for any request.
func TestRequests_AnUpgradeThatIsIgnored(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	read := make(chan struct{})
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Time{}))
		_, _ = io.WriteString(w, "first")
		if flusher, ok := w.(http.Flusher); assert.True(t, ok) {
			flusher.Flush()
		}
		<-read
	})))
	defer server.Close()
	u := &unusual{address: server.Listener.Addr().String()}
	response, _, _ := u.send(t, true, "GET /events HTTP/1.1", "Connection: Upgrade", "Upgrade: WebSocket/1")
	first := make([]byte, len("first"))
	_, err := io.ReadFull(response.Body, first)
	close(read)
	require.NoError(t, err)
	assert.Equal(t, "first", string(first))
	assert.True(t, response.Close)
}

// finding T96: behind middleware that recovers panics, so did a writer that takes no connection over.
// findings T81 and T82: a handler that says itself what becomes of the connection, as those of server-sent
// events do, or that fails to take it over, left it open to what T48 describes.
func TestRequests_NoHandlerKeepsTheConnectionAfterAnUpgrade(t *testing.T) {
	keep := func(w http.ResponseWriter) { w.Header().Set("Connection", "keep-alive") }
	var ran atomic.Int64
	for name, handler := range map[string]http.HandlerFunc{
		"T81, an answer": func(w http.ResponseWriter, _ *http.Request) {
			keep(w)
			_, _ = io.WriteString(w, "answer")
		},
		"T81, a status": func(w http.ResponseWriter, _ *http.Request) {
			keep(w)
			w.WriteHeader(http.StatusNoContent)
		},
		"T81, a status of 200": func(w http.ResponseWriter, _ *http.Request) {
			keep(w)
			w.WriteHeader(http.StatusOK)
		},
		"T81, a stream": func(w http.ResponseWriter, _ *http.Request) {
			keep(w)
			_ = http.NewResponseController(w).Flush()
		},
		"T81, nothing written": func(w http.ResponseWriter, _ *http.Request) { keep(w) },
		"T81, no header":       func(w http.ResponseWriter, _ *http.Request) { clear(w.Header()) },
		"T81, 101 as from a server behind": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
		},
		"T96, 101 through a writer that takes nothing over after it": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
		},
		"hidden, T82, no connection to take over after 101": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			_, _, err := http.NewResponseController(w).Hijack()
			assert.ErrorIs(t, err, http.ErrNotSupported)
		},
		"T82, no connection to take over": func(w http.ResponseWriter, _ *http.Request) {
			_, _, err := http.NewResponseController(w).Hijack()
			assert.ErrorIs(t, err, http.ErrNotSupported)
			http.Error(w, "no WebSocket", http.StatusInternalServerError)
		},
	} {
		client := certauthtest.SelfSigned(t, "client")
		inner := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)}).
			Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ran.Add(1)
				handler(w, r)
			}))
		if strings.HasPrefix(name, "T96") {
			takes := inner
			inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { takes.ServeHTTP(notTakenOver{w}, r) })
		}
		if strings.HasPrefix(name, "T81, 101") || strings.HasPrefix(name, "T96") {
			recovered := inner
			inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { _ = recover() }() // as some middleware does, with every panic
				recovered.ServeHTTP(w, r)
			})
		}
		if strings.HasPrefix(name, "T82") {
			inner = http.TimeoutHandler(inner, time.Hour, "")
		}
		if strings.HasPrefix(name, "hidden") {
			takes := inner
			inner = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				takes.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
			})
		}
		server := httptest.NewServer(inner)
		before := ran.Load()
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		const known = " HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: 1\r\n"
		_, _ = io.WriteString(conn, "GET /events"+known+"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"+"GET /orders"+known+"Connection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
		server.Close()
		assert.EqualValues(t, 1, ran.Load()-before, name)
	}
}

// notTakenOver is a writer that takes no connection over, such as gin's after the answer.
type notTakenOver struct{ http.ResponseWriter }

func (notTakenOver) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}
func (w notTakenOver) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Some handlers, such as those of github.com/coder/websocket, write the answer of 101 before they take the
// connection over.
//
// finding N98: others, such as those of Kubernetes for SPDY, add to a header that has no value yet, or
// take the connection over first and then write the header themselves. Their answers said "close" too,
// or nothing of an upgrade.
func TestRequests_AConnectionIsTakenOverAfterTheAnswer(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	for name, answer := range map[string]func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error){
		"set": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return http.NewResponseController(w).Hijack()
		},
		"N98, added": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			w.Header().Add("Connection", "Upgrade")
			w.Header().Add("Upgrade", "websocket")
			w.WriteHeader(http.StatusSwitchingProtocols)
			return http.NewResponseController(w).Hijack()
		},
		"N98, written afterwards": func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "websocket")
			conn, stream, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = stream.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
				_ = w.Header().Write(stream)
				_, _ = stream.WriteString("\r\n")
			}
			return conn, stream, err
		},
	} {
		panicked := make(chan any, 1)
		inner := auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, stream, err := answer(w)
			if !assert.NoError(t, err) {
				return
			}
			_, _ = stream.WriteString("hello")
			_ = stream.Flush()
			t.Cleanup(func() { _ = conn.Close() })
		}))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() { panicked <- recover() }()
			inner.ServeHTTP(w, r)
		}))
		u := &unusual{address: server.Listener.Addr().String()}
		response, reader, _ := u.send(t, true, "GET /live HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
		assert.Equal(t, http.StatusSwitchingProtocols, response.StatusCode, name)
		assert.Equal(t, []string{"Upgrade"}, response.Header["Connection"], name)
		greeting := make([]byte, len("hello"))
		_, err := io.ReadFull(reader, greeting)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(greeting))
		assert.Nil(t, <-panicked, name)
		server.Close()
	}
}

// RFC 9112, section 9.6: close is about the connection after the response, of which a hint is no part.
func TestRequests_AHintDoesNotSayClose(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	for _, status := range []int{http.StatusEarlyHints, 199} {
		server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
		})))
		u := &unusual{address: server.Listener.Addr().String()}
		hint, reader, _ := u.send(t, true, "GET /orders HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket")
		assert.Equal(t, status, hint.StatusCode)
		assert.False(t, hint.Close)
		response, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.True(t, response.Close)
		server.Close()
	}
}

// RFC 9110, section 10.1.1: a refused caller is not asked for the body.
func TestRequests_Continue(t *testing.T) {
	u := newUnusual(t, false, nil, nil)
	request := []string{"POST /orders HTTP/1.1", "Content-Length: 5", "Expect: 100-continue"}
	response, _, _ := u.send(t, false, request...)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "and no 100 before it")
	response, reader, conn := u.send(t, true, request...)
	assert.Equal(t, http.StatusContinue, response.StatusCode)
	_, err := io.WriteString(conn, "order")
	require.NoError(t, err)
	response, err = http.ReadResponse(reader, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	assert.Equal(t, "order", string(body))
}

// finding T45: after an answer of 2xx to CONNECT, HTTP/1.1 proxies pass on whatever the client writes
// (RFC 9110, section 9.3.6), which are further requests to a service that answered like to any
// method: the client writes all of their headers. In HTTP/2 the tunnel is one stream.
//
// finding T78: Go's http.Transport writes the body of CONNECT as it is, whatever the answer, and the
// service took it for the next request.
func TestRequests_CONNECT(t *testing.T) {
	for _, optional := range []bool{false, true} {
		u := newUnusual(t, optional, nil, nil)
		for _, known := range []bool{true, false} {
			for _, target := range []string{"app.example:443", "/orders"} {
				response, reader, conn := u.send(t, known, "CONNECT "+target+" HTTP/1.1")
				assert.Equal(t, http.StatusUnauthorized, response.StatusCode, "%s, optional: %t, known: %t", target, optional, known)
				_, err := io.Copy(io.Discard, response.Body)
				require.NoError(t, err)
				_, _ = io.WriteString(conn, "GET /orders HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: 1\r\n\r\n")
				_, err = reader.ReadByte()
				require.Error(t, err, "the connection is closed")
			}
		}
		assert.Zero(t, u.ran.Load())
	}

	client := certauthtest.SelfSigned(t, "client")
	r := httptest.NewRequest(http.MethodConnect, "app.example:443", nil)
	r.Header.Set("X-Client-Cert", "1")
	r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{client.Certificate}}
	reason := func(of certauth.Source) certauth.Reason {
		_, err := must(t, certauth.Config{Source: of, Policy: certauth.Certificates(client.Certificate)}).Check(r)
		if refused := (*certauth.Error)(nil); errors.As(err, &refused) {
			return refused.Reason
		}
		return certauth.ReasonNone
	}
	assert.Equal(t, certauth.ReasonSourceUntrusted, reason(headerSource{client.Certificate}))
	assert.Equal(t, certauth.ReasonNone, reason(certauth.TLS{}), "no proxy is between")
	r.Header.Del("X-Client-Cert")
	assert.Equal(t, certauth.ReasonCertificateMissing, reason(headerSource{client.Certificate}), "as scanners send it")
	r.Header.Set("X-Client-Cert", "1")
	r.ProtoMajor = 2
	assert.Equal(t, certauth.ReasonNone, reason(headerSource{client.Certificate}))
}

// finding T83: RFC 9112, section 6.1, has a server close the connection after a request of HTTP/1.0 with
// Transfer-Encoding. net/http ignores that header, and took the body for the next request.
func TestRequests_ABodyInChunksOfHTTP10IsNoRequest(t *testing.T) {
	u := newUnusual(t, false, []certauth.Exclusion{{Path: "/health", Method: http.MethodPost, Reason: "probe", Control: "returns no data"}}, nil)
	for path, status := range map[string]int{"/orders": http.StatusUnauthorized, "/health": http.StatusOK} {
		response, reader, conn := u.send(t, false, "POST "+path+" HTTP/1.0", "Connection: keep-alive", "Transfer-Encoding: chunked")
		assert.Equal(t, status, response.StatusCode)
		_, err := io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		ran := u.ran.Load()
		_, _ = io.WriteString(conn, "GET /orders HTTP/1.1\r\nHost: app.example\r\nX-Client-Cert: 1\r\n\r\n")
		_, err = reader.ReadByte()
		require.Error(t, err, "the connection is closed")
		assert.Equal(t, ran, u.ran.Load())
	}
}

// Optional mode treats all methods alike: a caller without a certificate is anonymous.
func TestRequests_OptionalMode(t *testing.T) {
	u := newUnusual(t, true, nil, nil)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
		response, _, _ := u.send(t, false, method+" /orders HTTP/1.1")
		assert.Less(t, response.StatusCode, 300, method)
	}
}

// The tests that REQUESTS.md names exist, and each test of this file is named there.
func TestRequests_TheTableNamesTests(t *testing.T) {
	text, err := os.ReadFile("../.github/REQUESTS.md")
	require.NoError(t, err)
	declared := map[string]bool{}
	own := 0
	files, err := filepath.Glob("*_test.go")
	require.NoError(t, err)
	more, err := filepath.Glob("forwarded/*_test.go")
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(content), -1) {
			declared[match[1]] = true
			if file == "requests_test.go" && match[1] != t.Name() {
				own++
				assert.Contains(t, string(text), "`"+match[1]+"`")
			}
		}
	}
	assert.Positive(t, own)
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, named)
	for _, match := range named {
		assert.True(t, declared[match[1]], match[1])
	}
}
