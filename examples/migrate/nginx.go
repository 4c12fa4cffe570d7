package migrate

import (
	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// Nginx makes the decisions of ssl_verify_client and of an "if" on $ssl_client_s_dn. nginx still
// terminates TLS and forwards the certificate.
func Nginx(roots, issuing string) (*certauth.Authenticator, error) {
	return certauth.New(certauth.Config{
		Source: forwarded.Nginx{From: forwarded.Peers("127.0.0.1/32", "::1/128")},
		Policy: certauth.All{
			certauth.Chain{ // ssl_client_certificate
				Roots: certauth.PEMFile(roots), Intermediates: certauth.PEMFile(issuing),
			},
			certauth.Subject{"CN=orders,O=Partner GmbH"}, // if ($ssl_client_s_dn != ...)
		},
		Exclusions: []certauth.Exclusion{{ // location = /health, with ssl_verify_client optional
			Path: "/health", Reason: "the balancer's probe has no certificate", Control: "answers ok and nothing else",
		}},
	})
}
