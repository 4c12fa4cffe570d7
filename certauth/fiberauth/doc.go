// Package fiberauth puts a [certauth.Authenticator] in front of the handlers of Fiber v3.
//
// Fiber is built on package fasthttp, not on net/http. Fiber's own adaptor for net/http
// middleware is unsuitable for authentication: it builds the request from headers to which
// fasthttp has already added the trailers that the client sent after the body, it passes on
// only one of several lines of the same name, and it loses the connection. This package parses
// the headers again from the bytes that arrived, as net/http does, and answers 400 to a request
// to which net/http would answer 400, or with a trailer that has the name of one of its headers.
//
// Gates such as forwarded.Peers see the socket of the connection, and certauth.TLS sees the
// certificate of its handshake. The headers of the source and all headers that came from
// trailers are deleted from the request before the next handler runs, and with them those that
// middleware before this one has added, which look the same; only RequestHeader.RawHeaders still
// shows the client's. What such middleware has deleted or changed is judged as it arrived. With
// Fiber's Prefork, and with listeners that hide the socket, these gates refuse every request, as
// they do with net/http.
//
// The app must have DisablePreParseMultipartForm in its config:
//
//	app := fiber.New(fiber.Config{DisablePreParseMultipartForm: true})
//	app.Use("*", fiberauth.Handler(auth))
//
// Otherwise fasthttp reads a form only to its last boundary, and takes the rest of the same body for
// the next request on the connection. A client without a certificate could put a request with
// somebody else's certificate there, and the front end would deliver it. Therefore every request is
// answered with 500 unless DisablePreParseMultipartForm or DisableKeepalive is set. Forms work as
// before, but are read into memory, up to BodyLimit. Set the field in a fasthttp.Server of your own
// too, because this package cannot see its settings.
//
// Without the path "*" the middleware does not run for a request whose target does not begin with a
// slash, such as "OPTIONS *" or "GET foo", but a route with a wildcard does. Therefore every request is
// then answered with 500, except for the path "/".
//
// With Fiber's StreamRequestBody, fasthttp reads the part of a body that the handlers leave
// unread as the next request, in the same way. Therefore every request is answered with 500 unless
// DisableKeepalive is set too; this also applies to a fasthttp.Server of your own. When a handler has read a stream to its end,
// fasthttp adds the trailers to the headers, even under the names of the source's headers: read
// headers before the body.
//
// Fiber itself answers a method that it does not know, with 501, before any middleware, and keeps the
// connection. Behind a front end that then makes a tunnel of it, as Varnish, and Apache before 2.4.47, do
// for WebSocket, set DisableKeepalive; otherwise a client without a certificate can write the front end's
// headers itself (section "Upgrade" of package forwarded).
//
// Fiber reads 4096 bytes of headers by default, and answers 431 before any middleware if a request has more,
// without a record. Certificates with an RSA key of 4096 bits, many names or an ML-DSA key, and headers with a
// chain, can need more: set ReadBufferSize, for example to 64 << 10. Each open connection has such a buffer.
//
// A fiber.Config.ErrorHandler answers when all middleware has ended. It must not answer 101 to an error that
// is no *fiber.Error with that status: the connection would stay open, with the same effect as above. So would
// one that Handler closes if middleware before it answers in its place, as Fiber's timeout does: use that for
// single routes, behind Handler.
//
// Use one [Handler] for a request, and [Require] for a route that demands more. A second one reads the
// headers as they arrived, too, and refuses a caller whom the first one has let through without an
// identity: an excluded or anonymous one, or one whom InsecureReportOnly only reports.
//
// Fiber's router ignores case and a trailing slash in paths; certauth.Exclusion does not. A
// path that is not written exactly like the excluded one needs a certificate, and so does a request whose
// path or method was changed by middleware before this one.
//
// The package is a separate module, so that programs without Fiber do not have Fiber in their
// module graph.
package fiberauth
