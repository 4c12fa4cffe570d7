package forwarded

import (
	"cmp"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// GoogleLB reads the custom request headers of a Google Cloud Application Load Balancer:
// leaf and chain as RFC 9440 byte sequences, and three headers about them.
//
// Verified: possession of the key, and the chain to the trust config if
// client_cert_chain_verified is true. Certificates in the trust config's allow list count
// as verified even if they are expired or self-signed, and
// ALLOW_INVALID_OR_MISSING_CLIENT_CERT forwards invalid ones.
//
// Overwritten: according to an example in the documentation, custom headers of the backend
// service overwrite the client's headers of the same name. Those of a URL map do so with
// replace: true; the default leaves the client's value in front, which is malformed here.
//
// Required configuration, as custom request headers of the backend service, or of the URL map
// (requestHeadersToAdd), the only place for regional and cross-region load balancers:
//
//	Client-Cert: {client_cert_leaf}
//	Client-Cert-Chain: {client_cert_chain}
//	X-Client-Cert-Present: {client_cert_present}
//	X-Client-Cert-Chain-Verified: {client_cert_chain_verified}
//	X-Client-Cert-Error: {client_cert_error}
//
// Refused: present or verified other than true, any error, and values that the load
// balancer left empty because they were too large.
//
// To verify before going live: the probes of the package documentation. Health probes carry
// no custom headers, so exclude their path.
//
// Source: Google Cloud, "Mutual TLS overview" and "Custom headers". Tested against
// documentation and constructed values only.
type GoogleLB struct {
	// From identifies the load balancer, by the proxy-only subnet, or by Google's ranges for
	// backends within a VPC network. If this process is the endpoint of an internet NEG, use a
	// SharedSecret, which the load balancer sends in a further custom request header: the
	// addresses from which Google reaches such endpoints are the same for all customers, any
	// of whom could have a load balancer of their own send these headers. Required.
	From Gate
	// Header carries {client_cert_leaf}. The default is Client-Cert.
	Header string
	// ChainHeader carries {client_cert_chain}. The default is Client-Cert-Chain. The header
	// may be absent from a request.
	ChainHeader string
	// PresentHeader carries {client_cert_present}. The default is X-Client-Cert-Present.
	PresentHeader string
	// VerifiedHeader carries {client_cert_chain_verified}. The default is
	// X-Client-Cert-Chain-Verified.
	VerifiedHeader string
	// ErrorHeader carries {client_cert_error}. The default is X-Client-Cert-Error.
	ErrorHeader string
	// FrontEndVerifies treats "present, verified and no error" as an anchor. The allow list
	// of the trust config is then trusted too.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s GoogleLB) Prepare(env source.Environment) (*source.Reader, error) {
	return layout{
		preset: "GoogleLB", from: s.From, header: cmp.Or(s.Header, "Client-Cert"), codec: sequenceCodec(),
		chain: chainReader{format: ChainByteSequenceList, name: cmp.Or(s.ChainHeader, "Client-Cert-Chain")},
		flags: []Flag{
			{Header: cmp.Or(s.PresentHeader, "X-Client-Cert-Present"), Value: "true"},
			{Header: cmp.Or(s.VerifiedHeader, "X-Client-Cert-Chain-Verified"), Value: "true"},
			{Header: cmp.Or(s.ErrorHeader, "X-Client-Cert-Error"), Absent: true},
		},
		verifies: s.FrontEndVerifies,
		form:     "a Structured Fields byte sequence (:base64:)",
	}.prepare(env)
}
