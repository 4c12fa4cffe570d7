package forwarded

import "github.com/seed2886b8ae/go-certauth/internal/source"

// CloudFoundry reads X-Forwarded-Client-Cert as the gorouter of Cloud Foundry writes it:
// base64 DER of the leaf.
//
// Verified: possession of the key. router.client_cert_validation determines whether the
// chain is verified, against a CA pool that includes the system's roots unless
// only_trust_client_ca_certs is set. No header reports it. The policy needs an anchor.
//
// Overwritten: everything, with forwarded_client_cert: sanitize_set. The default,
// always_forward, passes the client's own header, and forward passes it if the client has
// no certificate; with either of them any client can impersonate any other.
//
// Required configuration, in the router's deployment:
//
//	router:
//	  client_cert_validation: request
//	  forwarded_client_cert: sanitize_set
//
// The gorouter also passes "Upgrade: h2c" and perhaps CONNECT on: see section "Upgrade" of the
// package documentation.
//
// Refused: Envoy's text form, PEM.
//
// To verify before going live: the probes of the package documentation, above all the first
// one.
//
// Source: cloudfoundry/gorouter, handlers/clientcert.go. Tested against documentation and
// constructed values only.
type CloudFoundry struct {
	// From identifies the gorouter. Required.
	From Gate
}

// Prepare implements [certauth.Source].
func (s CloudFoundry) Prepare(env source.Environment) (*source.Reader, error) {
	return layout{
		preset: "CloudFoundry", from: s.From, header: "X-Forwarded-Client-Cert", codec: base64Codec(),
		form: "base64 of one DER certificate",
	}.prepare(env)
}
