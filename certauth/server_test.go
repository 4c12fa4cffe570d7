package certauth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// configured returns an Authenticator behind a front end on this host.
func configured(t *testing.T) (*certauth.Authenticator, *certauthtest.Certificate) {
	t.Helper()
	ca := certauthtest.NewCA(t, "Partner Root")
	auth, err := certauth.New(certauth.Config{
		Source:     forwarded.Caddy{From: forwarded.Peers("127.0.0.1")},
		Policy:     certauth.Chain{Roots: certauth.Certificates(ca.Certificate)},
		Exclusions: []certauth.Exclusion{public("GET", "/health")},
	})
	require.NoError(t, err)
	return auth, ca.Issue(t, "orders")
}

var hello = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if id, ok := certauth.FromContext(r.Context()); ok {
		_, _ = io.WriteString(w, "hello "+id.Leaf.Subject.CommonName)
	}
})

// finding T3: a server could be set up only partly: the handler without ConnContext.
func TestConfigureServer_SetsUpAllThatAServerNeeds(t *testing.T) {
	auth, client := configured(t)
	type key struct{}
	server := httptest.NewUnstartedServer(hello)
	server.Config.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
		return context.WithValue(ctx, key{}, "of the user")
	}
	server.Config.BaseContext = func(net.Listener) context.Context {
		return context.WithValue(t.Context(), key{}, "of the user's base")
	}
	var values []any
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values = append(values, r.Context().Value(key{}))
		hello(w, r)
	})
	require.NoError(t, auth.ConfigureServer(server.Config))
	server.Start()
	t.Cleanup(server.Close)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	r.Header.Set("X-Client-Cert", client.Base64())
	response, err := server.Client().Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "hello orders", string(body), "Peers admits the sender without further configuration")
	assert.Equal(t, []any{"of the user"}, values, "the user's ConnContext runs too")

	address := server.Listener.Addr().String()
	assert.Equal(t, http.StatusUnauthorized, rawStatus(t, address, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
	assert.Equal(t, http.StatusUnauthorized, rawStatus(t, address, "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), "net/http answers it itself")
	assert.Equal(t, http.StatusOK, rawStatus(t, address, "GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
}

// A ConnContext that knows more than the listener about the connection it wraps takes precedence.
func TestConfigureServer_TheUsersConnContextMayNameTheSocket(t *testing.T) {
	auth, client := configured(t)
	server := httptest.NewUnstartedServer(hello)
	server.Listener = wrapping{server.Listener}
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return certauth.ConnContext(ctx, conn.(opaque).Conn)
	}
	require.NoError(t, auth.ConfigureServer(server.Config))
	server.Start()
	t.Cleanup(server.Close)
	assert.Equal(t, http.StatusOK, rawStatus(t, server.Listener.Addr().String(),
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Client-Cert: "+client.Base64()+"\r\n\r\n"))
}

type wrapping struct{ net.Listener }

func (l wrapping) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return opaque{conn}, err
}

func TestConfigureServer_HeaderTimeoutIsNeverUnlimitedByOversight(t *testing.T) {
	auth, _ := configured(t)
	for _, tc := range []struct {
		name               string
		header, read, want time.Duration
	}{
		{"none", 0, 0, 10 * time.Second},
		{"a short one for all of the request", 0, time.Second, time.Second},
		{"a long one for all of the request", 0, time.Minute, 10 * time.Second},
		{"one of the user's", time.Minute, time.Second, time.Minute},
		{"none, by the user's own word", -1, 0, -1},
	} {
		server := &http.Server{Handler: hello, ReadHeaderTimeout: tc.header, ReadTimeout: tc.read}
		require.NoError(t, auth.ConfigureServer(server))
		assert.Equal(t, tc.want, server.ReadHeaderTimeout, tc.name)
		assert.Equal(t, tc.read, server.ReadTimeout, tc.name)
	}
}

func TestConfigureServer_MistakesAreErrorsAndChangeNothing(t *testing.T) {
	auth, _ := configured(t)
	var none *http.ServeMux
	for _, tc := range []struct {
		name   string
		auth   *certauth.Authenticator
		server *http.Server
		want   string
	}{
		{"no Authenticator", nil, &http.Server{Handler: hello}, "not the result of New"},
		{"a zero Authenticator", new(certauth.Authenticator), &http.Server{Handler: hello}, "not the result of New"},
		{"no server", auth, nil, "the server is nil"},
		{"no handler, which means http.DefaultServeMux to net/http", auth, &http.Server{}, "Handler is nil"},
		{"a nil pointer for a handler", auth, &http.Server{Handler: none}, "Handler is nil"},
		{"a handler that is wrapped already", auth, &http.Server{Handler: auth.Handler(hello)}, "is already protected by an Authenticator"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.ErrorContains(t, tc.auth.ConfigureServer(tc.server), "certauth: ConfigureServer: ")
			assert.ErrorContains(t, tc.auth.ConfigureServer(tc.server), tc.want)
			if tc.server != nil {
				assert.Nil(t, tc.server.ConnContext)
				assert.Zero(t, tc.server.ReadHeaderTimeout)
			}
		})
	}
	t.Run("the same server twice", func(t *testing.T) {
		server := &http.Server{Handler: hello}
		require.NoError(t, auth.ConfigureServer(server))
		assert.ErrorContains(t, auth.ConfigureServer(server), "is already protected by an Authenticator")
	})
}

// echo's Start and StartServer set Server.Handler: the server would serve every client.
func TestConfigureServer_ServerWhoseHandlerWasReplacedDoesNotStart(t *testing.T) {
	auth, _ := configured(t)
	server := &http.Server{Handler: hello, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	require.NoError(t, auth.ConfigureServer(server))
	server.Handler = hello
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	assert.PanicsWithValue(t, "certauth: ConfigureServer: server.Handler became a http.HandlerFunc, which accepts every request; call ConfigureServer last, and start the server by its own methods",
		func() { _ = server.Serve(listener) })
}

// finding T5: behind Handler, a handler could take the connection over after one admitted request,
// including an excluded one, and serve requests on it that Handler never saw.
func TestHandler_PassesNoWishForH2COn(t *testing.T) {
	auth, client := configured(t)
	for _, tc := range []struct {
		name    string
		upgrade []string
		want    []string
	}{
		{"h2c", []string{"h2c"}, nil},
		{"H2C", []string{"H2C"}, nil},
		{"h2c between others", []string{"websocket, h2c ,foo/1"}, []string{"websocket, foo/1"}},
		{"h2c in a second line", []string{"websocket", "\th2c"}, []string{"websocket"}},
		{"websocket", []string{"websocket"}, []string{"websocket"}},
		{"h2 is of TLS, and no wish", []string{"h2"}, []string{"h2"}},
		{"something like it", []string{"xh2c, h2c2"}, []string{"xh2c, h2c2"}},
		{"none", nil, nil},
	} {
		for _, path := range []string{"/", "/health"} {
			t.Run(tc.name+", "+path, func(t *testing.T) {
				r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, path, nil), "tcp", "127.0.0.1:1")
				r.Header.Set("X-Client-Cert", client.Base64())
				r.Header.Set("Connection", "Upgrade, HTTP2-Settings")
				r.Header.Set("HTTP2-Settings", "AAMAAABk")
				if tc.upgrade != nil {
					r.Header["Upgrade"] = tc.upgrade
				}
				var seen http.Header
				recorder := httptest.NewRecorder()
				auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header })).ServeHTTP(recorder, r)
				assert.Equal(t, http.StatusOK, recorder.Code)
				assert.Equal(t, tc.want, seen["Upgrade"])
			})
		}
	}
}

