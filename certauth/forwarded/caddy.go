package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Caddy reads the leaf as base64 DER, or as a composed RFC 9440 field. Caddy forwards
// neither a chain nor a verification result.
//
// Verified: possession of the key. The chain is verified only with client_auth mode
// require_and_verify or verify_if_given, which no header reports. The policy needs an
// anchor.
//
// Overwritten: headers that header_up sets. Without a certificate Caddy 2.6 sends the text
// of the placeholder and 2.11 an empty value, or "::" in the RFC 9440 form; all but the
// empty value are malformed here. 2.6 passes names with an underscore, 2.11 drops them.
//
// Required configuration:
//
//	@connect method CONNECT
//	respond @connect 405
//	@h2c header_regexp Upgrade (?i)h2c
//	request_header @h2c -Upgrade
//	reverse_proxy app:8080 {
//		header_up X-Client-Cert {http.request.tls.client.certificate_der_base64}
//	}
//
// The first four lines keep clients from taking the connection to the service over (section
// "Upgrade" of the package documentation). If HTTP/3 is on, as it is by default, set
// servers { 0rtt off } in the global options: see section "Early data" there.
//
// Refused: {http.request.tls.client.certificate_pem}, and everything that is not exactly
// one certificate.
//
// To verify before going live: the probes of the package documentation.
//
// Source: Caddy's replacer (modules/caddyhttp); measured with Caddy 2.6.2 and 2.11.9.
type Caddy struct {
	// From identifies Caddy. Required.
	From Gate
	// Header carries the leaf. The default is X-Client-Cert.
	Header string
	// Format is FormatBase64DER by default. FormatByteSequence is for the value
	// ":{http.request.tls.client.certificate_der_base64}:".
	Format Format
	// FingerprintHeader is the header with {http.request.tls.client.fingerprint} (SHA-256).
	// If set, the header must be present and match the certificate.
	FingerprintHeader string
}

// Prepare implements [certauth.Source].
func (s Caddy) Prepare(env source.Environment) (*source.Reader, error) {
	decode, found := oneOf(s.Format, FormatBase64DER, FormatByteSequence)
	l := layout{
		preset: "Caddy", from: s.From, header: cmp.Or(s.Header, "X-Client-Cert"), codec: decode,
		form: "base64 of one DER certificate, or an RFC 9440 byte sequence if Format says so",
	}
	if s.FingerprintHeader != "" {
		l.fingerprint, l.fingerprintHash = s.FingerprintHeader, HashSHA256
	}
	return l.prepare(env, found...)
}
