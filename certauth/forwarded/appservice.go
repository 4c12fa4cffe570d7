package forwarded

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// AppService reads the certificate that Azure App Service, and Azure Functions with a
// custom handler, put into X-ARR-ClientCert: padded standard base64 of the leaf's DER on
// one line. No chain is sent, so give the issuing CAs in certauth.Chain.Intermediates.
//
// What it proved: a TLS handshake with the holder of the key, on sites with
// clientCertEnabled=true and clientCertMode=Required. App Service checks neither chain
// nor dates, usage or revocation; the policy does.
//
// What it overwrites: not documented, in particular not for excluded paths, Optional
// mode, and sites where client certificates are off. Set clientCertMode=Required,
// httpsOnly=true and no exclusion paths over protected routes.
//
// What is asked of the platform: that this process runs on App Service
// (WEBSITE_SITE_NAME and WEBSITE_INSTANCE_ID are set when New runs), and that the request
// carries X-ARR-LOG-ID and a well-formed X-ARR-SSL, and X-AppService-Proto, if present,
// is https. This is evidence, not proof: whoever reaches the worker directly can write
// these headers too. Add From where something else can reach it.
//
// What is refused: the header without that evidence, or beside a client certificate on
// this process's own TLS connection, is [certauth.ReasonSourceUntrusted]; two lines,
// anything but base64 of exactly one certificate, more than 16 KiB, or a Connection
// header that names the header, is [certauth.ReasonCertificateMalformed]. No header and
// an empty one offer no certificate. X-ARR-ClientCert is removed from the request in
// every spelling; the evidence headers stay, they serve logs.
//
// How to verify before going live, from outside and without a client certificate:
//
//	curl -si -H "X-ARR-ClientCert: $(base64 -w0 partner.der)" https://your-site.azurewebsites.net/
//
// must answer 403 from the front end or 401 from this library, never 200.
//
// Sources: Microsoft Learn, "Configure TLS mutual authentication for Azure App Service";
// azure-functions-host for X-ARR-LOG-ID.
type AppService struct {
	// From is asked beside the platform's evidence, if set.
	From Gate

	// InsecureOutsideAppService reads the header although this process does not run on
	// App Service; the evidence headers are asked for all the same. What can happen: no
	// platform stands in front, so everybody who reaches the port can write them all. It
	// is for local stand-ins of the platform. Without it, a process outside App Service
	// refuses every certificate as untrusted.
	InsecureOutsideAppService bool
}

const (
	headerARRClientCert    = "X-Arr-Clientcert" // http.CanonicalHeaderKey of X-ARR-ClientCert
	headerARRLogID         = "X-Arr-Log-Id"
	headerARRSSL           = "X-Arr-Ssl"
	headerAppServiceProto  = "X-Appservice-Proto"
	nameARRClientCert      = "X-ARR-ClientCert"
	variableSiteName       = "WEBSITE_SITE_NAME"
	variableInstanceID     = "WEBSITE_INSTANCE_ID"
	ruleAppService         = "Source.AppService"
	hintClientCertRequired = "set clientCertEnabled=true and clientCertMode=Required and check clientCertExclusionPaths; over plain HTTP and from internal callers there is never a certificate"
)

// Prepare implements [certauth.PreparedSource].
func (s AppService) Prepare(env certauth.SourceEnvironment) (certauth.Source, error) {
	prepared := &appService{}
	if s.From != nil {
		from, err := prepareGate(s.From, env)
		if err != nil {
			return nil, fmt.Errorf("AppService.From: %w", err)
		}
		prepared.from = from
	}
	if !s.InsecureOutsideAppService {
		for _, name := range []string{variableSiteName, variableInstanceID} {
			if os.Getenv(name) == "" {
				prepared.missing = append(prepared.missing, name)
			}
		}
	} else {
		prepared.outside = true
	}
	if len(prepared.missing) > 0 && env.Logger != nil {
		env.Logger.Warn("forwarded: not on App Service, every certificate will be refused as untrusted",
			"unset", strings.Join(prepared.missing, ", "), "hint", "set InsecureOutsideAppService for a local stand-in, or use the source of your front end")
	}
	return prepared, nil
}

// Certificates implements [certauth.Source] for callers that do without certauth.New;
// it checks the configuration each time.
func (s AppService) Certificates(r *http.Request) (certauth.Presented, error) {
	prepared, err := s.Prepare(certauth.SourceEnvironment{})
	if err != nil {
		return certauth.Presented{}, &certauth.Error{Reason: certauth.ReasonNotConfigured, Rule: ruleAppService, Err: err}
	}
	return prepared.Certificates(r)
}

// appService is the immutable form of AppService.
type appService struct {
	from    gate
	missing []string // environment variables that App Service would have set
	outside bool
}

