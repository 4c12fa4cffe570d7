package certauth_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// trailerAttackVariable sets the duration ("30s") of the attack with trailers for each handler.
const trailerAttackVariable = "CERTAUTH_TRAILER_ATTACK"

// finding S1: both the reader of the body and its closer removed trailers without a lock, and a
// client that sent many of them could crash the process.
func TestTrailer_ManyAfterAnEarlyAnswerDoNoHarm(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	route := auth.Require(certauth.Certificates(leaf.Certificate))
	long, _ := time.ParseDuration(os.Getenv(trailerAttackVariable))
	backend := hastyBackend(t)
	target, err := url.Parse(backend)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	for _, tc := range []struct {
		name    string
		handler http.Handler
		holding time.Duration // of the last chunk
	}{
		{"a proxy by hand", auth.Handler(forwardByHand(backend)), 15 * time.Millisecond},
		{"a proxy by hand that forwards trailers", auth.Handler(forwardTrailers(backend)), 15 * time.Millisecond},
		{"a reverse proxy", auth.Handler(proxy), 15 * time.Millisecond},
		{"a proxy by hand behind Require", auth.Handler(route(forwardByHand(backend))), 15 * time.Millisecond},
		{"a proxy by hand, behind a reader that ends early", endsEarly(auth.Handler(forwardByHand(backend))), 15 * time.Millisecond},
		{"a handler that reads and closes at one time", auth.Handler(http.HandlerFunc(readAndClose)), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server := httptest.NewServer(tc.handler)
			defer server.Close()
			var trailers strings.Builder
			for i := range 450 {
				fmt.Fprintf(&trailers, "X%d:y\r\n", i)
			}
			trailers.WriteString("X-Client-Cert: abc\r\nX_Client_Cert: abc\r\nX.client-cert: abc\r\n")
			began := time.Now()
			var group sync.WaitGroup
			for connection := range 64 {
				group.Go(func() {
					for round := 0; round < 6 || time.Since(began) < long; round++ {
						certificate := ""
						if connection%2 == 0 { // half of them are known
							certificate = "X-Client-Cert: a\r\n"
						}
						sendTrailers(t, server.Listener.Addr().String(), certificate, trailers.String(), tc.holding)
					}
				})
			}
			group.Wait()
			response, err := http.Get(server.URL) // the server is alive
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		})
	}
}

// sendTrailers sends a chunked request and withholds its last chunk until a proxy has received the
// answer.
func sendTrailers(t *testing.T, address, certificate, trailers string, holding time.Duration) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if !assert.NoError(t, err) {
		return
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%sTransfer-Encoding: chunked\r\nTrailer: X-A, X-Client-Cert\r\n\r\n5\r\nhello\r\n", certificate)
	time.Sleep(holding) //nolint:forbidigo // the attacker's own pace; nothing depends on it
	_, _ = fmt.Fprintf(conn, "0\r\n%s\r\n", trailers)
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	_, _ = io.CopyN(io.Discard, conn, 20)
}

// hastyBackend answers before it has read the body, like a server that refuses.
func hastyBackend(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 4096))
				_, _ = io.WriteString(conn, "HTTP/1.1 418 teapot\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the connection stays open while the attack goes on
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

// forwardByHand is a typical hand-written proxy.
func forwardByHand(backend string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forwardRequest(w, r, backend, false) })
}

func forwardTrailers(backend string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { forwardRequest(w, r, backend, true) })
}

func forwardRequest(w http.ResponseWriter, r *http.Request, backend string, trailers bool) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, backend, r.Body)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if trailers {
		out.Trailer = r.Trailer
	}
	response, err := http.DefaultClient.Do(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body)
}

// endsEarly is middleware outside whose body ends before that of the server.
func endsEarly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = io.NopCloser(io.LimitReader(r.Body, 5))
		next.ServeHTTP(w, r)
	})
}

func readAndClose(_ http.ResponseWriter, r *http.Request) {
	var group sync.WaitGroup
	group.Go(func() { _, _ = io.Copy(io.Discard, r.Body) })
	_ = r.Body.Close() // like a transport that gives up
	group.Wait()
}

