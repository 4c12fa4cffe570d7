package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Cloudflare reads the leaf as base64 DER from Cf-Client-Cert-Der-Base64, together with
// Cf-Cert-Verified and Cf-Cert-Revoked.
//
// Verified: possession of the key, and the chain if Cf-Cert-Verified is true. It is also
// true for a revoked certificate, so Cf-Cert-Revoked must be false.
//
// Overwritten: Cloudflare's Cf- headers, by the managed transform. Headers that one of your
// rules sets are overwritten only if the rule removes them first.
//
// Required configuration: the managed transform "Add TLS client auth headers", client
// certificates for the host, and an origin that only Cloudflare reaches (a tunnel, or
// authenticated origin pulls, which [ProxyCertificate] checks).
//
// Refused: verified other than true, revoked other than false or missing, and an empty
// certificate, which Cloudflare sends for one that is larger than 10 KiB.
//
// To verify before going live: the probes of the package documentation, and one with a
// revoked certificate.
//
// If RFC9440 is set, the source reads the fields of [RFC9440], which one of your rules sets
// from cf.tls_client_auth.cert_rfc9440 and cert_chain_rfc9440. Cloudflare fills these
// whatever the result of its verification, so Cf-Cert-Verified and Cf-Cert-Revoked are
// still required. They are empty for a leaf above 10 KiB or a chain above 16 KiB. The rule
// must first remove the client's own Client-Cert and Client-Cert-Chain, on every request.
//
// Source: Cloudflare, "Mutual TLS" and the Ruleset fields cf.tls_client_auth. Tested
// against documentation and constructed values only.
type Cloudflare struct {
	// From identifies Cloudflare. Required.
	From Gate
	// Fingerprint requires Cf-Client-Cert-Sha256 to be present and to match.
	Fingerprint bool
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
		flags:    []Flag{{Header: "Cf-Cert-Verified", Value: "true"}, {Header: "Cf-Cert-Revoked", Value: "false"}},
		verifies: s.FrontEndVerifies,
		form:     "base64 of one DER certificate",
	}
	if s.RFC9440 {
		l.unread = []string{l.header}
		l.header, l.codec, l.form = "Client-Cert", sequenceCodec(), "a Structured Fields byte sequence (:base64:)"
		l.chain = chainReader{format: ChainByteSequenceList, name: "Client-Cert-Chain"}
	}
	if s.Fingerprint {
		l.fingerprint, l.fingerprintHash = "Cf-Client-Cert-Sha256", HashSHA256
	}
	return l.prepare(env)
}
