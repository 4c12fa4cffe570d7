package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Apache reads the leaf as PEM with spaces for line ends (%{SSL_CLIENT_CERT}s), the rest of
// the chain from numbered headers if you forward them, and SSL_CLIENT_VERIFY.
//
// Verified: possession of the key, and the chain to SSLCACertificateFile unless
// SSLVerifyClient is optional_no_ca. GENEROUS and NONE are not SUCCESS. Under
// optional_no_ca a resumed TLS 1.2 session reports SUCCESS for a certificate that was not
// verified, so never treat the flag as an anchor there.
//
// Overwritten: the exact names that RequestHeader sets. The same name with hyphens passes.
// A client can make Apache drop the header that Apache has just set by naming it in
// Connection, so a missing header proves nothing.
//
// Required configuration:
//
//	SSLOptions +ExportCertData
//	RequestHeader set SSL_CLIENT_CERT   "%{SSL_CLIENT_CERT}s"
//	RequestHeader set SSL_CLIENT_VERIFY "%{SSL_CLIENT_VERIFY}s"
//	TraceEnable off
//
// and, for a chain, the same for SSL_CLIENT_CERT_CHAIN_0, _1 and so on. A resumed session
// has no chain, so configure the issuing CAs in certauth.Chain.Intermediates in any case.
// Without the last line Apache itself answers TRACE with "Max-Forwards: 0", and shows every
// client the headers that it would send, among them a [SharedSecret].
// SSLVerifyDepth must cover your intermediates: with the default of 1 the handshake fails
// for a client whose certificate an intermediate issued.
//
// If WebSocket must pass, use upgrade=websocket of ProxyPass, and not mod_proxy_wstunnel: see
// section "Upgrade" of the package documentation.
//
// Refused: tabs, double spaces and line breaks in the PEM, percent-encoding, base64.
// Without a certificate Apache writes "(null)", which counts as no certificate.
//
// To verify before going live: the probes of the package documentation, including
// "Connection: close, SSL_CLIENT_CERT".
//
// Source: mod_ssl and mod_headers; measured with Apache httpd 2.4.
type Apache struct {
	// From identifies Apache. Required.
	From Gate
	// Header carries the leaf. The default is SSL_CLIENT_CERT.
	Header string
	// ChainHeader is the name of the chain headers without their number; for
	// SSL_CLIENT_CERT_CHAIN_0 it is SSL_CLIENT_CERT_CHAIN_. By default no chain is read.
	ChainHeader string
	// VerifyHeader carries the verification. The default is SSL_CLIENT_VERIFY.
	VerifyHeader string
	// FrontEndVerifies treats SUCCESS as an anchor. Under optional_no_ca this would admit
	// every client, see above; use it only with SSLVerifyClient require or optional, and before
	// Apache 2.4.64 only if all virtual hosts have the same client CAs (CVE-2025-23048).
	FrontEndVerifies bool
}

// apacheNull is the text that mod_headers writes for a variable without a value.
const apacheNull = "(null)"

// Prepare implements [certauth.Source].
func (s Apache) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "Apache", from: s.From, header: cmp.Or(s.Header, "SSL_CLIENT_CERT"), codec: spacedCodec(), absent: apacheNull,
		flags:    []Flag{{Header: cmp.Or(s.VerifyHeader, "SSL_CLIENT_VERIFY"), Value: "SUCCESS"}},
		verifies: s.FrontEndVerifies,
		form:     "one certificate in PEM with single spaces for line ends",
	}
	if s.ChainHeader != "" {
		l.chain = chainReader{format: ChainSpacedPEMNumbered, name: s.ChainHeader}
	}
	return l.prepare(env)
}