// finding S1: which trailers the handler sees, and when. The names of the source's headers are
// never among them, and the announced honest ones arrive.
func TestTrailer_HandlerSeesTheAnnouncedAndNeverTheSourcesHeaders(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	pinned := certauth.Certificates(leaf.Certificate)
	source := headerSource{cert: leaf.Certificate}
	optional := must(t, certauth.Config{
		Source: source, Policy: pinned, Optional: true,
		Exclusions: []certauth.Exclusion{{Method: http.MethodPost, Path: "/open", Reason: "r", Control: "c"}},
	})
	denying := func(seen *http.Header) *certauth.Authenticator {
		return must(t, certauth.Config{Source: source, Policy: pinned, Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
			_, _ = io.Copy(io.Discard, r.Body)
			*seen = r.Trailer.Clone()
			w.WriteHeader(http.StatusOK + 200)
		}})
	}
	const announced, sent = "Trailer: X-Sum, X-Client-Cert, x_client_cert\r\n", "X-Sum: 1\r\nX-Other: 2\r\nX-Client-Cert: a\r\nx_client_cert: b\r\nX.CLIENT-CERT: c\r\n"
	stays, none := http.Header{"X-Sum": {"1"}}, http.Header(nil)
	read := func(seen *http.Header) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			before := r.Trailer.Clone()
			_, err := io.Copy(io.Discard, r.Body)
			assert.NoError(t, err)
			*seen = r.Trailer.Clone()
			for name := range before {
				assert.Contains(t, *seen, name)
				assert.Equal(t, "X-Sum", name)
			}
		})
	}
	for _, tc := range []struct {
		name, path, extra string
		auth              func(seen *http.Header) http.Handler
		want              http.Header
	}{
		{"announced, anonymous", "/", announced, func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, stays},
		{"announced, known", "/", announced + "X-Client-Cert: a\r\n", func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, stays},
		{"announced, excluded", "/open", announced, func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, stays},
		{"announced, refused", "/", announced, func(seen *http.Header) http.Handler { return denying(seen).Handler(read(new(http.Header))) }, stays},
		{"announced, behind a route", "/", announced + "X-Client-Cert: a\r\n", func(seen *http.Header) http.Handler {
			return optional.Handler(optional.Require(pinned)(read(seen)))
		}, stays},
		{"announced, read when the route has returned", "/", announced + "X-Client-Cert: a\r\n", func(seen *http.Header) http.Handler {
			return optional.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				optional.Require(pinned)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP(w, r)
				read(seen).ServeHTTP(w, r)
			}))
		}, stays},
		{"announced, behind two middlewares", "/", announced, func(seen *http.Header) http.Handler { return optional.Handler(optional.Handler(read(seen))) }, stays},
		{"not announced, anonymous", "/", "", func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, none},
		{"not announced, known", "/", "X-Client-Cert: a\r\n", func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, none},
		{"not announced, excluded", "/open", "", func(seen *http.Header) http.Handler { return optional.Handler(read(seen)) }, none},
		{"not announced, refused", "/", "", func(seen *http.Header) http.Handler { return denying(seen).Handler(read(new(http.Header))) }, none},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var seen http.Header
			server := httptest.NewServer(tc.auth(&seen))
			defer server.Close()
			rawStatus(t, server.Listener.Addr().String(), "POST "+tc.path+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"+tc.extra+"Connection: close\r\n\r\n"+
				"1\r\na\r\n0\r\n"+sent+"\r\n")
			server.Close() // the handler has returned
			assert.Equal(t, tc.want, seen)
		})
	}
}

// finding S1: the same over HTTP/2, where net/http stores only announced trailers.
func TestTrailer_HTTP2(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	backend := hastyBackend(t)
	var seen http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(_ http.ResponseWriter, r *http.Request) {
		assert.Equal(t, 2, r.ProtoMajor)
		_, err := io.Copy(io.Discard, r.Body)
		assert.NoError(t, err)
		seen = r.Trailer.Clone()
	})
	mux.Handle("/forward", forwardByHand(backend))
	server := httptest.NewUnstartedServer(auth.Handler(mux))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	send := func(ctx context.Context, path string, body io.Reader) int {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+path, body)
		require.NoError(t, err)
		r.Trailer = http.Header{"X-Sum": {"1"}, "X-Client-Cert": {"a"}, "X_client_cert": {"b"}}
		response, err := server.Client().Do(r)
		if err != nil {
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	require.Equal(t, http.StatusOK, send(t.Context(), "/read", strings.NewReader("body")))
	assert.Equal(t, http.Header{"X-Sum": {"1"}}, seen)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for range 8 {
				reader, writer := io.Pipe()
				go func() {
					_, _ = io.WriteString(writer, "hello")
					time.Sleep(5 * time.Millisecond) //nolint:forbidigo // the attacker's own pace; nothing depends on it
					_ = writer.Close()
				}()
				send(t.Context(), "/forward", reader)
			}
		})
	}
	group.Wait()
}

func TestTrust_TrailersAreGoneAfterClose(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	var left http.Header
	server := httptest.NewServer(auth.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, r.Body.Close())
		left = r.Trailer
	})))
	defer server.Close()
	status := rawStatus(t, server.Listener.Addr().String(), "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTrailer: X-Foo\r\nConnection: close\r\n\r\n"+
		"1\r\na\r\n0\r\nX-Foo: b\r\nX-Client-Cert: victim\r\n\r\n")
	assert.Equal(t, 200, status)
	assert.Equal(t, http.Header{"X-Foo": {"b"}}, left)
}
