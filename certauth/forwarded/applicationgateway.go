package forwarded

import (
	"cmp"
	"errors"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// ApplicationGateway reads the headers that rewrite rules of Azure Application Gateway v2
// set: the leaf as percent-encoded PEM ({var_client_certificate}) and the verification
// result ({var_client_certificate_verification}). No chain is available.
//
// Verified: possession of the key; in strict mode also the chain to the uploaded client CAs
// and, if switched on, OCSP, but never a CRL. In passthrough mode nothing but possession.
//
// Overwritten: a rewrite rule that sets a header overwrites the client's, on the listeners
// and paths whose routing rule has the rewrite set. The gateway presents no certificate of
// its own to this process.
//
// Required configuration, in the rewrite set of every routing rule:
//
//	X-Client-Certificate              = {var_client_certificate}
//	X-Client-Certificate-Verification = {var_client_certificate_verification}
//
// together with an exclusion of the header in the web application firewall, and network
// rules that let only the gateway's subnet reach this process.
//
// Refused: any verification result but SUCCESS (PASSTHROUGH if Passthrough is set). Some
// operators name the header X-ARR-ClientCert. Its value is still PEM, so use this preset
// and set Header to that name.
//
// To verify before going live: the probes of the package documentation, on every listener.
//
// Source: Microsoft Learn, "Rewrite HTTP headers and URL with Application Gateway" and
// "Mutual authentication". The rewrite rules were reproduced on nginx; the gateway itself
// was not run.
type ApplicationGateway struct {
	// From identifies the gateway, by its subnet. Required.
	From Gate
	// Header carries the leaf. The default is X-Client-Certificate.
	Header string
	// VerifyHeader carries the verification. The default is
	// X-Client-Certificate-Verification.
	VerifyHeader string
	// FingerprintHeader is the header with {var_client_certificate_fingerprint} (SHA-1). If
	// set, the header must be present and match the certificate.
	FingerprintHeader string
	// Passthrough demands PASSTHROUGH instead of SUCCESS: the gateway checks nothing, so
	// the policy needs an anchor.
	Passthrough bool
	// FrontEndVerifies treats SUCCESS as an anchor. Together with Passthrough it is an
	// error.
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
	l := urlPEM("ApplicationGateway", s.From, cmp.Or(s.Header, "X-Client-Certificate"), cmp.Or(s.VerifyHeader, "X-Client-Certificate-Verification"),
		value, s.FingerprintHeader, s.FrontEndVerifies)
	l.form += " ({var_client_certificate})"
	return l.prepare(env, found...)
}
