package revocation_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// protect is the usual setup: one checker for the program, closed with it.
func protect(roots, issuing certauth.CertSource, logger *slog.Logger, run func(certauth.Policy) error) error {
	checker, err := revocation.New(revocation.Config{Logger: logger})
	if err != nil {
		return err
	}
	policy := certauth.All{
		certauth.Chain{Roots: roots, Intermediates: issuing},
		certauth.DNSNames{"orders.partner.example"},
		certauth.NotRevoked{Checker: checker}, // evaluated last, so that nothing is fetched for a caller that is refused anyway
	}
	return errors.Join(run(policy), checker.Close())
}

// Every certificate below the root must be proven good. The caller's certificate names neither a
// responder nor a CRL, so it is unknown whether it is revoked, and the caller is refused.
func Example() {
	root := certauthtest.NewCA(exampleTB{}, "Partner Root")
	issuing := root.NewIntermediate(exampleTB{}, "Partner Issuing")
	client := issuing.Issue(exampleTB{}, "orders", certauthtest.DNS("orders.partner.example"))

	err := protect(certauth.PEM(root.PEM()), certauth.PEM(issuing.PEM()), slog.New(slog.DiscardHandler), func(policy certauth.Policy) error {
		auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: policy})
		if err != nil {
			return err
		}
		_, err = auth.Check(callOf(client))
		return err
	})
	fmt.Println(err)
	// Output:
	// certauth: Policy.All[2].NotRevoked: revocation_unavailable: certificate 0 of the chain, issued by "CN=Partner Issuing,O=certauthtest": revocation: no source to ask: the certificate names no OCSP responder and no CRL, and the Config none for its CA
}

// callOf returns a request as this process's own TLS listener passes it on.
func callOf(client *certauthtest.Certificate) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://orders.example/", nil)
	r.TLS = &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{client.Certificate}}
	return r
}

// exampleTB is the certauthtest.TB of an example.
type exampleTB struct{}

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
