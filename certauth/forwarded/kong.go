package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Kong reads the leaf as percent-encoded PEM, as the plugin tls-metadata-headers of Kong
// Gateway Enterprise writes it.
//
// Verified: possession of the key. The plugin does not validate the certificate. The plugin
// mtls-auth can, but no header reports it. The policy needs an anchor.
//
// Overwritten: not documented. Remove the header before the plugin runs
// (request-transformer), on every route.
//
// Required configuration:
//
//	plugins:
//	- name: tls-handshake-modifier
//	- name: tls-metadata-headers
//	  config: {inject_client_cert_details: true}
//
// Refused: Envoy's X-Forwarded-Client-Cert text and Cloud Foundry's base64 DER, which share
// a header name with one of Kong's examples.
//
// To verify before going live: the probes of the package documentation.
//
// Source: Kong, "TLS Metadata Headers". Tested against documentation only.
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
