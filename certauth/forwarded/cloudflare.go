package forwarded

import "github.com/seed2886b8ae/go-certauth/internal/source"

// Cloudflare reads the leaf as base64 DER from Cf-Client-Cert-Der-Base64, together with
// Cf-Cert-Verified, Cf-Cert-Revoked and Cf-Cert-Fingerprint-Sha256.
//
// Verified: possession of the key, and the chain if Cf-Cert-Verified is true. It is also
// true for a revoked certificate, so Cf-Cert-Revoked must be false.
//
// Overwritten: the three Cf-Cert- headers, by the managed transform. Certificate forwarding
// writes Cf-Client-Cert-Der-Base64, but by its documentation perhaps only on the first
// request of a connection. Without it Cloudflare passes on what the client sent, and no rule
// can remove a header whose name begins with Cf-. So the certificate must have the
// fingerprint that the managed transform always reports next to the flags.
//
// Required configuration: client certificates for the host; the managed transform "Add TLS
// client auth headers"; client_certificate_forwarding for the host
// (access/certificates/settings in the API, with Cloudflare Access), or the field RFC9440; and an
// origin that only your own zone reaches: a tunnel, or origin pulls that are authenticated
// with a certificate of your own, which [ProxyCertificate] checks. Cloudflare's addresses and
// its certificate for global origin pulls do not identify your zone, because they are the
// same for all customers: any of them could have a zone of their own send these headers.
//
// Refused: verified other than true, revoked other than false or missing, no fingerprint, one of
// another certificate, and an empty certificate, which Cloudflare sends for one that is larger
// than 10 KiB. If later requests of a connection have no certificate, set RFC9440.
//
// To verify before going live: the probes of the package documentation, one with a revoked
// certificate, and two requests on one connection.
//
// If RFC9440 is set, the source reads the fields of [RFC9440], which one of your rules sets
// from cf.tls_client_auth.cert_rfc9440 and cert_chain_rfc9440. Cloudflare fills these
// whatever the result of its verification, so the Cf-Cert- headers are still required. The
// fields are empty for a leaf above 10 KiB or a chain above 16 KiB. The rule must first
// remove the client's own Client-Cert and Client-Cert-Chain, on every request.
//
// Source: Cloudflare, "Forward certificate to server", "Available Managed Transforms",
// "Authenticated Origin Pulls" and the Ruleset fields cf.tls_client_auth. Tested against
// documentation and constructed values only.
type Cloudflare struct {
	// From identifies your own zone, not just Cloudflare. Required.
	From Gate
	// RFC9440 reads Client-Cert and Client-Cert-Chain instead of Cf-Client-Cert-Der-Base64,
	// which is then removed unread.
	RFC9440 bool
	// FrontEndVerifies treats "verified and not revoked" as an anchor.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s Cloudflare) Prepare(env source.Environment) (*source.Reader, error) {
	l := layout{
		preset: "Cloudflare", from: s.From, header: "Cf-Client-Cert-Der-Base64", codec: base64Codec(),
		fingerprint: "Cf-Cert-Fingerprint-Sha256", fingerprintHash: HashSHA256,
		flags:    []Flag{{Header: "Cf-Cert-Verified", Value: "true"}, {Header: "Cf-Cert-Revoked", Value: "false"}},
		verifies: s.FrontEndVerifies,
		form:     "base64 of one DER certificate",
	}
	if s.RFC9440 {
		l.unread = []string{l.header}
		l.header, l.codec, l.form = "Client-Cert", sequenceCodec(), "a Structured Fields byte sequence (:base64:)"
		l.chain = chainReader{format: ChainByteSequenceList, name: "Client-Cert-Chain"}
	}
	return l.prepare(env)
}
