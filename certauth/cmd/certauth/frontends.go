package main

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// headerField is a field of a preset that renames a header, and the header's default name.
type headerField struct{ field, name string }

// presets are the front ends whose requests the test kit can write, by the type of the preset.
// The first field is that of the certificate.
var presets = map[reflect.Type]struct {
	name   string
	fields []headerField
}{
	reflect.TypeFor[forwarded.AppService]():         {"AppService", []headerField{{"", "X-ARR-ClientCert"}}},
	reflect.TypeFor[forwarded.ApplicationGateway](): {"ApplicationGateway", []headerField{{"Header", "X-Client-Certificate"}, {"VerifyHeader", "X-Client-Certificate-Verification"}, {"FingerprintHeader", "X-Client-Certificate-Fingerprint"}}},
	reflect.TypeFor[forwarded.APIManagement]():      {"APIManagement", []headerField{{"Header", "X-Client-Cert"}}},
	reflect.TypeFor[forwarded.ContainerApps]():      {"ContainerApps", []headerField{{"", "X-Forwarded-Client-Cert"}}},
	reflect.TypeFor[forwarded.Nginx]():              {"Nginx", []headerField{{"Header", "X-Client-Cert"}, {"VerifyHeader", "X-Client-Verify"}, {"FingerprintHeader", "X-Client-Fingerprint"}}},
	reflect.TypeFor[forwarded.IngressNginx]():       {"IngressNginx", []headerField{{"", "ssl-client-cert"}}},
	reflect.TypeFor[forwarded.HAProxy]():            {"HAProxy", []headerField{{"Header", "X-SSL-Client-Cert"}, {"UsedHeader", "X-SSL-Client-Used"}, {"VerifyHeader", "X-SSL-Client-Verify"}}},
	reflect.TypeFor[forwarded.Apache]():             {"Apache", []headerField{{"Header", "SSL_CLIENT_CERT"}, {"VerifyHeader", "SSL_CLIENT_VERIFY"}}},
	reflect.TypeFor[forwarded.Caddy]():              {"Caddy", []headerField{{"Header", "X-Client-Cert"}, {"FingerprintHeader", "X-Client-Fingerprint"}}},
	reflect.TypeFor[forwarded.Traefik]():            {"Traefik", []headerField{{"", "X-Forwarded-Tls-Client-Cert"}}},
	reflect.TypeFor[forwarded.Envoy]():              {"Envoy", []headerField{{"", "X-Forwarded-Client-Cert"}}},
	reflect.TypeFor[forwarded.RFC9440]():            {"RFC9440", []headerField{{"", "Client-Cert"}}},
	reflect.TypeFor[forwarded.ALB]():                {"ALB", []headerField{{"Header", "X-Amzn-Mtls-Clientcert-Leaf"}}},
	reflect.TypeFor[forwarded.CloudFront]():         {"CloudFront", []headerField{{"", "CloudFront-Viewer-Cert-Pem"}}},
	reflect.TypeFor[forwarded.GoogleLB]():           {"GoogleLB", []headerField{{"Header", "Client-Cert"}, {"ChainHeader", "Client-Cert-Chain"}, {"PresentHeader", "X-Client-Cert-Present"}, {"VerifiedHeader", "X-Client-Cert-Chain-Verified"}, {"ErrorHeader", "X-Client-Cert-Error"}}},
	reflect.TypeFor[forwarded.Cloudflare]():         {"Cloudflare", []headerField{{"", "Cf-Client-Cert-Der-Base64"}}},
	reflect.TypeFor[forwarded.Kong]():               {"Kong", []headerField{{"Header", "X-Client-Cert"}, {"FingerprintHeader", "X-Client-Cert-Fingerprint"}}},
	reflect.TypeFor[forwarded.CloudFoundry]():       {"CloudFoundry", []headerField{{"", "X-Forwarded-Client-Cert"}}},
}

// frontEndOf returns the name of the source's front end, the header of the certificate, and the
// operator's names of the headers. The name is empty if the command cannot write its requests.
func frontEndOf(source certauth.Source) (name, header string, renamed map[string]string) {
	switch own := source.(type) {
	case forwarded.Header:
		return "", own.Name, nil
	case forwarded.FrontDoor:
		return "", "X-Azure-ClientCertificate", nil
	}
	preset, ok := presets[reflect.TypeOf(source)]
	if !ok {
		return "", "", nil
	}
	v := reflect.ValueOf(source)
	name, renamed = preset.name, map[string]string{}
	for i, field := range preset.fields {
		own := field.name
		if field.field != "" {
			if set := v.FieldByName(field.field).String(); set != "" {
				own = set
				renamed[field.name] = set
			}
		}
		if i == 0 {
			header = own
		}
	}
	switch s := source.(type) {
	case forwarded.ApplicationGateway:
		if s.Passthrough {
			name += "/passthrough"
		}
	case forwarded.ALB:
		if s.Passthrough {
			name = "ALB/passthrough"
			if s.Header == "" {
				header = "X-Amzn-Mtls-Clientcert"
			} else {
				renamed = map[string]string{"X-Amzn-Mtls-Clientcert": s.Header}
			}
		}
	case forwarded.Envoy:
		if s.JSON {
			name += "/JSON"
		}
	case forwarded.Cloudflare:
		if s.RFC9440 {
			return "", "Client-Cert", nil
		}
	case forwarded.RFC9440:
		if s.Chain {
			name += "/chain"
		}
	case forwarded.HAProxy:
		if s.Format == forwarded.FormatByteSequence || s.ChainHeader != "" {
			return "", header, nil
		}
	case forwarded.Apache:
		if s.ChainHeader != "" {
			return "", header, nil
		}
	case forwarded.Caddy:
		if s.Format == forwarded.FormatByteSequence {
			name += "/RFC9440"
		}
	}
	if len(renamed) == 0 {
		renamed = nil
	}
	return name, header, renamed
}

// outsideTest is a TB for using the test kit outside of tests. It ends with a panic.
type outsideTest struct{ cleanups []func() }

func (*outsideTest) Helper() {}

func (*outsideTest) Fatalf(format string, args ...any) { panic(kitError{fmt.Errorf(format, args...)}) }

func (t *outsideTest) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

type kitError struct{ error }

// safely calls the test kit and returns the failure that would have ended a test.
func safely(do func(tb certauthtest.TB)) (err error) {
	t := &outsideTest{}
	defer func() {
		for i := len(t.cleanups) - 1; i >= 0; i-- {
			t.cleanups[i]()
		}
		if p := recover(); p != nil {
			failed, ok := p.(kitError)
			if !ok {
				panic(p)
			}
			err = errors.New(failed.Error())
		}
	}()
	do(t)
	return nil
}
