// Package fiberauth puts a [certauth.Authenticator] in front of the handlers of Fiber v3.
//
// Fiber serves by package fasthttp, not net/http. Fiber's own adaptor for net/http middleware
// is not for authentication: it makes a request out of headers to which fasthttp has already
// added the trailers that the client sent behind the body, of several lines of one name it
// passes on one, and the connection is lost. Here the headers are read anew from the bytes that
// arrived, as net/http reads them; a request that net/http would answer with 400 is refused.
//
// Gates that judge the sender of a request, such as forwarded.Peers, see the socket of the
// connection, and certauth.TLS the certificate of its handshake. The headers of the source and
// all that were added by trailers are deleted from the request before the next handler runs;
// only RequestHeader.RawHeaders still shows them. With Fiber's Prefork and with listeners that
// hide the socket the gates stay shut as they do with net/http.
//
// With Fiber's StreamRequestBody, fasthttp takes what the handlers leave of a body for the next
// request on the connection: a client without a certificate could write one of somebody else
// into its body, and the front end would deliver it. So every request is answered with 500
// unless DisableKeepalive is set as well, also on a fasthttp.Server of your own. Trailers are
// added to the headers when a handler has read a stream to its end, the names of the source's
// headers among them: look at headers before.
//
// Fiber finds routes for paths in any case and with a slash too many, certauth.Exclusion does
// not: a path not written exactly as excluded needs a certificate.
//
// It is a module of its own, so that programs without Fiber do not have it in the module
// graph.
package fiberauth
