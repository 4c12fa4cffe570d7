package forwarded

import (
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// CloudFoundry reads X-Forwarded-Client-Cert as the gorouter of Cloud Foundry writes it:
// base64 DER of the leaf.
//
// What it proved: possession of the key; the chain by router.client_cert_validation, to a
// CA pool that includes the system's roots unless only_trust_client_ca_certs is set. No
// header says so. The policy needs an anchor.
//
// What it overwrites: with forwarded_client_cert: sanitize_set, everything. The default,
// always_forward, passes the client's own header, and forward passes it where the client
// has no certificate: with either of them any client can pass for any other.
//
// What must be configured, in the router's deployment:
//
//	router:
//	  client_cert_validation: request
//	  forwarded_client_cert: sanitize_set
//
// What is refused: Envoy's text form, PEM.
//
// How to verify before going live: the probes of the package documentation, the first one
// above all.
//
// Source: cloudfoundry/gorouter, handlers/clientcert.go. Tested against documentation and
// constructed values only.
type CloudFoundry struct {
	// From identifies the gorouter. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s CloudFoundry) Prepare(env source.Environment) (*source.Reader, error) {
	return served(layout{
		preset: "CloudFoundry", from: s.From, header: "X-Forwarded-Client-Cert", codec: base64Codec(),
		form: "base64 of one DER certificate",
	}.prepare(env))
}
