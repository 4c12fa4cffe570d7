package forwarded_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// sourceOf returns the preset for a captured source, or a Header if the operator of that capture
// configured something for which there is no preset.
func sourceOf(t *testing.T, file captureFile, config, name string, from forwarded.Gate) certauth.Source {
	t.Helper()
	var described captureSource
	for _, source := range file.Configs[config].Sources {
		if source.Name == name {
			described = source
		}
	}
	require.NotEmpty(t, described.Name, "%s has no source %s", config, name)
	source := presetOf(file.name, config, name, described, from)
	if source == nil {
		source = headerOf(t, described, from)
	}
	assertReads(t, source, described)
	return source
}

func presetOf(file, config, name string, d captureSource, from forwarded.Gate) certauth.Source {
	switch file + "/" + name {
	case "apache/apache":
		return forwarded.Apache{From: from, ChainHeader: d.Chain.Header}
	case "azure-app-service/app-service":
		return forwarded.AppService{From: from}
	case "azure-application-gateway/application-gateway":
		return forwarded.ApplicationGateway{From: from, FingerprintHeader: d.Fingerprint.Header}
	case "caddy-2.6.2/base64", "caddy-2.11.9/base64":
		return forwarded.Caddy{From: from, Header: d.Header, FingerprintHeader: d.Fingerprint.Header}
	case "caddy-2.6.2/rfc9440", "caddy-2.11.9/rfc9440":
		return forwarded.Caddy{From: from, Header: d.Header, Format: forwarded.FormatByteSequence}
	case "clouds-constructed/alb-verify":
		return forwarded.ALB{From: from}
	case "clouds-constructed/alb-passthrough":
		return forwarded.ALB{From: from, Passthrough: true}
	case "clouds-constructed/cloudfront":
		return forwarded.CloudFront{From: from}
	case "clouds-constructed/gcp":
		return forwarded.GoogleLB{From: from}
	case "clouds-constructed/cloudflare":
		return forwarded.Cloudflare{From: from}
	case "clouds-constructed/gorouter":
		return forwarded.CloudFoundry{From: from}
	case "ingress-nginx/ingress-nginx":
		return forwarded.IngressNginx{From: from}
	case "nginx/escaped":
		return forwarded.Nginx{From: from, Header: d.Header, VerifyHeader: "X-SSL-Client-Verify", FingerprintHeader: d.Fingerprint.Header}
	case "rfc9440/rfc9440":
		return forwarded.RFC9440{From: from, Chain: true}
	case "traefik/traefik":
		return forwarded.Traefik{From: from}
	case "xfcc-constructed/xfcc":
		if config == "container-apps" {
			return forwarded.ContainerApps{From: from}
		}
		return forwarded.Envoy{From: from}
	case "envoy/xfcc", "envoy/xfcc-last", "envoy/xfcc-hops", "envoy/xfcc-json", "envoy/xfcc-json-last", "envoy/xfcc-json-hops":
		return forwarded.Envoy{From: from, Hops: d.Hops, By: d.By, JSON: d.Format == "xfcc-json"}
	case "haproxy/base64", "haproxy/rfc9440":
		return haproxyOf(d, from)
	}
	return nil
}

func haproxyOf(d captureSource, from forwarded.Gate) certauth.Source {
	switch {
	case len(d.Verify) == 0 && d.Format == "rfc9440":
		return forwarded.RFC9440{From: from}
	case len(d.Verify) == 0:
		return nil
	case d.Format == "rfc9440":
		return forwarded.HAProxy{From: from, Header: d.Header, Format: forwarded.FormatByteSequence}
	}
	return forwarded.HAProxy{From: from, Header: d.Header, ChainHeader: d.Chain.Header}
}

func headerOf(t *testing.T, d captureSource, from forwarded.Gate) forwarded.Header {
	t.Helper()
	formats := map[string]forwarded.Format{
		"base64-der": forwarded.FormatBase64DER, "rfc9440": forwarded.FormatByteSequence, "url-pem": forwarded.FormatURLPEM, "spaced-pem": forwarded.FormatSpacedPEM,
	}
	require.Contains(t, formats, d.Format)
	require.Empty(t, d.Chain.Header)
	require.Empty(t, d.Fingerprint.Header)
	require.Empty(t, d.Absent)
	source := forwarded.Header{From: from, Name: d.Header, Format: formats[d.Format]}
	for _, flag := range d.Verify {
		source.Require = append(source.Require, forwarded.Flag{Header: flag.Header, Value: flag.Equals})
	}
	return source
}

// assertReads compares what the source reads with what the capture says it should read, so that no
// condition is lost.
func assertReads(t *testing.T, source certauth.Source, d captureSource) {
	t.Helper()
	want := []string{fold(d.Header)}
	for _, flag := range d.Verify {
		want = append(want, fold(flag.Header))
	}
	if d.Fingerprint.Header != "" {
		want = append(want, fold(d.Fingerprint.Header))
	}
	if d.Chain.Header != "" && d.Chain.Format != "numbered-spaced-pem" {
		want = append(want, fold(d.Chain.Header))
	}
	var have []string
	for _, name := range headersOf(t, source) {
		numbered := d.Chain.Format == "numbered-spaced-pem" && strings.HasPrefix(name, d.Chain.Header)
		unread := d.Chain.Header == "" && name == "Client-Cert-Chain"
		if !numbered && !unread {
			have = append(have, fold(name))
		}
	}
	assert.ElementsMatch(t, want, have)
}
