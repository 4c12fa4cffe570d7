package fiberauth

import (
	"bytes"
	"errors"
	"net"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// authenticator is a *certauth.Authenticator, or one that follows a policy document, of package
// policyfile.
type authenticator interface {
	Handler(next http.Handler) http.Handler
	Require(policy certauth.Policy) func(http.Handler) http.Handler
}

// Handler returns middleware that admits the callers that auth admits, an Authenticator of
// package certauth or policyfile. Install it with App.Use and the path "*" before any route, so that
// routes added later are protected too. The app needs fiber.Config.DisablePreParseMultipartForm, see
// the package documentation. A refused request gets the answer of [certauth.Authenticator.Handler],
// and the next handlers do not run. The middleware is safe for concurrent use.
func Handler(auth authenticator) fiber.Handler {
	if auth == nil {
		auth = new(certauth.Authenticator) // refuses
	}
	return adapt(auth.Handler)
}

// Require returns middleware for a route that demands more than auth's own policy. It must run
// after [Handler]. It answers 401 to a caller without an identity and 403 to a caller that the
// policy refuses. Like [certauth.Authenticator.Require], it panics if the policy is invalid.
func Require(auth authenticator, policy certauth.Policy) fiber.Handler {
	return adapt(auth.Require(policy))
}

// Identity returns the caller, as certauth.FromContext(c.Context()) does. It returns false for
// excluded requests, for anonymous callers if a certificate is optional, and without [Handler].
// Unlike Fiber's own strings, the identity may be kept after the handler has returned.
func Identity(c fiber.Ctx) (*certauth.Identity, bool) { return certauth.FromContext(c.Context()) }

// adapt turns net/http middleware into Fiber middleware. The next handlers run inside it, but write to Fiber's
// own response.
func adapt(middleware func(http.Handler) http.Handler) fiber.Handler {
	return func(c fiber.Ctx) (failed error) {
		ends := c.App().Server().DisableKeepalive || c.Request().Header.ConnectionClose() // as fasthttp has read it
		w := newResponse(&c.Response().Header)
		failed = errPanicked // until a handler returns
		defer func() {       // the next handlers may write to the header of the answer too
			if mustClose(c.RequestCtx(), failed, w.header.Get("Connection") == "close") {
				closeAfter(c.RequestCtx(), ends)
			}
		}()
		if err := misplaced(c); err != nil {
			w.header.Set("Connection", "close")
			return err
		}
		r, err := request(c)
		if err != nil {
			return badRequest(c, w)
		}
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, admitted *http.Request) {
			passed = true
			failed = next(c, w, admitted)
		})).ServeHTTP(w, r)
		if !passed {
			return w.send(c)
		}
		return failed
	}
}

// next runs the next handlers, which see the admitted request.
func next(c fiber.Ctx, w *response, admitted *http.Request) error {
	if err := strip(&c.Request().Header, admitted.Header); err != nil {
		return badRequest(c, w)
	}
	c.SetContext(admitted.Context())
	return c.Next()
}

func badRequest(c fiber.Ctx, w *response) error {
	w.header.Set("Connection", "close")
	return c.SendStatus(fiber.StatusBadRequest)
}

// mustClose reports whether the connection must end with the answer, as with certauth's Handler, which says so if
// it knows without the status. It need not if a handler takes the connection over.
func mustClose(ctx *fasthttp.RequestCtx, failed error, said bool) bool {
	answer := ctx.LastTimeoutErrorResponse()
	if answer == nil {
		if ctx.Hijacked() {
			return false
		}
		answer = &ctx.Response
	}
	status := answer.StatusCode()
	if late, ok := errors.AsType[*fiber.Error](failed); ok { // which Fiber answers later
		status = late.Code
	}
	return said || errors.Is(failed, errPanicked) || status == fiber.StatusSwitchingProtocols
}

// errPanicked stands for the error, with any status, that middleware outside makes of a panic.
var errPanicked = errors.New("fiberauth: a handler has panicked")

// closeAfter makes fasthttp close the connection after the answer. ends says that it does so in any case. Otherwise
// an ErrorHandler and middleware outside can still write to the header of the answer, or reset it, so something
// takes the connection over that only closes it.
func closeAfter(ctx *fasthttp.RequestCtx, ends bool) {
	if late := ctx.LastTimeoutErrorResponse(); late != nil { // a handler may still write to ctx
		sayClose(&late.Header)
		return
	}
	if !ends {
		ctx.Hijack(func(conn net.Conn) { _ = conn.Close() })
	}
	if ends || !ctx.Request.Header.IsHTTP11() { // otherwise it would write keep-alive for HTTP/1.0
		sayClose(&ctx.Response.Header)
		return
	}
	// If fasthttp knew that the connection is to be closed it would not let it be taken over, but would also not
	// release what the request holds. It looks for the word when the line is set.
	ctx.Response.Header.Set(fiber.HeaderConnection, "later")
	copy(ctx.Response.Header.Peek(fiber.HeaderConnection), "close")
}

// sayClose replaces what a handler has said of the connection.
func sayClose(header *fasthttp.ResponseHeader) {
	header.Del(fiber.HeaderConnection)
	header.SetConnectionClose()
}

// These errors report a mistake in the configuration of the app, which can be detected only when
// a request arrives. fasthttp reads the rest of a stream, or what follows the end of a form within
// its body, as the next request, with headers that the client wrote into its body. It does so even
// if Fiber answers before any middleware runs, as it does for unknown methods.
var (
	errStream = errors.New("fiberauth: StreamRequestBody needs DisableKeepalive")
	errForm   = errors.New("fiberauth: set DisablePreParseMultipartForm, or DisableKeepalive")
)

// errRoot reports another one. Middleware for "/", as App.Use installs it without a path, does not run
// for the targets "*" and "foo" and for that of CONNECT, for which routes with a wildcard do.
var errRoot = errors.New(`fiberauth: install the middleware with the path "*", as in app.Use("*", fiberauth.Handler(auth))`)

// misplaced returns an error if requests can pass the middleware by, and unless fasthttp reads every
// body to its end, or only one request of each connection.
func misplaced(c fiber.Ctx) error {
	server := c.App().Server()
	switch {
	case c.Route().Path == "/" && c.Path() != "/":
		return errRoot
	case server.DisableKeepalive:
		return nil
	case server.StreamRequestBody, c.Request().IsBodyStream():
		return errStream
	case !server.DisablePreParseMultipartForm:
		return errForm
	}
	return nil
}

// response collects the answer to a refused request.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// newResponse returns an answer with what middleware before this one has written to the header, such as an
// encoding, which a refusal must not have.
func newResponse(earlier *fasthttp.ResponseHeader) *response {
	header := http.Header{}
	for key, value := range earlier.All() {
		header.Add(string(key), string(value))
	}
	return &response{header: header}
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) { return w.body.Write(p) }

func (w *response) send(c fiber.Ctx) error {
	header := &c.Response().Header
	var earlier []string // all of which is in w.header, unless it was removed
	for key := range header.All() {
		earlier = append(earlier, string(key))
	}
	for _, key := range earlier {
		header.Del(key)
	}
	for name, values := range w.header {
		for _, value := range values {
			header.Add(name, value)
		}
	}
	if w.status == 0 { // the middleware has neither answered nor called next
		w.status = http.StatusUnauthorized
	}
	return c.Status(w.status).Send(w.body.Bytes())
}
