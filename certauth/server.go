package certauth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// readHeaderTimeout is used for servers that set no timeout.
const readHeaderTimeout = 10 * time.Second

// ConfigureServer prepares a server so that every request that it serves first goes through
// [Authenticator.Handler], and so that gates know the sender. Call it once, when the server's
// fields have their final values and before it serves:
//
//	server := &http.Server{Addr: ":8080", Handler: mux}
//	if err := auth.ConfigureServer(server); err != nil {
//		return err
//	}
//	return server.ListenAndServe()
//
// Handler is replaced by a.Handler of the previous handler; do not wrap it yourself. ConnContext
// calls [ConnContext] and then the previous function, whose result must derive from the context
// that it receives. DisableGeneralOptionsHandler is set, because otherwise net/http itself would
// answer "OPTIONS *". A ReadHeaderTimeout of zero becomes 10 seconds, or ReadTimeout if that is
// shorter. When the server starts to serve, BaseContext checks that Handler was not replaced, and
// panics if it was: some frameworks replace the handler of a server that they start (echo's Start
// and StartServer), and every request would be accepted. Start the server itself instead.
//
// It is an error if a is not the result of [New], if server or its Handler is nil (set
// http.DefaultServeMux explicitly), if the Handler already is that of an Authenticator, and if it
// is that of golang.org/x/net/http2/h2c (use http.Server.Protocols for HTTP/2 without TLS). In
// case of an error the server is unchanged. ConfigureServer is not safe for concurrent use with
// the server.
//
// What must be true of your infrastructure is documented at the source. With forwarded.AppService
// [Authenticator.Handler] alone is sufficient. With any other source of package forwarded a server
// without this method needs DisableGeneralOptionsHandler, and for a gate on the socket [ConnContext].
func (a *Authenticator) ConfigureServer(server *http.Server) error {
	switch {
	case a == nil || a.policy == nil || a.source == nil:
		return errors.New("certauth: ConfigureServer: the Authenticator is not the result of New")
	case server == nil:
		return errors.New("certauth: ConfigureServer: the server is nil")
	case isNil(server.Handler):
		return errors.New("certauth: ConfigureServer: server.Handler is nil; set it first (for the default mux, to http.DefaultServeMux)")
	case socket.TakesOver(server.Handler):
		return errors.New("certauth: ConfigureServer: server.Handler is h2c.NewHandler, which takes connections over from the server; enable unencrypted HTTP/2 with http.Server.Protocols")
	}
	if _, ours := server.Handler.(*guard); ours {
		return errors.New("certauth: ConfigureServer: server.Handler is already protected by an Authenticator; call ConfigureServer once, with the unprotected handler")
	}

	handler := a.Handler(server.Handler)
	server.Handler = handler
	server.DisableGeneralOptionsHandler = true
	if server.ReadHeaderTimeout == 0 {
		server.ReadHeaderTimeout = readHeaderTimeout
		if server.ReadTimeout > 0 {
			server.ReadHeaderTimeout = min(readHeaderTimeout, server.ReadTimeout)
		}
	}

	connContext := server.ConnContext
	server.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		ctx = ConnContext(ctx, conn)
		if connContext != nil {
			ctx = connContext(ctx, conn)
		}
		return ctx
	}
	baseContext := server.BaseContext
	server.BaseContext = func(listener net.Listener) context.Context {
		if server.Handler != handler {
			panic(fmt.Sprintf("certauth: ConfigureServer: server.Handler became a %T, which accepts every request; call ConfigureServer last, and start the server by its own methods", server.Handler))
		}
		if baseContext != nil {
			return baseContext(listener)
		}
		return context.Background()
	}
	return nil
}

// guard is a handler wrapped by an Authenticator.
type guard struct {
	auth *Authenticator
	next http.Handler
}

