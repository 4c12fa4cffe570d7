package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// Cloudflare reads the leaf as base64 DER from Cf-Client-Cert-Der-Base64 with
// Cf-Cert-Verified and Cf-Cert-Revoked along with it.
//
// What it proved: possession of the key; the chain if Cf-Cert-Verified is true, which it
// also is for a revoked certificate: Cf-Cert-Revoked must be false.
//
// What it overwrites: its own Cf- headers, by the managed transform. Fields that a rule of
// yours sets are removed first only if the rule does so.
//
// What must be configured: the managed transform "Add TLS client auth headers", client
// certificates for the host, and an origin that only Cloudflare reaches (authenticated
// origin pulls, which [ProxyCertificate] judges, or a tunnel).
//
// What is refused: verified other than true, revoked other than false or missing, and an
// empty certificate, which Cloudflare sends when it is larger than 10 KiB.
//
// How to verify before going live: the probes of the package documentation, and one with a
// revoked certificate.
//
// With RFC9440 it reads the fields of [RFC9440] that a rule of yours sets from
// cf.tls_client_auth.cert_rfc9440 and cert_chain_rfc9440. Cloudflare fills these whatever its
// verification said, so Cf-Cert-Verified and Cf-Cert-Revoked are demanded all the same, and they
// are empty for a leaf above 10 KiB or a chain above 16 KiB. The rule must remove the client's own
// Client-Cert and Client-Cert-Chain first, on every request.
//
// Source: Cloudflare, "Mutual TLS" and the Ruleset fields cf.tls_client_auth. Tested
// against documentation and constructed values only.
type Cloudflare struct {
	// From identifies Cloudflare. Required.
	From Gate
	// Fingerprint demands Cf-Client-Cert-Sha256 and compares it.
	Fingerprint bool
	// RFC9440 reads Client-Cert and Client-Cert-Chain in place of Cf-Client-Cert-Der-Base64,
	// which is then removed unread.
	RFC9440 bool
	// FrontEndVerifies takes verified and not revoked for an anchor.
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
	return served(l.prepare(env))
}