// finding T5, through a server and with other headers, few or many.
func TestHandler_PassesNoWishForH2COnFromAServer(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client").Certificate
	for _, source := range []certauth.Source{fixedSource("no header", leaf), headerSource{cert: leaf}} {
		auth := must(t, certauth.Config{Source: source, Policy: certauth.Certificates(leaf)})
		server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if len(r.Header["Upgrade"]) > 0 {
				w.WriteHeader(http.StatusTeapot)
			}
		})))
		t.Cleanup(server.Close)
		for _, many := range []int{0, 40} {
			for upgrade, want := range map[string]int{"h2c": http.StatusOK, "websocket": http.StatusTeapot} {
				text := "GET / HTTP/1.1\r\nHost: a\r\nX-Client-Cert: present\r\nConnection: close, Upgrade\r\nUpgrade: " + upgrade + "\r\n"
				for i := range many {
					text += fmt.Sprintf("X-Other-%d: kept\r\n", i)
				}
				assert.Equal(t, want, rawStatus(t, server.Listener.Addr().String(), text+"\r\n"), "%s, %d others", upgrade, many)
			}
		}
	}
}

// finding S14: anybody who reaches the port can send a mebibyte of protocols to upgrade to. Handler
// parses no more than an honest client sends, and passes on nothing else.
func TestHandler_EndlessUpgradeHeaderCostsNothing(t *testing.T) {
	auth, client := configured(t)
	for name, lines := range map[string][]string{
		"one line": {strings.Repeat("a,", 500_000)}, "many lines": slices.Repeat([]string{"a"}, 20_000),
		"h2c at the end of one line": {strings.Repeat("a,", 500_000) + "h2c"}, "nothing but h2c": {strings.Repeat("h2c,", 250_000)},
	} {
		for _, value := range []string{client.Base64(), "forged"} {
			r := certauthtest.WithPeer(t, httptest.NewRequest(http.MethodGet, "/", nil), "tcp", "127.0.0.1:1")
			r.Header.Set("X-Client-Cert", value)
			r.Header["Upgrade"] = lines
			var seen http.Header
			h := auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.Header }))
			recorder := httptest.NewRecorder()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			h.ServeHTTP(recorder, r)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(256<<10), "%s, %.6s", name, value)
			assert.Equal(t, value != "forged", seen != nil, name)
			assert.NotContains(t, seen, "Upgrade", name)
		}
	}
}

