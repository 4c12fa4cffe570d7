// Package ginauth puts a [certauth.Authenticator] in front of the handlers of gin.
//
// The whole router can also be wrapped, auth.Handler(router) or auth.ConfigureServer(server),
// which protects redirects and 404 too; this package is for groups of routes. gin.WrapH is no
// substitute for it: the wrapped handler can answer 401, and gin runs the route's handler all the
// same.
//
// Serve the router by an [http.Server] whose ConnContext is certauth.ConnContext, as
// ConfigureServer sets it: gates on the peer stay shut without. Never set Engine.UseH2C, see
// certauth.Authenticator.Handler, and do not let gin's ClientIP decide anything: it believes
// X-Forwarded-For.
//
// It is a module of its own, so that programs without gin do not have it in the module
// graph. It needs gin 1.11 and works with later ones.
package ginauth

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Handler returns middleware that lets in whom auth lets in; for Engine.Use, before the routes
// are added, and for groups. A refusal is answered as [certauth.Authenticator.Handler] does and
// ends the chain of handlers. It is safe for concurrent use.
func Handler(auth *certauth.Authenticator) gin.HandlerFunc { return adapt(auth.Handler) }

// Require returns middleware for a route that asks more than auth's own policy, behind
// [Handler] or a router that auth wraps: 401 for a caller without an identity, 403 for one whom
// the policy refuses. A policy that [certauth.Authenticator.Require] would not take makes it
// panic.
func Require(auth *certauth.Authenticator, policy certauth.Policy) gin.HandlerFunc {
	return adapt(auth.Require(policy))
}

// Identity returns the caller, as certauth.FromContext(c.Request.Context()) does.
// FromContext(c) would not find it: gin's own context does not look into that of the request.
func Identity(c *gin.Context) (*certauth.Identity, bool) {
	return certauth.FromContext(c.Request.Context())
}

// adapt makes gin middleware of net/http middleware. The handlers behind run within it and
// write to gin's own writer.
func adapt(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed := false
		defer func() {
			// Deferred, since recovery in front can swallow a panic and let gin go on.
			if !passed {
				c.Abort()
			}
		}()
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r // it carries the identity
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
	}
}
