package forwarded

import "github.com/seed2886b8ae/go-certauth/internal/source"

// Traefik reads the chain that passTLSClientCert with pem: true writes into
// X-Forwarded-Tls-Client-Cert since v2.9.2: base64 DER items joined by commas, leaf first,
// in the order in which the client presented them.
//
// Verified: possession of the key; the chain depends on clientAuthType in the TLS options,
// which no header reports. The policy needs an anchor.
//
// Overwritten: the middleware sets the header if there is a certificate and keeps a
// client's own header if there is none. The entry point removes it for senders outside
// forwardedHeaders.trustedIPs, so that list must hold only the proxies in front of Traefik.
// Never set forwardedHeaders.insecure.
//
// Required configuration, on every router of this service:
//
//	traefik.http.middlewares.cert.passtlsclientcert.pem=true
//	traefik.http.routers.app.middlewares=cert
//
// Before traefik/traefik#13797 (2026) Traefik also forwards "Upgrade: h2c", and its routers must
// not match CONNECT: see section "Upgrade" of the package documentation.
//
// Refused: percent-encoding (older versions), spaces, an empty item. The Info header is
// never read, because its quoting is ambiguous.
//
// To verify before going live: the probes of the package documentation, above all the first
// one, without a client certificate.
//
// Source: traefik/traefik, pkg/middlewares; measured with the middleware of v3.6.12.
type Traefik struct {
	// From identifies Traefik. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s Traefik) Prepare(env source.Environment) (*source.Reader, error) {
	return layout{
		preset: "Traefik", from: s.From, header: "X-Forwarded-Tls-Client-Cert", codec: several(decodeBase64List),
		form: "base64 of DER certificates joined by commas",
	}.prepare(env)
}
