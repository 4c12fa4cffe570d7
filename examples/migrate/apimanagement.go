package migrate

import (
	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// APIManagement checks what validate-client-certificate checks, behind a gateway that forwards
// the certificate and is recognised by a secret.
func APIManagement(roots, issuing, secret string) (*certauth.Authenticator, error) {
	checker, err := revocation.New(revocation.Config{}) // validate-revocation="true"
	if err != nil {
		return nil, err
	}
	return certauth.New(certauth.Config{
		Source: forwarded.APIManagement{From: forwarded.SharedSecret("X-Gateway-Secret", secret)},
		Policy: certauth.All{ // within one identity all attributes must match
			certauth.Chain{Roots: certauth.PEMFile(roots), Intermediates: certauth.PEMFile(issuing)}, // validate-trust="true"
			certauth.Any{ // several identities: one must match
				certauth.DNSNames{"orders.partner.example"},  // dns-name
				certauth.CommonNames{"billing"},              // common-name
				certauth.Subject{"CN=board,O=Partner GmbH"},  // subject
				certauth.ThumbprintsSHA1{pinnedThumbprintV1}, // thumbprint
			},
			certauth.NotRevoked{Checker: checker},
		},
	})
}

const pinnedThumbprintV1 = "a909502dd82ae41433e6f83886b00d4277a32a7b"
