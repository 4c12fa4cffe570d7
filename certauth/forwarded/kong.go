package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Kong reads the leaf as percent-encoded PEM, as the plugin tls-metadata-headers of Kong
// Gateway Enterprise writes it. The chain, which Kong sends in X-Client-Cert-Chain since 3.8, is
// not read: configure the issuing CAs in certauth.Chain.Intermediates.
//
// Verified: possession of the key. The plugin does not validate the certificate. The plugin
// mtls-auth can, but no header reports it. The policy needs an anchor.
//
// Overwritten: the header, if the client has a certificate; otherwise the client's own passes.
// Remove that with pre-function, on every route: the plugins run by their priority, and
// request-transformer would run after tls-metadata-headers and remove the certificate itself.
//
// Required configuration:
//
//	plugins:
//	- name: pre-function
//	  config: {access: ['kong.service.request.clear_header("X-Client-Cert")']}
//	- name: tls-handshake-modifier
//	- name: tls-metadata-headers
//	  config: {inject_client_cert_details: true}
//
// Refused: Envoy's X-Forwarded-Client-Cert text and Cloud Foundry's base64 DER, which share
// a header name with one of Kong's examples.
//
// To verify before going live: the probes of the package documentation, above all the first
// one.
//
// Source: Kong, "TLS Metadata Headers", the plugin's handler.lua and the priorities of the plugins.
// Tested against documentation only.
type Kong struct {
	// From identifies Kong. Required.
	From Gate
	// Header carries the certificate. The default is X-Client-Cert.
	Header string
	// FingerprintHeader is the header with the SHA-1 fingerprint
	// (X-Client-Cert-Fingerprint). If set, the header must be present and match the
	// certificate.
	FingerprintHeader string
}

// Prepare implements [certauth.Source].
func (s Kong) Prepare(env source.Environment) (*source.Reader, error) {
	return urlPEM("Kong", s.From, cmp.Or(s.Header, "X-Client-Cert"), "", "", s.FingerprintHeader, false).prepare(env)
}