// finding T5: the same holds for the preface of HTTP/2, which net/http passes to a handler if the
// server does not speak HTTP/2, and which x/net's h2c treats in the same way.
func TestHandler_PassesNoPrefaceOfHTTP2On(t *testing.T) {
	ca := certauthtest.NewCA(t, "Partner Root")
	leaf := ca.Issue(t, "orders").Certificate
	for _, optional := range []bool{false, true} {
		reason := certauth.ReasonNone
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("fixed", leaf), Policy: certauth.Chain{Roots: certsOf(ca)}, Optional: optional,
			Observe: func(_ context.Context, e certauth.Event) { reason = e.Reason() },
		})
		require.NoError(t, err)
		called := false
		server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })))
		t.Cleanup(server.Close)
		assert.Equal(t, http.StatusUnauthorized, rawStatus(t, server.Listener.Addr().String(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), optional)
		assert.Equal(t, certauth.ReasonSourceUntrusted, reason)
		assert.False(t, called)
	}
}

// finding T78: CONNECT ends the connection only over HTTP/1. Over HTTP/2 it is one stream of a connection
// that others share, and Connection is not allowed in an answer (RFC 9113, section 8.2.2).
func TestHandler_ClosesNoConnectionThatOthersNeed(t *testing.T) {
	known := must(t, certauth.Config{Source: fixedSource("nobody"), Policy: certauth.Certificates(certauthtest.SelfSigned(t, "client").Certificate)})
	for _, tc := range []struct {
		name        string
		auth        *certauth.Authenticator
		major       int
		method, ask string
		want        string
	}{
		{"CONNECT over HTTP/2", known, 2, http.MethodConnect, "", ""},
		{"CONNECT over HTTP/1", known, 1, http.MethodConnect, "", "close"},
		{"a request for WebSocket", known, 1, http.MethodGet, "websocket", "close"},
		{"a request for WebSocket, of an Authenticator that refuses everything", nil, 1, http.MethodGet, "websocket", "close"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, "/orders", http.NoBody)
			r.ProtoMajor = tc.major
			if tc.ask != "" {
				r.Header.Set("Upgrade", tc.ask)
				r.Header.Set("Connection", "Upgrade")
			}
			answer := httptest.NewRecorder()
			tc.auth.Handler(http.NotFoundHandler()).ServeHTTP(answer, r)
			assert.Equal(t, http.StatusUnauthorized, answer.Code)
			assert.Equal(t, tc.want, answer.Header().Get("Connection"))
		})
	}
}

