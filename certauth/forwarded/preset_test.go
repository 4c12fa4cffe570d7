package forwarded_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The forms of a header value, leaf first, as front ends write them.

func asList(certs ...*x509.Certificate) string {
	var items []string
	for _, cert := range certs {
		items = append(items, base64.StdEncoding.EncodeToString(cert.Raw))
	}
	return strings.Join(items, ",")
}

func asConcatenated(certs ...*x509.Certificate) string {
	var der []byte
	for _, cert := range certs {
		der = append(der, cert.Raw...)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func asSequences(certs ...*x509.Certificate) string {
	var items []string
	for _, cert := range certs {
		items = append(items, ":"+base64.StdEncoding.EncodeToString(cert.Raw)+":")
	}
	return strings.Join(items, ", ")
}

func asPEM(certs ...*x509.Certificate) string {
	var b bytes.Buffer
	for _, cert := range certs {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
	return b.String()
}

// escape escapes everything except unreserved characters, as nginx does.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func asURL(certs ...*x509.Certificate) string { return escape(asPEM(certs...)) }

func asSpaced(certs ...*x509.Certificate) string {
	return strings.ReplaceAll(strings.TrimSuffix(asPEM(certs...), "\n"), "\n", " ")
}

// asXFCC returns one element: the leaf in Cert, and all certificates in Chain if there are several.
func asXFCC(certs ...*x509.Certificate) string {
	text := "Hash=" + thumbprint(certs[0].Raw) + `;Cert="` + asURL(certs[0]) + `"`
	if len(certs) > 1 {
		text += `;Chain="` + asURL(certs...) + `"`
	}
	return text
}

// asXFCCJSON returns the same element in JSON.
func asXFCCJSON(certs ...*x509.Certificate) string {
	text := `[{"hash":"` + thumbprint(certs[0].Raw) + `","cert":` + jsonText(asPEM(certs[0]))
	for i, cert := range certs {
		if len(certs) > 1 {
			text += [...]string{`,"chain":[`, ","}[min(i, 1)] + jsonText(asPEM(cert))
		}
	}
	if len(certs) > 1 {
		text += "]"
	}
	return text + "}]"
}

func jsonText(text string) string { return `"` + strings.ReplaceAll(text, "\n", `\n`) + `"` }

func digestSHA1(cert *x509.Certificate) string {
	sum := sha1.Sum(cert.Raw)
	return hex.EncodeToString(sum[:])
}

func digestSHA256(cert *x509.Certificate) string { return thumbprint(cert.Raw) }

// form is one kind of header value.
type form struct {
	name  string
	value func(...*x509.Certificate) string
	// wrap makes a value of bytes that need not be a certificate.
	wrap func(der []byte) string
	// many reports whether the leaf's header may also contain the chain.
	many  bool
	limit int // of the header, in bytes
}

func asBlock(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

var (
	formBase64   = form{"base64", asList, base64.StdEncoding.EncodeToString, false, 16 << 10}
	formList     = form{"list", asList, base64.StdEncoding.EncodeToString, true, 64 << 10}
	formSequence = form{"sequence", asSequences, func(der []byte) string { return ":" + base64.StdEncoding.EncodeToString(der) + ":" }, false, 16 << 10}
	formURL      = form{"url-pem", asURL, func(der []byte) string { return escape(asBlock(der)) }, false, 16 << 10}
	formURLChain = form{"url-pem chain", asURL, func(der []byte) string { return escape(asBlock(der)) }, true, 64 << 10}
	formSpaced   = form{"spaced-pem", asSpaced, func(der []byte) string {
		return strings.ReplaceAll(strings.TrimSuffix(asBlock(der), "\n"), "\n", " ")
	}, false, 16 << 10}
	formXFCCJSON = form{"xfcc in JSON", asXFCCJSON, func(der []byte) string {
		return `[{"hash":"` + thumbprint(der) + `","cert":` + jsonText(asBlock(der)) + `}]`
	}, true, 64 << 10}
	formXFCC = form{"xfcc", asXFCC, func(der []byte) string { return "Hash=" + thumbprint(der) + `;Cert="` + escape(asBlock(der)) + `"` }, true, 64 << 10}
)

// preset is one configuration of one front end, together with the request that it sends.
type preset struct {
	name   string
	source func(forwarded.Gate) certauth.Source
	header string // carries the leaf
	form   form
	beside [][2]string // flags and other headers that are always present

	fingerprint string // header, if configured
	digest      func(*x509.Certificate) string
	absent      string // a value that means "none", in addition to the empty one
}

const profileID = "11111111-2222-3333-4444-555555555555"

// presets returns every front end except App Service, which has its own tables, in every variant
// that has its own rules. TestPresets_TheTableIsComplete ensures that none is missing.
func presets() []preset {
	success := func(name string) [][2]string { return [][2]string{{name, "SUCCESS"}} }
	used := [][2]string{{"X-SSL-Client-Used", "1"}, {"X-SSL-Client-Verify", "0"}}
	type g = forwarded.Gate
	return []preset{
		{name: "APIManagement", header: "X-Client-Cert", form: formBase64, source: func(from g) certauth.Source { return forwarded.APIManagement{From: from} }},
		{name: "ApplicationGateway", header: "X-Client-Certificate", form: formURL, beside: success("X-Client-Certificate-Verification"), source: func(from g) certauth.Source { return forwarded.ApplicationGateway{From: from} }},
		{
			name: "ApplicationGateway passthrough", header: "X-Client-Certificate", form: formURL, beside: [][2]string{{"X-Client-Certificate-Verification", "PASSTHROUGH"}}, fingerprint: "X-Client-Certificate-Fingerprint", digest: digestSHA1,
			source: func(from g) certauth.Source {
				return forwarded.ApplicationGateway{From: from, Passthrough: true, FingerprintHeader: "X-Client-Certificate-Fingerprint"}
			},
		},
		{
			name: "FrontDoor", header: "X-Azure-ClientCertificate", form: formBase64, beside: [][2]string{{"X-Azure-FDID", profileID}, {"X-Azure-ClientCertVerify", "SUCCESS"}},
			source: func(from g) certauth.Source {
				return forwarded.FrontDoor{From: from, ProfileID: profileID, Format: forwarded.FormatBase64DER, VerifyValue: "SUCCESS"}
			},
		},
		{name: "ContainerApps", header: "X-Forwarded-Client-Cert", form: formXFCC, source: func(from g) certauth.Source { return forwarded.ContainerApps{From: from} }},
		{
			name: "Nginx", header: "X-Client-Cert", form: formURL, beside: success("X-Client-Verify"), fingerprint: "X-Client-Fingerprint", digest: digestSHA1,
			source: func(from g) certauth.Source {
				return forwarded.Nginx{From: from, FingerprintHeader: "X-Client-Fingerprint"}
			},
		},
		{name: "IngressNginx", header: "ssl-client-cert", form: formURL, beside: success("ssl-client-verify"), source: func(from g) certauth.Source { return forwarded.IngressNginx{From: from} }},
		{name: "HAProxy", header: "X-SSL-Client-Cert", form: formBase64, beside: used, source: func(from g) certauth.Source {
			return forwarded.HAProxy{From: from, ChainHeader: "X-SSL-Chain-Der"}
		}},
		{name: "HAProxy numbered", header: "X-SSL-Client-Cert", form: formBase64, beside: used, source: func(from g) certauth.Source {
			return forwarded.HAProxy{From: from, ChainHeader: "X-SSL-Chain", ChainNumbered: true}
		}},
		{name: "HAProxy RFC 9440", header: "Client-Cert", form: formSequence, beside: used, source: func(from g) certauth.Source {
			return forwarded.HAProxy{From: from, Header: "Client-Cert", Format: forwarded.FormatByteSequence}
		}},
		{name: "Apache", header: "SSL_CLIENT_CERT", form: formSpaced, beside: success("SSL_CLIENT_VERIFY"), absent: "(null)", source: func(from g) certauth.Source {
			return forwarded.Apache{From: from, ChainHeader: "SSL_CLIENT_CERT_CHAIN_"}
		}},
		{name: "Caddy", header: "X-Client-Cert", form: formBase64, fingerprint: "X-Client-Fingerprint", digest: digestSHA256, source: func(from g) certauth.Source {
			return forwarded.Caddy{From: from, FingerprintHeader: "X-Client-Fingerprint"}
		}},
		{name: "Caddy RFC 9440", header: "X-Client-Cert", form: formSequence, source: func(from g) certauth.Source {
			return forwarded.Caddy{From: from, Format: forwarded.FormatByteSequence}
		}},
		{name: "Traefik", header: "X-Forwarded-Tls-Client-Cert", form: formList, source: func(from g) certauth.Source { return forwarded.Traefik{From: from} }},
		{name: "Envoy", header: "X-Forwarded-Client-Cert", form: formXFCC, source: func(from g) certauth.Source { return forwarded.Envoy{From: from} }},
		{name: "Envoy JSON", header: "X-Forwarded-Client-Cert", form: formXFCCJSON, source: func(from g) certauth.Source { return forwarded.Envoy{From: from, JSON: true} }},
		{name: "RFC9440", header: "Client-Cert", form: formSequence, source: func(from g) certauth.Source { return forwarded.RFC9440{From: from} }},
		{name: "RFC9440 chain", header: "Client-Cert", form: formSequence, source: func(from g) certauth.Source { return forwarded.RFC9440{From: from, Chain: true} }},
		{name: "ALB", header: "X-Amzn-Mtls-Clientcert-Leaf", form: formURL, source: func(from g) certauth.Source { return forwarded.ALB{From: from} }},
		{name: "ALB passthrough", header: "X-Amzn-Mtls-Clientcert", form: formURLChain, source: func(from g) certauth.Source { return forwarded.ALB{From: from, Passthrough: true} }},
		{
			name: "CloudFront", header: "CloudFront-Viewer-Cert-Pem", form: formURL, beside: [][2]string{{"CloudFront-Viewer-Cert-Present", "1"}}, fingerprint: "CloudFront-Viewer-Cert-Sha256", digest: digestSHA256,
			source: func(from g) certauth.Source { return forwarded.CloudFront{From: from} },
		},
		{
			name: "GoogleLB", header: "Client-Cert", form: formSequence, beside: [][2]string{{"X-Client-Cert-Present", "true"}, {"X-Client-Cert-Chain-Verified", "true"}, {"X-Client-Cert-Error", ""}},
			source: func(from g) certauth.Source { return forwarded.GoogleLB{From: from} },
		},
		{
			name: "Cloudflare", header: "Cf-Client-Cert-Der-Base64", form: formBase64, beside: [][2]string{{"Cf-Cert-Verified", "true"}, {"Cf-Cert-Revoked", "false"}}, fingerprint: "Cf-Cert-Fingerprint-Sha256", digest: digestSHA256,
			source: func(from g) certauth.Source { return forwarded.Cloudflare{From: from} },
		},
		{
			name: "Cloudflare RFC 9440", header: "Client-Cert", form: formSequence, beside: [][2]string{{"Cf-Cert-Verified", "true"}, {"Cf-Cert-Revoked", "false"}}, fingerprint: "Cf-Cert-Fingerprint-Sha256", digest: digestSHA256,
			source: func(from g) certauth.Source {
				return forwarded.Cloudflare{From: from, RFC9440: true}
			},
		},
		{name: "Kong", header: "X-Client-Cert", form: formURL, fingerprint: "X-Client-Cert-Fingerprint", digest: digestSHA1, source: func(from g) certauth.Source {
			return forwarded.Kong{From: from, FingerprintHeader: "X-Client-Cert-Fingerprint"}
		}},
		{name: "CloudFoundry", header: "X-Forwarded-Client-Cert", form: formBase64, source: func(from g) certauth.Source { return forwarded.CloudFoundry{From: from} }},
		{
			name: "Header", header: "X-Mine", form: formSpaced, beside: [][2]string{{"X-Mine-Ok", "yes"}}, fingerprint: "X-Mine-Digest", digest: digestSHA256,
			source: func(from g) certauth.Source {
				return forwarded.Header{
					From: from, Name: "X-Mine", Format: forwarded.FormatSpacedPEM, Require: []forwarded.Flag{{Header: "X-Mine-Ok", Value: "yes"}},
					FingerprintName: "X-Mine-Digest", FingerprintHash: forwarded.HashSHA256,
				}
			},
		},
	}
}

// fromTens returns the gate of the tables.
func fromTens() forwarded.Gate { return forwarded.Peers("10.0.0.0/8", "fe80::/64") }

// request returns what the front end sends for the certificates.
func (d preset) request(certs ...*x509.Certificate) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/orders", nil)
	r.RemoteAddr = "10.1.2.3:40000"
	r.Header = http.Header{http.CanonicalHeaderKey(d.header): {d.form.value(certs...)}}
	for _, pair := range d.beside {
		r.Header[http.CanonicalHeaderKey(pair[0])] = values(pair[1])
	}
	if d.fingerprint != "" {
		r.Header[http.CanonicalHeaderKey(d.fingerprint)] = values(d.digest(certs[0]))
	}
	return r
}

// without removes the certificate from a request.
func (d preset) without(r *http.Request) { put(d.header)(r) }

// named returns the preset with that name.
func named(name string) preset {
	for _, d := range presets() {
		if d.name == name {
			return d
		}
	}
	panic("no preset " + name)
}