func (s *appService) Headers() []string {
	names := []string{nameARRClientCert}
	if s.from != nil {
		names = append(names, s.from.headers()...)
	}
	return names
}

func (s *appService) Certificates(r *http.Request) (certauth.Presented, error) {
	values := r.Header[headerARRClientCert]
	if err := s.admit(r); err != nil {
		// A stranger's header is not read; only whether there was one matters, because a
		// request that carries none is simply without a certificate.
		if !offers(values) {
			return certauth.Presented{}, absent()
		}
		return certauth.Presented{}, &certauth.Error{
			Reason: certauth.ReasonSourceUntrusted, Rule: ruleAppService, Err: err,
			Hint: "the request did not come through App Service's front end; check access restrictions and who can reach the worker",
		}
	}
	switch {
	case connectionNamesEvidence(r.Header["Connection"]):
		return certauth.Presented{}, malformed(errors.New("the Connection header names one of the platform's headers"), "no honest client asks a proxy to drop them")
	case !offers(values) && len(values) < 2:
		return certauth.Presented{}, absent()
	case len(values) != 1:
		return certauth.Presented{}, malformed(fmt.Errorf("%d values, want 1", len(values)), "a client or a proxy added the header beside the platform's")
	}
	cert, err := decodeBase64DER(values[0])
	if err != nil {
		hint := "App Service sends padded standard base64 of one DER certificate"
		if form := resembles(values[0]); form != "" {
			hint += "; " + form
		}
		return certauth.Presented{}, malformed(err, hint)
	}
	return certauth.Presented{Certificates: []*x509.Certificate{cert}}, nil
}

// offers reports whether the header holds anything at all.
func offers(values []string) bool {
	for _, value := range values {
		if value != "" {
			return true
		}
	}
	return false
}

func absent() *certauth.Error {
	return &certauth.Error{
		Reason: certauth.ReasonCertificateMissing, Rule: ruleAppService,
		Hint: hintClientCertRequired, Err: errors.New("no " + nameARRClientCert),
	}
}

func malformed(err error, hint string) *certauth.Error {
	return &certauth.Error{
		Reason: certauth.ReasonCertificateMalformed, Rule: ruleAppService,
		Hint: hint, Err: fmt.Errorf("%s: %w", nameARRClientCert, err),
	}
}

// admit asks for all evidence that the request came through the platform's front end.
func (s *appService) admit(r *http.Request) error {
	if len(s.missing) > 0 {
		return fmt.Errorf("not on App Service: %s not set", strings.Join(s.missing, " and "))
	}
	if s.from != nil {
		if err := s.from.admit(r); err != nil {
			return err
		}
	}
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 && (s.from == nil || !s.from.declaresTLS()) {
		return errors.New("the sender presented a TLS client certificate of its own, which App Service does not")
	}
	if id, ok := only(r.Header[headerARRLogID]); !ok || id == "" {
		return errors.New("X-ARR-LOG-ID is not there exactly once")
	}
	if ssl, ok := only(r.Header[headerARRSSL]); !ok || !isARRSSL(ssl) {
		return errors.New("X-ARR-SSL is not there exactly once and well formed")
	}
	if proto := r.Header[headerAppServiceProto]; len(proto) > 0 {
		if value, ok := only(proto); !ok || value != "https" {
			return fmt.Errorf("X-AppService-Proto is %s, want https", logtext.List(proto))
		}
	}
	return nil
}

// connectionNamesEvidence covers what is read and stays in the request; certauth looks
// after the headers that it removes.
func connectionNamesEvidence(lines []string) bool {
	for _, line := range lines {
		for option := range strings.SplitSeq(line, ",") {
			option = strings.Trim(option, " \t")
			for _, name := range []string{headerARRLogID, headerARRSSL, headerAppServiceProto} {
				if strings.EqualFold(option, name) {
					return true
				}
			}
		}
	}
	return false
}

func only(values []string) (string, bool) {
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}

// isARRSSL checks the form "key bits|cipher bits|issuer|subject" of the platform's own
// server certificate. The names are never looked at: their order changed over the years.
func isARRSSL(value string) bool {
	parts := strings.Split(value, "|")
	return len(value) <= 2048 && len(parts) == 4 && isNumber(parts[0]) && isNumber(parts[1])
}

func isNumber(s string) bool {
	return s != "" && len(s) <= 6 && strings.Trim(s, "0123456789") == ""
}

// String names the source and what it relies on.
func (s *appService) String() string {
	var notes []string
	switch {
	case len(s.missing) > 0:
		notes = append(notes, "not on App Service: refuses every certificate")
	case s.outside:
		notes = append(notes, "insecure: outside App Service")
	}
	if s.from != nil {
		notes = append(notes, "from "+s.from.String())
	}
	if len(notes) == 0 {
		return "forwarded.AppService"
	}
	return "forwarded.AppService (" + strings.Join(notes, ", ") + ")"
}
