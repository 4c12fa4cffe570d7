package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Traefik reads the chain that passTLSClientCert with pem: true writes into
// X-Forwarded-Tls-Client-Cert since v2.9.2: base64 DER items joined by commas, leaf first,
// as the client presented them.
//
// What it proved: possession of the key; the chain only by the clientAuthType of the TLS
// options, which no header says. The policy needs an anchor.
//
// What it overwrites: the middleware sets the header when there is a certificate and
// leaves a client's own alone when there is none. The entry point removes it for senders
// outside forwardedHeaders.trustedIPs, so that list must hold only the proxies in front
// of Traefik; never set forwardedHeaders.insecure.
//
// What must be configured, on every router of this service:
//
//	traefik.http.middlewares.cert.passtlsclientcert.pem=true
//	traefik.http.routers.app.middlewares=cert
//
// Before traefik/traefik#13797 (2026) Traefik also passes "Upgrade: h2c" on: see section
// "Upgrade" of the package documentation.
//
// What is refused: percent-encoding (older versions), spaces, an empty item. The Info
// header is never read; its quoting cannot be undone.
//
// How to verify before going live: the probes of the package documentation, the first one
// without a client certificate above all.
//
// Source: traefik/traefik, pkg/middlewares; measured with the middleware of v3.6.0.
type Traefik struct {
	// From identifies Traefik. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s Traefik) Prepare(env source.Environment) (*source.Reader, error) {
	return served(layout{
		preset: "Traefik", from: s.From, header: "X-Forwarded-Tls-Client-Cert", codec: several(decodeBase64List),
		form: "base64 of DER certificates joined by commas",
	}.prepare(env))
}
