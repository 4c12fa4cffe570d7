package metrics

import "github.com/seed2886b8ae/go-certauth/certauth"

const (
	faultClient = "client"
	faultServer = "server"
)

// faults maps the reasons of the library to the party at fault.
var faults = map[certauth.Reason]string{
	certauth.ReasonCertificateMissing:     faultClient,
	certauth.ReasonCertificateMalformed:   faultClient,
	certauth.ReasonSourceUntrusted:        faultClient,
	certauth.ReasonFrontEndUnverified:     faultClient,
	certauth.ReasonChainUntrusted:         faultClient,
	certauth.ReasonPinMismatch:            faultClient,
	certauth.ReasonCertificateExpired:     faultClient,
	certauth.ReasonCertificateNotYetValid: faultClient,
	certauth.ReasonCertificateIsCA:        faultClient,
	certauth.ReasonUsageNotAllowed:        faultClient,
	certauth.ReasonCertificateRevoked:     faultClient,
	certauth.ReasonRevocationUnknown:      faultClient,
	certauth.ReasonRevocationUnavailable:  faultServer,
	certauth.ReasonIssuerNotAllowed:       faultClient,
	certauth.ReasonNameNotAllowed:         faultClient,
	certauth.ReasonExtensionNotAllowed:    faultClient,
	certauth.ReasonKeyNotAllowed:          faultClient,
	certauth.ReasonLifetimeNotAllowed:     faultClient,
	certauth.ReasonCertificateDenied:      faultClient,
	certauth.ReasonPolicyRefused:          faultClient,
	certauth.ReasonNotConfigured:          faultServer,
	certauth.ReasonOverloaded:             faultServer,
	certauth.ReasonRequestCanceled:        faultClient,
	certauth.ReasonInternalError:          faultServer,
}

// classify returns the label of a reason and the party at fault. An unknown reason is
// attributed to the service, so that its operator looks at it.
func classify(reason certauth.Reason) (label, fault string) {
	if fault, ok := faults[reason]; ok {
		return string(reason), fault
	}
	return other, faultServer
}
