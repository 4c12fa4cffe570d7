package metrics

import "github.com/seed2886b8ae/go-certauth/certauth"

const (
	faultClient = "client"
	faultServer = "server"
)

// faults are the reasons of the library, with who is to blame.
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

// classify returns the label of a reason and who is to blame. What is not known is looked at
// by whoever runs the service.
func classify(reason certauth.Reason) (label, fault string) {
	if fault, ok := faults[reason]; ok {
		return string(reason), fault
	}
	return other, faultServer
}
