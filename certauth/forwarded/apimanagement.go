package forwarded

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// APIManagement reads the leaf as base64 DER from a header that a policy of Azure API
// Management sets.
//
// What it proved: possession of the key, where the host name has
// negotiateClientCertificate; the rest is up to validate-client-certificate in the policy,
// and no header says so. The policy here needs an anchor.
//
// What it overwrites: what the policy sets with exists-action="override". Where the
// client has no certificate the policy must delete the header.
//
// What must be configured, in the inbound policy of every API:
//
//	<set-header name="X-Client-Cert" exists-action="delete" />
//	<choose><when condition="@(context.Request.Certificate != null)">
//	<set-header name="X-Client-Cert" exists-action="override">
//	  <value>@(Convert.ToBase64String(context.Request.Certificate.RawData))</value>
//	</set-header></when></choose>
//
// If this process runs on App Service, let API Management authenticate itself with a
// certificate of its own (authentication-certificate) and pin that in From with
// [AppServiceCertificate].
//
// What is refused: PEM, and everything that is not one certificate.
//
// How to verify before going live: the probes of the package documentation.
//
// Source: Microsoft Learn, "API Management policy reference". Tested against
// documentation only.
type APIManagement struct {
	// From identifies API Management. Required.
	From Gate
	// Header carries the leaf. The default is X-Client-Cert.
	Header string
}

// Prepare implements [certauth.Source].
func (s APIManagement) Prepare(env source.Environment) (*source.Reader, error) {
	return served(layout{
		preset: "APIManagement", from: s.From, header: or(s.Header, "X-Client-Cert"), codec: base64Codec(),
		form: "base64 of one DER certificate",
	}.prepare(env))
}

type appServiceCertificate struct{ policy certauth.Policy }

// AppServiceCertificate opens if App Service's front end forwarded a certificate of the
// sender in X-ARR-ClientCert, with the platform's evidence as for [AppService], and the
// policy accepts it. It is the first of two hops: API Management in front of App Service
// presents its own certificate there, and the client's is in a second header.
//
// Pin the gateway's certificate or key; a [certauth.Chain] also needs a rule on the name
// it, or certauth.New refuses it. Set clientCertMode=Required on the site. The gateway's certificate never becomes the
// identity, and X-ARR-ClientCert is removed from the request.
func AppServiceCertificate(policy certauth.Policy) Gate { return appServiceCertificate{policy} }

func (g appServiceCertificate) prepare(env source.Environment) (gate, error) {
	warnOutside(env)
	hop, err := env.NewHop(AppService{}, g.policy)
	if err != nil {
		return nil, errors.Join(mistakes.Prefix("AppServiceCertificate: ", err)...)
	}
	return appServiceCertificateGate{hop}, nil
}

type appServiceCertificateGate struct{ hop source.Hop }

func (g appServiceCertificateGate) admit(r *http.Request) (bool, error) {
	if err := g.hop.Admit(r); err != nil {
		// The gateway's certificate is at fault, not the client's: its reason is detail here.
		return false, fmt.Errorf("the gateway's own certificate: %s", err.Error())
	}
	return false, nil
}

func (appServiceCertificateGate) headers() []string { return []string{nameARRClientCert} }
func (g appServiceCertificateGate) String() string {
	return "AppServiceCertificate(" + g.hop.String() + ")"
}
