package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Kong reads the leaf as percent-encoded PEM, as the plugin tls-metadata-headers of Kong
// Gateway Enterprise writes it.
//
// What it proved: possession of the key. The plugin does not validate; mtls-auth beside it
// may, but no header says so. The policy needs an anchor.
//
// What it overwrites: not documented. Remove the header in front of the plugin
// (request-transformer), on every route.
//
// What must be configured:
//
//	plugins:
//	- name: tls-handshake-modifier
//	- name: tls-metadata-headers
//	  config: {inject_client_cert_details: true}
//
// What is refused: X-Forwarded-Client-Cert text of Envoy and base64 DER of Cloud Foundry,
// which share a header name with one of Kong's examples.
//
// How to verify before going live: the probes of the package documentation.
//
// Source: Kong, "TLS Metadata Headers". Tested against documentation only.
type Kong struct {
	// From identifies Kong. Required.
	From Gate
	// Header carries the certificate. The default is X-Client-Cert.
	Header string
	// FingerprintHeader carries the SHA-1 fingerprint (X-Client-Cert-Fingerprint), if set;
	// it must then match.
	FingerprintHeader string
}

// Prepare implements [certauth.Source].
func (s Kong) Prepare(env source.Environment) (*source.Reader, error) {
	return served(urlPEM("Kong", s.From, or(s.Header, "X-Client-Cert"), "", "", s.FingerprintHeader, false).prepare(env))
}
