// Package ginauth puts a [certauth.Authenticator] in front of the handlers of gin.
//
// To protect a whole router, including its redirects and 404 answers, wrap it with
// auth.Handler(router) or use auth.ConfigureServer(server). This package is for groups of
// routes and single routes. gin.WrapH is no substitute: the wrapped handler can answer 401,
// but gin still runs the route's handler.
//
// Before any middleware, gin itself redirects a path that differs from that of a route by a slash at
// the end, and keeps the connection. Behind a front end that then makes a tunnel of it, as Varnish, and
// Apache before 2.4.47, do for WebSocket, wrap the router, or set Engine.RedirectTrailingSlash to false
// and RedirectFixedPath not to true; otherwise a client without a certificate can write the front end's
// headers itself (section "Upgrade" of package forwarded).
//
// Serve the router with an [http.Server] whose ConnContext is certauth.ConnContext and whose
// DisableGeneralOptionsHandler is true, as ConfigureServer sets them; without ConnContext, gates on
// the socket refuse every request. Never set Engine.UseH2C (see certauth.Authenticator.Handler),
// and do not base decisions on gin's ClientIP, which trusts X-Forwarded-For.
//
// The package is a separate module, so that programs without gin do not have gin in their
// module graph. It needs gin 1.11 or later.
package ginauth

import (
	"bufio"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// authenticator is a *certauth.Authenticator, or one that follows a policy document, of package
// policyfile.
type authenticator interface {
	Handler(next http.Handler) http.Handler
	Require(policy certauth.Policy) func(http.Handler) http.Handler
}

// Handler returns middleware that admits the callers that auth admits, an Authenticator of
// package certauth or policyfile. Install it with Engine.Use, before the routes are added, or on
// a group. A refused request gets the answer of [certauth.Authenticator.Handler], and the
// remaining handlers do not run. The middleware is safe for concurrent use.
func Handler(auth authenticator) gin.HandlerFunc {
	if auth == nil {
		auth = new(certauth.Authenticator) // refuses
	}
	return adapt(auth.Handler)
}

// Require returns middleware for a route that demands more than auth's own policy. It must run
// after [Handler], or inside a router that auth wraps. It answers 401 to a caller without an
// identity and 403 to a caller that the policy refuses. Like
// [certauth.Authenticator.Require], it panics if the policy is invalid.
func Require(auth authenticator, policy certauth.Policy) gin.HandlerFunc {
	return adapt(auth.Require(policy))
}

// Identity returns the caller, as certauth.FromContext(c.Request.Context()) does. It returns
// false for a request without an identity, for example an excluded one. FromContext(c) does
// not find the identity, because gin's own context does not consult that of the request.
func Identity(c *gin.Context) (*certauth.Identity, bool) {
	return certauth.FromContext(c.Request.Context())
}

// adapt turns net/http middleware into gin middleware. The remaining handlers run inside it and
// write to gin's own writer.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		defer func() {
			// Deferred, because recovery middleware can swallow a panic and let gin continue.
			if !passed {
				c.Abort()
			}
		}()
		middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			passed = true
			if _, same := w.(gin.ResponseWriter); !same {
				c.Writer = closing{c.Writer, w}
			}
			c.Request = r // it carries the identity
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}
}

// closing begins answers, and takes the connection over, by the writer of the middleware, which closes
// the connection after the request.
type closing struct {
	gin.ResponseWriter

	of http.ResponseWriter
}

// begin announces the status that gin has kept until now.
func (w closing) begin() {
	if !w.Written() {
		w.of.WriteHeader(w.Status())
	}
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w closing) WriteHeaderNow() {
	w.begin()
	w.ResponseWriter.WriteHeaderNow()
}

// Write implements [http.ResponseWriter].
func (w closing) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// WriteString implements [io.StringWriter].
func (w closing) WriteString(s string) (int, error) {
	w.begin()
	return w.ResponseWriter.WriteString(s)
}

// Flush implements [http.Flusher].
func (w closing) Flush() {
	w.begin()
	w.ResponseWriter.Flush()
}

// Unwrap lets [http.ResponseController] find the other methods.
func (w closing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack implements [http.Hijacker].
func (w closing) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.of).Hijack()
}
