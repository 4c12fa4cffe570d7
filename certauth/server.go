package certauth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/socket"
)

// readHeaderTimeout is for servers that set none.
const readHeaderTimeout = 10 * time.Second

// ConfigureServer prepares a server so that each request that it serves goes through
// [Authenticator.Handler] first, and so that the gates know who sent it. Call it once, when
// the server's fields have their final values, before it serves:
//
//	server := &http.Server{Addr: ":8080", Handler: mux}
//	if err := auth.ConfigureServer(server); err != nil {
//		return err
//	}
//	return server.ListenAndServe()
//
// Handler becomes a.Handler of the handler that was there; do not wrap it yourself.
// ConnContext calls [ConnContext], then the function that was there, whose context must
// derive from the one that it is given. DisableGeneralOptionsHandler is set, for otherwise
// net/http answers "OPTIONS *" unseen. ReadHeaderTimeout, if zero, becomes 10 seconds, or
// ReadTimeout where that is shorter. BaseContext looks, when the server starts to serve,
// whether Handler is still the one that was set, and panics if it is not: some frameworks
// replace the handler of a server that they start (echo's Start and StartServer), and it
// would serve everybody. Start the server itself instead.
//
// It is an error if a is not the result of [New], if server or its Handler is nil (for
// http.DefaultServeMux, say so), if an Authenticator's Handler is there already, and if
// Handler is that of golang.org/x/net/http2/h2c: HTTP/2 without TLS is what
// http.Server.Protocols is for. The server is then left as it was. ConfigureServer is not
// safe for concurrent use with the server.
//
// What must be true of your infrastructure is what the source's documentation says; a
// source without a gate on the socket, such as forwarded.AppService, does not need this
// method, and [Authenticator.Handler] alone will do.
func (a *Authenticator) ConfigureServer(server *http.Server) error {
	switch {
	case a == nil || a.policy == nil || a.source == nil:
		return errors.New("certauth: ConfigureServer: the Authenticator is not the result of New")
	case server == nil:
		return errors.New("certauth: ConfigureServer: the server is nil")
	case isNil(server.Handler):
		return errors.New("certauth: ConfigureServer: server.Handler is nil; set it first, to http.DefaultServeMux if that is meant")
	case socket.TakesOver(server.Handler):
		return errors.New("certauth: ConfigureServer: server.Handler is h2c.NewHandler, which takes connections away from the server; serve HTTP/2 by http.Server.Protocols")
	}
	if _, ours := server.Handler.(*guard); ours {
		return errors.New("certauth: ConfigureServer: server.Handler goes through an Authenticator already; configure a server once, with the handler that is to be protected")
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
			panic(fmt.Sprintf("certauth: ConfigureServer: server.Handler became a %T, which lets everybody in; call ConfigureServer last, and start the server by its own methods", server.Handler))
		}
		if baseContext != nil {
			return baseContext(listener)
		}
		return context.Background()
	}
	return nil
}

// guard is a handler behind an Authenticator.
type guard struct {
	auth *Authenticator
	next http.Handler
}

// ServeHTTP implements [http.Handler].
func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if admitted, ok := g.auth.admit(w, r, g.isOutermost(r)); ok {
		serve(g.next, w, r, admitted)
	}
}

// isOutermost reports whether the server of the request called the guard itself: then no
// middleware has written to the header.
func (g *guard) isOutermost(r *http.Request) bool {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || server == nil {
		return false
	}
	handler, ok := server.Handler.(*guard)
	return ok && handler == g
}
