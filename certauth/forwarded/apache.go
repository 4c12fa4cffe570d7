package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Apache reads the leaf as PEM with spaces for line ends (%{SSL_CLIENT_CERT}s), the rest of
// the chain from numbered headers if you forward them, and SSL_CLIENT_VERIFY.
//
// What it proved: possession of the key, and the chain to SSLCACertificateFile unless
// SSLVerifyClient is optional_no_ca. GENEROUS and NONE are not SUCCESS; but under
// optional_no_ca a resumed TLS 1.2 session says SUCCESS of a certificate that was
// not verified, so never take the flag for an anchor there.
//
// What it overwrites: the exact names that RequestHeader sets; the same name with hyphens
// passes as well. A client can have Apache drop the header that it just set by naming it
// in Connection, so absence never means more than absence.
//
// What must be configured:
//
//	SSLOptions +ExportCertData
//	RequestHeader set SSL_CLIENT_CERT   "%{SSL_CLIENT_CERT}s"
//	RequestHeader set SSL_CLIENT_VERIFY "%{SSL_CLIENT_VERIFY}s"
//
// and, for a chain, SSL_CLIENT_CERT_CHAIN_0, _1 and so on alike. It is gone when a session
// is resumed, so configure the issuing CAs in certauth.Chain.Intermediates in any case.
// SSLVerifyDepth must cover your intermediates: with its default of 1 a client below one
// gets no handshake.
//
// What is refused: tabs, double spaces and line breaks in the PEM, percent-encoding, base64.
// Without a certificate Apache writes "(null)", which counts as none.
//
// How to verify before going live: the probes of the package documentation, with
// "Connection: close, SSL_CLIENT_CERT" among them.
//
// Source: mod_ssl and mod_headers; measured with Apache httpd 2.4.
type Apache struct {
	// From identifies Apache. Required.
	From Gate
	// Header carries the leaf. The default is SSL_CLIENT_CERT.
	Header string
	// ChainHeader is the name of the chain headers before their number, if set:
	// SSL_CLIENT_CERT_CHAIN_ for SSL_CLIENT_CERT_CHAIN_0.
	ChainHeader string
	// VerifyHeader carries the verification. The default is SSL_CLIENT_VERIFY.
	VerifyHeader string
	// FrontEndVerifies takes SUCCESS for an anchor. What can happen under optional_no_ca:
	// every client is admitted, see above. Use it with SSLVerifyClient require or optional only.
	FrontEndVerifies bool
}

// apacheNull is the text that mod_headers writes for a variable without a value.
const apacheNull = "(null)"

// Prepare implements [certauth.Source].
func (s Apache) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "Apache", from: s.From, header: or(s.Header, "SSL_CLIENT_CERT"), codec: spacedCodec(), absent: apacheNull,
		flags:    []Flag{{Header: or(s.VerifyHeader, "SSL_CLIENT_VERIFY"), Value: "SUCCESS"}},
		verifies: s.FrontEndVerifies,
		form:     "one certificate in PEM with single spaces for line ends",
	}
	if s.ChainHeader != "" {
		l.chain = chainReader{format: ChainSpacedPEMNumbered, name: s.ChainHeader}
	}
	return served(l.prepare(env))
}
