// Package forwarded reads client certificates that a TLS front end wrote into a request
// header.
//
// # Requirements
//
// A certificate is public. An attacker able to write the header can paste any genuine
// certificate into it, and pins, chain and revocation checks all pass, because the caller
// proved possession of the key to the front end only. So every source in this package
// checks the sender of the header. Its field From, a [Gate], is required, except that
// [AppService] relies on evidence of the platform. The header of any other sender is not
// read.
//
// # Strictness
//
// A source reads one header in one form. Nothing is sniffed, no other header is a
// fallback, and the certificate of the TLS connection never takes its place. Base64 has
// one spelling, and percent-encoded PEM differs only in the escaped characters and in its
// line ends. A value that is repeated, padded differently, wrapped, or followed by anything
// is [certauth.ReasonCertificateMalformed], also where a certificate is optional; it is
// never taken for absence.
//
// If a front end sends a verification result, the preset requires it exactly as documented
// ([certauth.ReasonFrontEndUnverified] otherwise). The result is no anchor: such flags have
// been wrong in nginx, Apache, Tomcat, Envoy and Traefik, on resumed sessions and across
// virtual hosts. The policy verifies again, unless FrontEndVerifies is set. Then the front
// end's result replaces a Chain, String says so, and dates, usage and key are still checked
// here.
//
// Without a certificate the flags mean nothing, for all front ends alike: the reason is
// [certauth.ReasonCertificateMissing], and where a certificate is optional the caller is
// anonymous, even if a flag says that a certificate was verified. The front end then left it
// out, or the client had it dropped by naming the header in Connection; the caller gets no
// more than by sending none, and the hint of the refusal tells the operator. A chain header
// without the leaf's is malformed where RFC 9440 says so, and means nothing elsewhere.
//
// # Front ends
//
// Each is tested against one of: the program itself, started by the tests; a
// capture of it; a stand-in, real bytes of another program configured alike; values
// constructed from its documentation; the documentation alone.
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
//	Envoy               X-Forwarded-Client-Cert          XFCC                 optional            none                            constructed
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
// By "Upgrade: h2c" a client asks to go on in HTTP/2 (RFC 7540, section 3.2; RFC 9113 has
// removed it). Where a front end passes this on and the service answers 101, the client
// speaks to the service itself from then on, over the front end's own connection, and writes
// every header of its requests. Keep it out at both ends.
//
// The service serves HTTP/2 without TLS by http.Server.Protocols, and never by
// golang.org/x/net/http2/h2c, which takes connections away from the server: h2c.NewHandler,
// gin's UseH2C, echo's StartH2CServer. Gates on the socket, ProxyCertificate and AppService
// refuse requests over a connection taken over; SharedSecret refuses them because the
// client does not know the secret. If Protocols has UnencryptedHTTP2 and h2c.NewHandler is
// nevertheless used inside other middleware, such requests look like the server's own: use
// one or the other.
//
// The front end drops it, and needs no line for that if there is none here:
//
//	Apache   unless ProxyPass has upgrade=ANY; name websocket
//	Caddy    @h2c header_regexp Upgrade (?i)h2c
//	         request_header @h2c -Upgrade
//	Envoy    removes it (envoyproxy/envoy#7981), and passes others only as upgrade_configs says
//	HAProxy  http-request del-header Upgrade if { req.hdr(Upgrade) -m sub -i h2c }
//	nginx    unless proxy_set_header passes $http_upgrade on; for WebSocket, in the http block,
//	         map $http_upgrade $websocket { default ""; "~*^websocket$" websocket; }
//	         and proxy_set_header Upgrade $websocket in the location
//	Traefik  since traefik/traefik#13797; before, a headers middleware on every router with
//	         customRequestHeaders.Upgrade=""
//
// # The PROXY protocol, in-memory connections, other servers
//
// [Peers] and [UnixSocket] need http.Server and a real socket; certauth.ConnContext says how
// it is found. A listener that reads PROXY headers needs [ProxyProtocol]. A handler behind an
// adaptor to another HTTP server, such as fiber's or fasthttp's, has neither the socket nor
// the semantics of net/http that the strictness above rests on: fasthttp's adaptor keeps
// the last of two header lines, so that a doubled header is not seen, and changes to the
// request, such as the removal of headers and the identity in the context, do not arrive.
// Use net/http there.
//
// # Large certificates
//
// Sources take 16 KiB for one certificate and 64 KiB for a chain, and net/http a MiB of
// headers (http.Server.MaxHeaderBytes). A leaf with a key and a signature of ML-DSA (RFC 9881)
// takes about, in bytes:
//
//	            DER    base64   percent-encoded PEM
//	ML-DSA-44   4100   5500      6000
//	ML-DSA-65   5700   7500      8200
//	ML-DSA-87   7600   10100     11000
//
// A P-256 leaf takes 840 to 1300 in base64. Every hop that receives the header has a
// limit of its own, for a line or for all of them, and answers 400 or 431 itself, or leaves
// the header out:
//
//	Apache      8190 a line (LimitRequestFieldSize); 65 fits as base64, 87 in no form
//	nginx       8k a line, as the second hop (large_client_header_buffers); the same
//	Cloudflare  10 KiB a leaf, then it is empty; 87 just fits
//	HAProxy     16 KiB for all headers (tune.bufsize), measured as about 15
//	ALB         16 K a line, 64 K for all
//	Envoy       60 KiB for all (max_request_headers_kb)
//	App Service not documented; try it before partners get such certificates
//
// Send base64 rather than PEM, and no chain: the CA's certificates can be configured.
//
// # Before going live
//
// A front end that forgets one route is not detectable from behind it. Probe each listener,
// host and path, and look at the reason in your log:
//
//  1. From outside, without a client certificate, send the configured header with a
//     genuine certificate of another caller; then again with "_" and with "." for "-"; then
//     with the flag's success value added. Expect 401 and certificate_missing.
//  2. The same with a valid client certificate. The identity must be that of the handshake.
//  3. Straight to this process, past the front end. Expect source_untrusted, or no
//     connection at all.
//  4. With an expired, a self-signed and a foreign CA's certificate. Expect 401.
//  5. With "Connection: close, NAME-OF-THE-HEADER". Expect 401 or the right identity.
//  6. On a resumed TLS session. Expect the same identity.
//  7. Over HTTP/1.1 with "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c" and
//     "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA". Expect anything but 101. With curl:
//     curl -si --http1.1 -H 'Connection: Upgrade, HTTP2-Settings' -H 'Upgrade: h2c' -H
//     'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA' and the address.
package forwarded