// finding S60: nor did the operating system copy files to the connection.
// finding S50: nginx before 1.29.7 sends every request as HTTP/1.0 unless it is told not to. For such a
// request, and for one with an Upgrade header, handlers found less in their writer than net/http has, and
// gin's Context.Stream panicked. finding N99: Flush reported no error.
func TestHandler_TheWriterHasWhatTheServersHas(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	for name, request := range map[string]string{
		"HTTP/1.0":  "GET / HTTP/1.0\r\n",
		"WebSocket": "GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n",
	} {
		var ran bool
		server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			ran = true
			assert.Implements(t, (*http.Flusher)(nil), w)
			assert.Implements(t, (*http.Hijacker)(nil), w)
			assert.Implements(t, (*io.ReaderFrom)(nil), w)
			assert.Implements(t, (*interface{ FlushError() error })(nil), w)
			//lint:ignore SA1019 gin asks for it
			if notifier, ok := w.(http.CloseNotifier); assert.True(t, ok) { //nolint:staticcheck // SA1019: as above
				assert.NotNil(t, notifier.CloseNotify())
			}
			control := http.NewResponseController(w)
			assert.NoError(t, control.SetReadDeadline(time.Time{}))
			assert.NoError(t, control.SetWriteDeadline(time.Time{}))
			assert.NoError(t, control.EnableFullDuplex())
			_, err := io.WriteString(w, "a file")
			assert.NoError(t, err)
			assert.NoError(t, control.Flush())
		})))
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, request+"Host: app.example\r\nX-Client-Cert: 1\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		assert.True(t, response.Close, name)
		text, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		assert.Equal(t, "a file", string(text), name)
		_ = conn.Close()
		server.Close()
		assert.True(t, ran, name)
	}

	flushed := errors.New("not called")
	outside := http.TimeoutHandler(auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		//lint:ignore SA1019 gin asks for it
		if notifier, ok := w.(http.CloseNotifier); ok { //nolint:staticcheck // SA1019: as above
			assert.Nil(t, notifier.CloseNotify(), "it never tells")
		}
		flushed = http.NewResponseController(w).Flush()
	})), time.Hour, "")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Client-Cert", "1")
	r.Header.Set("Upgrade", "websocket")
	outside.ServeHTTP(httptest.NewRecorder(), r)
	assert.ErrorIs(t, flushed, http.ErrNotSupported)
}

// headerUses counts how often the header of the answer is asked for.
type headerUses struct {
	http.ResponseWriter
	n int
}

func (w *headerUses) Header() http.Header {
	w.n++
	return w.ResponseWriter.Header()
}

func (w *headerUses) Flush() {}

// finding S52: once the answer has begun, a handler that flushes in one goroutine may write trailers to the
// header in another, as [http.TrailerPrefix] describes. Each Write and Flush read the map of the header, and
// a read and a write of it at a time end the process; so do the writes of a first Write and a first Flush.
func TestHandler_TheHeaderIsLeftToTheHandlerOnceTheAnswerHasBegun(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	for name, begin := range map[string]func(w http.ResponseWriter){
		"a status": func(w http.ResponseWriter) { w.WriteHeader(http.StatusOK) },
		"a file": func(w http.ResponseWriter) {
			n, err := io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("first", 1000)), 4999))
			assert.NoError(t, err)
			assert.EqualValues(t, 4999, n)
		},
		// finding T151: a copy that failed before its first byte counted as the begin of the answer, after which
		// the handler could keep the connection.
		"a write after a copy of nothing": func(w http.ResponseWriter) {
			_, err := io.Copy(w, iotest.ErrReader(io.ErrNoProgress))
			assert.ErrorIs(t, err, io.ErrNoProgress)
			_, err = io.Copy(w, io.LimitReader(strings.NewReader(""), 1))
			assert.NoError(t, err)
			w.Header().Set("Connection", "keep-alive")
			_, _ = io.WriteString(w, "first")
		},
		"a write": func(w http.ResponseWriter) { _, _ = io.WriteString(w, "first") },
		"a flush": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Client-Cert", "1")
		r.Header.Set("Upgrade", "websocket")
		answer := httptest.NewRecorder()
		counted, ran := &headerUses{ResponseWriter: answer}, false
		auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			ran = true
			begin(w)
			before := counted.n
			_, _ = io.WriteString(w, "second")
			assert.NoError(t, http.NewResponseController(w).Flush())
			w.WriteHeader(http.StatusOK)
			assert.Equal(t, before, counted.n, name)
		})).ServeHTTP(counted, r)
		assert.True(t, ran, name)
		assert.Equal(t, "close", answer.Result().Header.Get("Connection"), name)
	}
}

// finding S51: some handlers write in one goroutine and flush in another. Each call wrote to the map of
// the header, and two such calls at a time end the process.
func TestHandler_TheHeaderIsWrittenOnce(t *testing.T) {
	client := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{client.Certificate}, Policy: certauth.Certificates(client.Certificate)})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Client-Cert", "1")
	r.Header.Set("Upgrade", "websocket")
	ran := false
	auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		ran = true
		_, _ = io.WriteString(w, "first")
		written := w.Header()["Connection"]
		if !assert.Equal(t, []string{"close"}, written) {
			return
		}
		_, _ = io.WriteString(w, "second")
		assert.NoError(t, http.NewResponseController(w).Flush())
		w.WriteHeader(http.StatusOK)
		assert.Same(t, &written[0], &w.Header()["Connection"][0])
	})).ServeHTTP(httptest.NewRecorder(), r)
	assert.True(t, ran)
}
