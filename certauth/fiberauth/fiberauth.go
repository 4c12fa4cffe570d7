package fiberauth

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"golang.org/x/net/http/httpguts"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Handler returns middleware that lets in whom auth lets in. Install it with App.Use before
// any route, so that routes added later are protected too. A refusal is answered as
// [certauth.Authenticator.Handler] does, the next handlers do not run. It is safe for
// concurrent use.
func Handler(auth *certauth.Authenticator) fiber.Handler { return adapt(auth.Handler) }

// Require returns middleware for a route that asks more than auth's own policy, behind
// [Handler]: 401 for a caller without an identity, 403 for one whom the policy refuses. A
// policy that [certauth.Authenticator.Require] would not take makes it panic.
func Require(auth *certauth.Authenticator, policy certauth.Policy) fiber.Handler {
	return adapt(auth.Require(policy))
}

// Identity returns the caller. It is false for excluded requests, for anonymous callers where
// a certificate is optional, and without [Handler]. Unlike Fiber's own strings it may be kept after the
// handler has returned. The context of c has it too, for certauth.FromContext(c.Context()).
func Identity(c fiber.Ctx) (*certauth.Identity, bool) {
	id, ok := c.Locals(identityKey{}).(*certauth.Identity)
	return id, ok && id != nil
}

type identityKey struct{}

// adapt makes Fiber middleware of net/http middleware that answers or calls next and does
// nothing afterwards.
func adapt(middleware func(http.Handler) http.Handler) fiber.Handler {
	return func(c fiber.Ctx) error {
		c.Locals(identityKey{}, nil)
		if server := c.App().Server(); (server.StreamRequestBody || c.Request().IsBodyStream()) && !server.DisableKeepalive {
			c.RequestCtx().SetConnectionClose()
			return errStream
		}
		r, err := request(c)
		if err != nil {
			c.RequestCtx().SetConnectionClose()
			return c.SendStatus(fiber.StatusBadRequest)
		}
		var admitted *http.Request
		w := &response{header: http.Header{}}
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { admitted = r })).ServeHTTP(w, r)
		if admitted == nil {
			return w.send(c)
		}
		if err := strip(&c.Request().Header, admitted.Header); err != nil {
			c.RequestCtx().SetConnectionClose()
			return c.SendStatus(fiber.StatusBadRequest)
		}
		c.SetContext(admitted.Context())
		if id, ok := certauth.FromContext(admitted.Context()); ok {
			c.Locals(identityKey{}, id)
		}
		return c.Next()
	}
}

// errStream is a mistake in the configuration of the app, and so is reported at the first
// request. fasthttp reads what is left of a stream as if it were the next request, with whatever
// headers a client has written into its body; also where Fiber answers before any middleware
// runs, as it does to methods that it does not know.
var errStream = errors.New("fiberauth: StreamRequestBody needs DisableKeepalive")

// request returns the request that net/http would have made of the bytes that arrived. The body stays Fiber's.
func request(c fiber.Ctx) (*http.Request, error) {
	ctx := c.RequestCtx()
	header := &ctx.Request.Header
	raw := header.RawHeaders()
	if !bytes.HasSuffix(raw, []byte("\r\n\r\n")) && !bytes.Equal(raw, []byte("\r\n")) {
		return nil, errors.New("fiberauth: the headers are not as they arrived")
	}
	var text bytes.Buffer
	for _, part := range [][]byte{header.Method(), []byte(" "), header.RequestURI(), []byte(" "), header.Protocol(), []byte("\r\n"), raw} {
		text.Write(part)
	}
	r, err := http.ReadRequest(bufio.NewReader(&text))
	if err != nil {
		return nil, err
	}
	for name := range r.Header { // what http.Server looks at and ReadRequest does not; fasthttp has seen to the values
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, errors.New("fiberauth: the name of a header is no token")
		}
	}
	r.Body, r.TLS, r.RemoteAddr = http.NoBody, ctx.TLSConnectionState(), ctx.RemoteAddr().String()
	base := c.Context()
	if conn := ctx.Conn(); conn != nil {
		base = certauth.ConnContext(base, conn)
	}
	return r.WithContext(base), nil
}

// hostHeaders are those that net/http keeps elsewhere.
var hostHeaders = map[string]bool{"Host": true, "Transfer-Encoding": true, "Trailer": true, "Content-Length": true}

// maxStripped bounds the header lines that are deleted from a request. Sources read a few, and
// honest clients send a few trailers; fasthttp deletes in time that grows with their square.
const maxStripped = 128

// strip deletes all fields that are not in the admitted request: the source's headers, and trailers.
func strip(header *fasthttp.RequestHeader, admitted http.Header) error {
	for range 2 {
		var gone [][]byte
		for key := range header.All() {
			name := http.CanonicalHeaderKey(string(key))
			if _, stays := admitted[name]; !stays && !hostHeaders[name] {
				if len(gone) == maxStripped {
					return errors.New("fiberauth: too many trailers")
				}
				gone = append(gone, bytes.Clone(key))
			}
		}
		if len(gone) == 0 {
			return nil
		}
		for _, key := range gone {
			header.DelBytes(key)
		}
	}
	return errors.New("fiberauth: a header cannot be deleted")
}

// response collects the answer to a request that is refused.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

func (w *response) send(c fiber.Ctx) error {
	for name, values := range w.header {
		for _, value := range values {
			c.Response().Header.Add(name, value)
		}
	}
	if w.status == 0 { // the middleware has neither answered nor gone on
		w.status = http.StatusUnauthorized
	}
	return c.Status(w.status).Send(w.body.Bytes())
}