// ServeHTTP implements [http.Handler].
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, upgrades := r.Header["Upgrade"] // before h2c is removed from it
	admitted, refused := g.auth.admission(r, g.isOutermost(r))
	if upgrades || r.ProtoMajor < 2 && (r.Method == http.MethodConnect || r.ProtoMinor == 0) {
		closing := &upgradable{ResponseWriter: w}
		defer closing.end()
		w = closing
	}
	if refused != nil {
		g.auth.deny(w, r, admitted, refused, http.StatusUnauthorized)
		return
	}
	serve(g.next, w, r, admitted)
}

// isOutermost reports whether the server of the request called the guard directly, so that no
// middleware has written to the header or can be reading it. A handler within can call the guard again.
func (g *guard) isOutermost(r *http.Request) bool {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || server == nil {
		return false
	}
	handler, ok := server.Handler.(*guard)
	return ok && handler == g && r.Context().Value(identityKey{}) == nil
}

// upgradable is the writer of a request to change the protocol, to WebSocket or any other, or for a
// tunnel, after whose response the connection is closed unless a handler takes it over: some front ends
// make a tunnel of the connection before they know the answer, and the client could continue with
// requests whose headers it writes itself. A body of HTTP/1.0 in chunks could also be such a request,
// because net/http ignores its Transfer-Encoding.
type upgradable struct {
	http.ResponseWriter

	begun    sync.Once // the answer
	switched bool      // the status is 101, and no handler has taken the connection over
}

// begin makes the server close the connection, whatever a handler has written to the header. It looks
// at the header only before the first part of an answer, which handlers that write and flush in two
// goroutines may send in either: later the handler may be writing trailers to it, and two uses of a map
// at a time would end the process.
func (w *upgradable) begin() { w.begun.Do(w.sayClose) }

// sayClose writes to the header. After 101 the handler can still take the connection over.
func (w *upgradable) sayClose() {
	if header := w.Header(); !w.switched && header.Get("Connection") != "close" {
		header.Set("Connection", "close")
	}
}

// WriteHeader implements [http.ResponseWriter].
func (w *upgradable) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.switched = true
	case status >= http.StatusOK:
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *upgradable) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// ReadFrom implements [io.ReaderFrom], by which net/http lets the operating system copy a file. The answer
// begins with the first bytes: if there are none, the handler can still write to the header.
func (w *upgradable) ReadFrom(from io.Reader) (int64, error) {
	const sniffed = 512 // by net/http, for the content type
	first, err := io.Copy(struct{ io.Writer }{w}, io.LimitReader(from, sniffed))
	if err != nil || first < sniffed {
		return first, err
	}
	rest, err := io.Copy(w.ResponseWriter, from)
	return first + rest, err
}

// Hijack implements [http.Hijacker].
func (w *upgradable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, stream, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.switched = w.switched && err != nil
	return conn, stream, err
}

// Flush implements [http.Flusher].
func (w *upgradable) Flush() { _ = w.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (w *upgradable) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// CloseNotify implements [http.CloseNotifier], without which the Stream method of gin's Context panics.
func (w *upgradable) CloseNotify() <-chan bool {
	//lint:ignore SA1019 gin asks for it
	if to, ok := w.ResponseWriter.(http.CloseNotifier); ok { //nolint:staticcheck // SA1019: as above
		return to.CloseNotify()
	}
	return nil
}

// Unwrap lets [http.ResponseController] find the other methods.
func (w *upgradable) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// end runs when the handler has returned. It closes a connection on which the handler has answered 101
// and then left it to the server. A writer in between, such as gin's, may refuse to take the connection
// over after the answer; the one within does not. The panic is the last resort, because middleware outside
// may recover it.
func (w *upgradable) end() {
	w.sayClose()
	if !w.switched {
		return
	}
	for writer := w.ResponseWriter; ; {
		if conn, _, err := http.NewResponseController(writer).Hijack(); err == nil {
			_ = conn.Close()
			return
		}
		outer, ok := writer.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			panic(http.ErrAbortHandler)
		}
		writer = outer.Unwrap()
	}
}
