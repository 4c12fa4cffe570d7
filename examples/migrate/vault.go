package migrate

import (
	"crypto/x509"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// Vault corresponds to a role of the cert auth method, for a service that terminates TLS itself.
func Vault(roots string, crls string, issuers []*x509.Certificate) (*certauth.Authenticator, error) {
	checker, err := revocation.New(revocation.Config{ // ocsp_enabled=true, ocsp_fail_open=false
		Lists:   []revocation.List{{Dir: crls}}, // auth/cert/crls
		Issuers: issuers,                        // whose lists are believed
		MaxWait: 5 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return certauth.New(certauth.Config{
		Source: certauth.TLS{},
		Policy: certauth.Named{Name: "web", Policy: certauth.All{ // auth/cert/certs/web
			certauth.Chain{Roots: certauth.PEMFile(roots)},   // certificate
			certauth.CommonNames{"orders"},                   // allowed_common_names
			certauth.DNSNames{"*.partner.example"},           // allowed_dns_sans
			certauth.URIs{"spiffe://partner.example/orders"}, // allowed_uri_sans
			certauth.OrganizationalUnits{"Fulfilment"},       // allowed_organizational_units
			certauth.NotRevoked{Checker: checker},
		}},
	})
}
