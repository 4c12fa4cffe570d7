package forwarded

import (
	"net/http"

	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// AppService reads the certificate that Azure App Service, and Azure Functions with a
// custom handler, put into X-ARR-ClientCert: the leaf's DER in padded standard base64 on
// one line. No chain is sent, so configure the issuing CAs in certauth.Chain.Intermediates.
//
// Verified: a TLS handshake with the holder of the key, on sites with
// clientCertEnabled=true and clientCertMode=Required. App Service checks neither chain,
// dates, usage nor revocation; the policy does.
//
// Overwritten: not documented, in particular not for excluded paths, for Optional mode and
// for sites on which client certificates are off. Set clientCertMode=Required and
// httpsOnly=true, and exclude no path that needs protection.
//
// Required evidence of the platform: this process runs on App Service (WEBSITE_SITE_NAME
// and WEBSITE_INSTANCE_ID are set when New runs), and the request carries X-ARR-LOG-ID and
// a well-formed X-ARR-SSL; X-AppService-Proto, if present, is https. This is evidence, not
// proof: a client that reaches the worker directly can write these headers too. Set From if
// anything but the front end can reach the worker.
//
// Refused: as [certauth.ReasonSourceUntrusted], the header without this evidence; the
// header over HTTP/2 on a connection that a handler took over (serve gRPC and other HTTP/2
// with http.Server.Protocols; see section "Upgrade" of the package documentation); and the
// header together with a client certificate on this process's own TLS connection. As
// [certauth.ReasonCertificateMalformed], two header lines, anything but base64 of exactly
// one certificate, more than 16 KiB, and a Connection header that names the header. A
// missing or empty header offers no certificate. X-ARR-ClientCert is removed from the
// request in every spelling. The evidence headers stay, because access logs use them.
//
// To verify before going live, from outside and without a client certificate:
//
//	curl -si -H "X-ARR-ClientCert: $(openssl x509 -in partner.pem -outform der | openssl base64 -A)" https://your-site.azurewebsites.net/
//
// must answer 403 from the front end or 401 from this library, never 200.
//
// Sources: Microsoft Learn, "Configure TLS mutual authentication for Azure App Service";
// azure-functions-host for X-ARR-LOG-ID.
type AppService struct {
	// From, if set, is checked in addition to the platform's evidence. It is optional.
	From Gate

	// InsecureOutsideAppService reads the header although this process does not run on App
	// Service. The evidence headers are still required. What can happen: without the
	// platform in front, every client that reaches the port can write all of these headers.
	// Use it for local simulations of the platform only. If it is false, a process outside
	// App Service refuses every certificate as untrusted.
	InsecureOutsideAppService bool
}

const (
	headerARRLogID         = "X-Arr-Log-Id"
	headerARRSSL           = "X-Arr-Ssl"
	headerAppServiceProto  = "X-Appservice-Proto"
	nameARRClientCert      = "X-ARR-ClientCert"
	variableSiteName       = "WEBSITE_SITE_NAME"
	variableInstanceID     = "WEBSITE_INSTANCE_ID"
	hintClientCertRequired = "set clientCertEnabled=true and clientCertMode=Required and check clientCertExclusionPaths; requests over plain HTTP and from internal callers never have a certificate: a probe needs an entry in Config.Exclusions with its method and path"
)

// Prepare implements [certauth.Source].
func (s AppService) Prepare(env source.Environment) (*source.Reader, error) {
	untrusted := "the request did not come through App Service's front end; check its access restrictions and what else can reach the worker"
	missing, traffic := hintClientCertRequired, platformTraffic
	switch {
	case s.InsecureOutsideAppService: // a tool asks about a site, or a developer's machine simulates one
		untrusted = "the request did not come through App Service's front end; in a simulation, the sender has to write the platform's X-ARR-LOG-ID and X-ARR-SSL too, as examples/appservice/local and package certauthtest do"
	case len(missingVariables()) > 0:
		missing, traffic = hintOutside, nil
	}
	reader, err := layout{
		preset:    "AppService",
		from:      platformEvidence{from: s.From, outside: s.InsecureOutsideAppService},
		header:    nameARRClientCert,
		codec:     base64Codec(),
		form:      "padded standard base64 of one DER certificate",
		missing:   missing,
		traffic:   traffic,
		untrusted: untrusted,
		kept:      []string{headerARRLogID, headerARRSSL, headerAppServiceProto},
		platform:  true,
	}.prepare(env)
	if err == nil && !s.InsecureOutsideAppService {
		warnOutside(env)
	}
	return reader, err
}

// platformTraffic recognises requests that App Service itself sends to the worker. They
// have no certificate and none of the front end's headers. The result is used only for the
// hint.
func platformTraffic(r *http.Request) string {
	switch _, external := r.Header[headerARRLogID]; {
	case external || r.URL == nil:
		return ""
	case r.URL.Path == "/robots933456.txt":
		return "most likely App Service's warm-up request at start: any answer will do, unless WEBSITE_WARMUP_STATUSES is set"
	case r.URL.Path == "/":
		return "most likely App Service's Always On, which asks for / every five minutes: any answer will do"
	}
	return "it did not come through the front end: App Service's health check, if this is its path, takes the instance out of rotation until the path has an entry in Config.Exclusions"
}
