package forwarded

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/mistakes"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// APIManagement reads the leaf as base64 DER from a header that a policy of Azure API
// Management sets.
//
// Verified: possession of the key, if negotiateClientCertificate is set for the host name.
// Anything else depends on validate-client-certificate in the API Management policy, and no
// header reports it. The policy here needs an anchor.
//
// Overwritten: headers that the policy sets with exists-action="override". The policy must
// delete the header if the client has no certificate.
//
// Required configuration, in the inbound policy of every API:
//
//	<set-header name="X-Client-Cert" exists-action="delete" />
//	<choose><when condition="@(context.Request.Certificate != null)">
//	<set-header name="X-Client-Cert" exists-action="override">
//	  <value>@(Convert.ToBase64String(context.Request.Certificate.RawData))</value>
//	</set-header></when></choose>
//
// If this process runs on App Service, let API Management authenticate itself with a
// certificate (authentication-certificate) and pin that certificate in From with
// [AppServiceCertificate].
//
// Behind Front Door, API Management sees no client certificate: use [FrontDoor] instead.
//
// Refused: PEM, and everything that is not exactly one certificate.
//
// To verify before going live: the probes of the package documentation.
//
// Source: Microsoft Learn, "API Management policy reference" and "IP addresses in Azure API
// Management". Tested against documentation only.
type APIManagement struct {
	// From identifies API Management. Its public addresses do so only in the tiers Developer,
	// Basic, Standard and Premium, in which no other customer's instance has them; in the others
	// use its certificate, or a SharedSecret that its policy sets. Required.
	From Gate
	// Header carries the leaf. The default is X-Client-Cert.
	Header string
}

// Prepare implements [certauth.Source].
func (s APIManagement) Prepare(env source.Environment) (*source.Reader, error) {
	return layout{
		preset: "APIManagement", from: s.From, header: cmp.Or(s.Header, "X-Client-Cert"), codec: base64Codec(),
		form: "base64 of one DER certificate",
	}.prepare(env)
}

type appServiceCertificate struct{ policy certauth.Policy }

// AppServiceCertificate admits a request if App Service's front end forwarded a certificate
// of the sender in X-ARR-ClientCert, with the same platform evidence as for [AppService],
// and the policy accepts that certificate. It is for API Management in front of App
// Service: API Management presents its own certificate to App Service, and sends the
// client's certificate in a second header.
//
// Pin the gateway's certificate or key. A [certauth.Chain] without a rule on the name is an
// error of certauth.New, because every certificate of that CA would be admitted. Set
// clientCertMode=Required on the site. The gateway's certificate never becomes the
// identity, and X-ARR-ClientCert is removed from the request.
func AppServiceCertificate(policy certauth.Policy) Gate { return appServiceCertificate{policy} }

// Parts returns the name and the parts of the gate, for tools that show or review a configuration.
func (g appServiceCertificate) Parts() (name string, parts []any) {
	return "AppServiceCertificate", []any{g.policy}
}

func (g appServiceCertificate) prepare(env source.Environment) (gate, error) {
	warnOutside(env)
	hop, err := env.NewHop(AppService{}, g.policy)
	if err != nil {
		return gate{}, errors.Join(mistakes.Prefix("AppServiceCertificate: ", err)...)
	}
	admitted := check("AppServiceCertificate("+hop.String()+")", func(r *http.Request) error {
		if err := hop.Admit(r); err != nil {
			return refusedSender("the gateway's", err, "the gateway presented no certificate to App Service: use authentication-certificate in its policy, and clientCertMode=Required on the site")
		}
		return nil
	})
	admitted.headers = []string{nameARRClientCert}
	return admitted, nil
}
