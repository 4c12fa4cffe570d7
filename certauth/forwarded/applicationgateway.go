package forwarded

import (
	"errors"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// ApplicationGateway reads the headers that rewrite rules of Azure Application Gateway v2 set: the
// leaf as percent-encoded PEM ({var_client_certificate}) and the verification
// ({var_client_certificate_verification}). No chain is available.
//
// What it proved: possession of the key; in strict mode the chain to the uploaded client
// CAs, and OCSP if switched on, but never a CRL. In passthrough mode nothing more than
// possession.
//
// What it overwrites: a rewrite rule that sets a header overwrites the client's, on the
// listeners and paths whose routing rule has the rewrite set. The gateway presents no
// certificate of its own to this process.
//
// What must be configured, in the rewrite set of every routing rule:
//
//	X-Client-Certificate              = {var_client_certificate}
//	X-Client-Certificate-Verification = {var_client_certificate_verification}
//
// and an exclusion of the header in the web application firewall, and network rules so
// that nothing but the gateway's subnet reaches this process.
//
// What is refused: any verification but SUCCESS, or but PASSTHROUGH if Passthrough is set.
// Some operators call the header X-ARR-ClientCert: it is still PEM, so give this preset
// that name.
//
// How to verify before going live: the probes of the package documentation, on every
// listener.
//
// Source: Microsoft Learn, "Rewrite HTTP headers and URL with Application Gateway" and
// "Mutual authentication"; its rules were reproduced on nginx, the gateway was not run.
type ApplicationGateway struct {
	// From identifies the gateway, by its subnet. Required.
	From Gate
	// Header carries the leaf. The default is X-Client-Certificate.
	Header string
	// VerifyHeader carries the verification. The default is
	// X-Client-Certificate-Verification.
	VerifyHeader string
	// FingerprintHeader carries {var_client_certificate_fingerprint} (SHA-1), if set; it
	// must then match.
	FingerprintHeader string
	// Passthrough demands PASSTHROUGH instead of SUCCESS: the gateway checks nothing, so
	// the policy needs an anchor.
	Passthrough bool
	// FrontEndVerifies takes SUCCESS for an anchor. It contradicts Passthrough.
	FrontEndVerifies bool
}

// Prepare implements [certauth.Source].
func (s ApplicationGateway) Prepare(env source.Environment) (*source.Reader, error) {
	var found []error
	value := "SUCCESS"
	if s.Passthrough {
		value = "PASSTHROUGH"
	}
	if s.Passthrough && s.FrontEndVerifies {
		found = append(found, errors.New("FrontEndVerifies: contradicts Passthrough, in which the gateway verifies nothing"))
	}
	return served(urlPEM("ApplicationGateway", s.From, or(s.Header, "X-Client-Certificate"), or(s.VerifyHeader, "X-Client-Certificate-Verification"),
		value, s.FingerprintHeader, s.FrontEndVerifies && !s.Passthrough).prepare(env, found...))
}
