package migrate

import (
	"log/slog"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// ASPNetCore corresponds to AddCertificate and AddCertificateForwarding.
func ASPNetCore(roots, issuing string, logger *slog.Logger) (*certauth.Authenticator, error) {
	checker, err := revocation.New(revocation.Config{}) // RevocationMode.Online, RevocationFlag.ExcludeRoot
	if err != nil {
		return nil, err
	}
	return certauth.New(certauth.Config{
		Source: forwarded.AppService{}, // CertificateHeader = "X-ARR-ClientCert"
		Policy: certauth.All{
			certauth.Chain{ // ChainTrustValidationMode = CustomRootTrust
				Roots:         certauth.PEMFile(roots),   // CustomTrustStore
				Intermediates: certauth.PEMFile(issuing), // AdditionalChainCertificates
			},
			certauth.DNSNames{"orders.partner.example"}, // what OnCertificateValidated looked at
			certauth.NotRevoked{Checker: checker},
		},
		Logger: logger, // what OnAuthenticationFailed told
	})
}
