// Package forwarded reads client certificates that a TLS front end wrote into a request
// header. It has a source for each of many front ends, such as [Nginx], called a preset, and
// [Header] for all others.
//
// # Requirements
//
// A certificate is public. An attacker able to write the header can paste any genuine
// certificate into it, and pins, chain and revocation checks all pass, because the caller
// proved possession of the key to the front end only. So every source in this package
// checks the sender of the header. Its field From, a [Gate], is required; only [AppService]
// works without it and relies on evidence of the platform. The header of any other sender
// is not read: a certificate in it is [certauth.ReasonSourceUntrusted].
//
// A handler that makes requests out of what a client sent, such as the parts of a batch, must not
// pass them to Authenticator.Handler, where the client would be the one who wrote the header, but to
// the handlers behind it, with the context of the request that brought them. If that request has
// passed a Handler for the same header, and the parts have its context, Handler refuses them unless
// they have the certificate of its identity. It notices nothing if the request has passed none, as on
// a route that is not behind Handler. Parts with another context are refused by gates on the socket,
// but [AppService] without From, [InsecureRemoteAddr] and [InsecureAnyPeer] cannot tell them from
// requests that arrived, so that each caller could be any other.
//
// # Strictness
//
// A source reads one header in one form. It does not guess the form, it does not fall back
// to another header, and it never uses the certificate of the TLS connection instead. Base64
// has one spelling; percent-encoded PEM may differ only in which characters are escaped and
// in its line ends. A value that is repeated, padded differently, wrapped, or followed by
// other text is [certauth.ReasonCertificateMalformed], even if a certificate is optional; it
// never counts as absent.
//
// If a front end sends a verification result (a flag), the preset requires exactly the
// documented value; any other is [certauth.ReasonFrontEndUnverified]. The result is not an
// anchor, because such flags have been wrong in nginx, Apache, Tomcat, Envoy and Traefik, on
// resumed sessions and across virtual hosts. The policy verifies again, unless
// FrontEndVerifies is set: then the front end's result replaces a Chain, the String of the
// source says so, and dates, usage and key are still checked here. Set it only if all hosts
// of the front end trust the same client CAs, or if it refuses a request for another host
// than that of the handshake.
//
// Without a certificate the flags are ignored, for all front ends: the reason is
// [certauth.ReasonCertificateMissing], and if a certificate is optional the caller is
// anonymous, even if a flag says that a certificate was verified. In that case either the
// front end omitted the certificate, or the client had it dropped by naming the header in
// Connection. The client gains nothing by that, and the hint of the refusal informs the
// operator. A chain header without a leaf is malformed for RFC 9440 fields and is ignored for
// other formats.
//
// # Front ends
//
// The last column says what each preset was tested against: the named version of the front
// end itself, started by the tests; a stand-in, another program that was configured to write
// the same headers; values constructed from the documentation; or nothing but the
// documentation. "Yours" means that you choose the name of the header.
//
// The documentation of each preset says what the front end has verified, which headers of the
// client it overwrites, what configuration it requires, and what the preset refuses.
//
//	preset              header                           form                 chain               flag                            tested against
//	AppService          X-ARR-ClientCert                 base64 DER           no                  none (evidence headers)         stand-in
//	ApplicationGateway  yours                            percent-encoded PEM  no                  SUCCESS, or PASSTHROUGH         stand-in
//	APIManagement       yours                            base64 DER           no                  none                            documentation
//	FrontDoor           X-Azure-ClientCertificate        not documented       not documented      yours; X-Azure-FDID             documentation
//	ContainerApps       X-Forwarded-Client-Cert          XFCC                 yes                 none                            constructed
//	Nginx               yours                            percent-encoded PEM  no                  SUCCESS                         nginx 1.22.1
//	IngressNginx        ssl-client-cert                  percent-encoded PEM  no                  SUCCESS                         stand-in (nginx 1.22.1)
//	HAProxy             yours                            base64 DER, RFC 9440 concatenated,       used 1 and verify 0             HAProxy 2.6.12
//	                                                                          numbered
//	Apache              SSL_CLIENT_CERT                  PEM with spaces      numbered            SUCCESS                         Apache 2.4.71
//	Caddy               yours                            base64 DER, RFC 9440 no                  none                            Caddy 2.6.2 and 2.11.9
//	Traefik             X-Forwarded-Tls-Client-Cert      base64 DER list      yes                 none                            middlewares of v3.6.12
//	Envoy               X-Forwarded-Client-Cert          XFCC                 optional            none                            Envoy 1.40
//	RFC9440             Client-Cert                      byte sequence        Client-Cert-Chain   none                            RFC 9440, Appendix A
//	ALB                 X-Amzn-Mtls-Clientcert[-Leaf]    percent-encoded PEM  passthrough         none                            constructed
//	CloudFront          CloudFront-Viewer-Cert-Pem       percent-encoded PEM  no                  present 1                       constructed
//	GoogleLB            yours                            byte sequence        yes                 present, verified, no error     constructed
//	Cloudflare          Cf-Client-Cert-Der-Base64        base64 DER           no                  verified and not revoked        constructed
//	                    Client-Cert                      byte sequence        Client-Cert-Chain
//	Kong                yours                            percent-encoded PEM  no                  none                            documentation
//	CloudFoundry        X-Forwarded-Client-Cert          base64 DER           no                  none                            constructed
//
// # Upgrade
//
// With "Upgrade: h2c" a client asks to continue in HTTP/2 (RFC 7540, section 3.2; removed by
// RFC 9113). If a front end forwards this header and the service answers 101, the client
// then talks to the service directly, over the front end's own connection, and writes every
// header of its requests. Prevent this at both ends.
//
// The service must serve HTTP/2 without TLS with http.Server.Protocols, and never with
// golang.org/x/net/http2/h2c, which takes connections away from the server: h2c.NewHandler,
// gin's UseH2C, echo's StartH2CServer. Gates on the socket, ProxyCertificate and AppService
// refuse requests over a connection that a handler took over; SharedSecret refuses them
// because the client does not know the secret. If Protocols has UnencryptedHTTP2 and
// h2c.NewHandler is used as well, inside other middleware, such requests cannot be
// distinguished from those that the server itself accepted: use one or the other.
//
// The front end must drop the header. The following ones need the lines given here, or drop
// it as described here. For the load balancers and gateways of the clouds, apart from
// Container Apps, which is Envoy, it is not documented: see probe 7 below.
//
//	Apache   drops it unless ProxyPass has upgrade=ANY; name websocket. Never use mod_proxy_wstunnel
//	         before Apache 2.4.47, or with ProxyWebsocketFallbackToProxyHttp Off: it makes a tunnel of
//	         the connection for any request for WebSocket, with upgrade=ANY for any other protocol too,
//	         also if the answer is not 101
//	Caddy    @h2c header_regexp Upgrade (?i)h2c
//	         request_header @h2c -Upgrade
//	Envoy    removes it (envoyproxy/envoy#7981); upgrade_configs determines what else it passes
//	gorouter passes it on, as Go's ReverseProxy does (golang/go#80416), and has no setting for it
//	HAProxy  http-request del-header Upgrade if { req.hdr(Upgrade) -m sub -i h2c }
//	Kong     drops it
//	nginx    drops it unless proxy_set_header passes $http_upgrade on; for WebSocket, in the http
//	         block, map $http_upgrade $websocket { default ""; "~*^websocket$" websocket; }
//	         and proxy_set_header Upgrade $websocket in the location
//	Traefik  drops it since traefik/traefik#13797; before, a headers middleware on every router with
//	         customRequestHeaders.Upgrade=""
//
// nginx and HAProxy remember the client's header also if they drop it as described here, and make a
// tunnel of the connection if the answer is 101. A handler must therefore answer 101, such as a status
// that the client names, only if it takes the connection over; otherwise net/http keeps it, and the
// client writes the headers of its next requests.
//
// Authenticator.Handler closes the connection after a request with an Upgrade header, unless a handler
// takes it over; a handler outside of it does not. Nor does net/http after "OPTIONS *", which it answers
// before any handler, so that behind Varnish, with its usual configuration for WebSocket, a client
// could then write the headers itself. Authenticator.ConfigureServer prevents that; without it set
// http.Server.DisableGeneralOptionsHandler.
//
// With CONNECT a client asks for a tunnel (RFC 9110, section 9.3.6). HAProxy passes the method on,
// and after an answer of 2xx also whatever the client writes next, such as requests with headers of
// its own. A front end with Go's http.Transport, such as Caddy, passes it on too, and writes the body
// of the request, which a client can send over HTTP/2, behind it without a length, so that this is
// the next request of the connection. Over HTTP/1, CONNECT is therefore refused with every source that
// reads headers, also with a certificate ([certauth.ReasonSourceUntrusted]) and if none is required,
// and the connection is closed; but a handler outside of Authenticator.Handler may answer it, such
// as a ServeMux that has no route for it, so these front ends must refuse it:
//
//	Caddy    @connect method CONNECT
//	         respond @connect 405
//	HAProxy  http-request deny if METH_CONNECT
//	Traefik  "&& !Method(`CONNECT`)" in the rule of every router
//
// gorouter has no setting for it: use Authenticator.ConfigureServer. nginx refuses it, Envoy too
// unless it is configured for it, and Apache makes no tunnel of it.
//
// # Early data
//
// In TLS 1.3 a client that resumes a session can send a request together with its first
// message (0-RTT). The front end then reports the certificate of the session, as verified,
// although the client has not proved again that it holds the key: whoever recorded the bytes
// can send them again, and the request is executed again in the client's name. A front end
// that accepts early data says so in the header Early-Data (RFC 8470), and a certificate in
// such a request is [certauth.ReasonFrontEndUnverified], whatever the value. Switch early
// data off, so that no client is refused for it:
//
//	Caddy       accepts it with HTTP/3 unless servers has "0rtt off"; sends the header since
//	            caddyserver/caddy#6427, before that set "protocols h1 h2"
//	Cloudflare  off by default (0-RTT Connection Resumption); sends the header
//	Envoy       accepts it with HTTP/3 unless enable_early_data is false; sends the header
//	Google      off by default (tlsEarlyData); sends the header
//	HAProxy     only with allow-0rtt; sends the header
//	nginx       only with ssl_early_data, and then sends the header only if the location has
//	            proxy_set_header Early-Data $ssl_early_data
//
// # Caches
//
// A front end that caches responses answers everybody with the response to one caller, and this
// process does not see their requests. A response that depends on the caller must therefore have
// "Cache-Control: no-store" (RFC 9440, section 2.4). Refusals have it, but the responses of your
// handlers are yours: set it in one middleware around them. Cloudflare caches 200 without
// Cache-Control for two hours if the path ends like that of a file (.csv, .pdf); the others cache
// if they are configured to, and some even against Cache-Control. Vary is no substitute: nginx
// compares the client's own headers, which are the same without a certificate.
//
// # The PROXY protocol, in-memory connections, other servers
//
// [Peers] and [UnixSocket] need http.Server and a real socket, as certauth.ConnContext
// documents. A listener that reads PROXY headers needs [ProxyProtocol]. A handler behind an
// adaptor to another HTTP server, such as fiber's or fasthttp's net/http adaptor, lacks the
// socket and the semantics of net/http on which the rules above depend: fasthttp's adaptor
// keeps the last of two header lines, so a repeated header goes unnoticed, and changes to
// the request, such as the removal of headers and the identity in the context, are lost.
// Use net/http, or certauth/fiberauth for Fiber.
//
// # Large certificates
//
// Sources accept up to 16 KiB for one certificate and 64 KiB for a chain, and net/http up to
// 1 MiB of headers (http.Server.MaxHeaderBytes). The approximate size in bytes of a leaf with
// an ML-DSA key and signature (RFC 9881) is:
//
//	            DER    base64   percent-encoded PEM
//	ML-DSA-44   4100   5500      6000
//	ML-DSA-65   5700   7500      8200
//	ML-DSA-87   7600   10100     11000
//
// A P-256 leaf takes 840 to 1300 bytes in base64. Every hop that receives the header has its
// own limit, per line or for all lines. Beyond it the hop answers 400 or 431, or omits the
// header:
//
//	Apache      8190 bytes per line (LimitRequestFieldSize); ML-DSA-65 fits as base64,
//	            ML-DSA-87 in no form
//	nginx       8 KiB per line, as the second hop (large_client_header_buffers); the same fit
//	Cloudflare  10 KiB for a leaf, a larger one is sent empty; ML-DSA-87 just fits
//	HAProxy     16 KiB for all headers (tune.bufsize), measured as about 15 KiB
//	ALB         16 K per line, 64 K for all lines
//	Envoy       60 KiB for all headers (max_request_headers_kb)
//	Fiber       4 KiB for all headers (fiber.Config.ReadBufferSize)
//	App Service not documented; test it before you issue such certificates
//
// Send base64 rather than PEM, and no chain: you can configure the CAs' certificates.
//
// # Before going live
//
// This process cannot detect that a front end is misconfigured on one route. Probe each
// listener, host and path, and look at the reason in your log:
//
//  1. From outside, without a client certificate, send the configured header with a
//     genuine certificate of another caller; then again with "_" and with "." instead of
//     "-"; then with the flag's success value added. Expect 401 and certificate_missing.
//  2. Repeat this with a valid client certificate. The identity must be that of the handshake.
//  3. Send the header directly to this process, bypassing the front end. Expect
//     source_untrusted, or no connection at all.
//  4. Connect with an expired certificate, a self-signed one, and one of a foreign CA.
//     Expect 401.
//  5. Send "Connection: close, NAME-OF-THE-HEADER". Expect 401 or the right identity.
//  6. Repeat the request on a resumed TLS session. Expect the same identity. Send it in early
//     data (openssl s_client -sess_in session.pem -early_data request.txt). Expect "Early data
//     was rejected" or 401.
//  7. Over HTTP/1.1 with "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c" and
//     "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA". Expect anything but 101. With curl:
//     curl -si --http1.1 -H 'Connection: Upgrade, HTTP2-Settings' -H 'Upgrade: h2c' -H
//     'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA' and the address.
//  8. With the method CONNECT, also with a valid client certificate and over HTTP/2. Expect that the
//     front end itself refuses it; behind Apache and gorouter, 401. With curl over HTTP/1:
//     curl -si --http1.1 -X CONNECT --request-target HOST:443 -H 'Host: HOST:443' and the address.
//  9. With SharedSecret, with the method TRACE and "Max-Forwards: 0", then 1. Expect no answer that
//     shows the secret. With curl: curl -si -X TRACE -H 'Max-Forwards: 0' and the address.
package forwarded
