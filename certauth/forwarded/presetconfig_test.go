package forwarded_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// withoutFrom returns every source of the package with all required fields except From.
func withoutFrom() map[string]certauth.Source {
	return map[string]certauth.Source{
		"APIManagement": forwarded.APIManagement{}, "ApplicationGateway": forwarded.ApplicationGateway{}, "ContainerApps": forwarded.ContainerApps{}, "Nginx": forwarded.Nginx{}, "IngressNginx": forwarded.IngressNginx{},
		"HAProxy": forwarded.HAProxy{}, "Apache": forwarded.Apache{}, "Caddy": forwarded.Caddy{}, "Traefik": forwarded.Traefik{}, "Envoy": forwarded.Envoy{}, "RFC9440": forwarded.RFC9440{}, "ALB": forwarded.ALB{}, "CloudFront": forwarded.CloudFront{},
		"GoogleLB": forwarded.GoogleLB{}, "Cloudflare": forwarded.Cloudflare{}, "Kong": forwarded.Kong{}, "CloudFoundry": forwarded.CloudFoundry{},
		"FrontDoor": forwarded.FrontDoor{ProfileID: profileID, Format: forwarded.FormatURLPEM}, "Header": forwarded.Header{Name: "X-Mine", Format: forwarded.FormatURLPEM},
		"AppService": forwarded.AppService{},
	}
}

// sourceTypes reads from the code which exported types of this package have the method Prepare of
// certauth.Source.
func sourceTypes(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var types []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			method, ok := declaration.(*ast.FuncDecl)
			if !ok || method.Recv == nil || method.Name.Name != "Prepare" {
				continue
			}
			receiver := method.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if identifier, ok := receiver.(*ast.Ident); ok && identifier.IsExported() {
				types = append(types, identifier.Name)
			}
		}
	}
	slices.Sort(types)
	require.Len(t, types, 20)
	return types
}

// A new preset is in the tables, or this test fails.
func TestPresets_TheTableIsComplete(t *testing.T) {
	covered := map[string]bool{"AppService": true} // by its own tables
	for _, d := range presets() {
		kind, _, _ := strings.Cut(d.name, " ")
		covered[kind] = true
	}
	for _, name := range sourceTypes(t) {
		assert.True(t, covered[name], "%s is missing from the tables", name)
		assert.Contains(t, withoutFrom(), name)
	}
}

// CVE-2024-10039 Keycloak: no source trusts every sender by default. The gate of App Service is its
// own evidence.
func TestTrust_SourceWithoutFromIsRefused(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for _, name := range sourceTypes(t) {
		t.Run(name, func(t *testing.T) {
			source := withoutFrom()[name]
			require.NotNil(t, source)
			auth, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
			r := presets()[0].request(p.client.Certificate)
			if name == "AppService" {
				require.NoError(t, err)
				_, err = read(t, source, r)
				assert.Equal(t, certauth.ReasonCertificateMissing, reasonOf(err))
				return
			}
			assert.Nil(t, auth)
			assert.EqualError(t, err, "certauth: 1 mistake in Config:\nSource: "+name+".From: not set; say who may send the header")
		})
	}
}

// Every mistake in a preset's fields is an error of New with its path.
func TestPresets_MistakesAreErrorsOfNew(t *testing.T) {
	p := newPartner(t)
	from := fromTens()
	flag := []forwarded.Flag{{Header: "X-Ok", Value: "yes"}}
	header := func(change func(*forwarded.Header)) forwarded.Header {
		h := forwarded.Header{From: from, Name: "X-Mine", Format: forwarded.FormatURLPEM}
		change(&h)
		return h
	}
	for _, tc := range []struct {
		name   string
		source certauth.Source
		want   string
	}{
		{"a gate with a mistake", forwarded.Nginx{From: forwarded.Peers()}, "Source: Nginx.From: Peers: empty"},
		{"a nil gate of a type", forwarded.Nginx{From: (*wrapped)(nil)}, "Source: Nginx.From: nil gate"},
		{"a gate with a mistake in FrontDoor", forwarded.FrontDoor{From: forwarded.Peers(), ProfileID: profileID, Format: forwarded.FormatURLPEM}, "Source: FrontDoor.From: Peers: empty"},
		{"no profile", forwarded.FrontDoor{From: from, Format: forwarded.FormatURLPEM}, "Source: FrontDoor.ProfileID: not set"},
		{"a profile of spaces", forwarded.FrontDoor{From: from, ProfileID: "  ", Format: forwarded.FormatURLPEM}, "Source: FrontDoor.ProfileID: not set"},
		{"finding R30: a profile with a space", forwarded.FrontDoor{From: from, ProfileID: profileID + " ", Format: forwarded.FormatURLPEM}, "Source: FrontDoor.ProfileID: leading or trailing space"},
		{"finding R30: a profile with a line end inside", forwarded.FrontDoor{From: from, ProfileID: profileID + "\n" + profileID, Format: forwarded.FormatURLPEM}, "Source: FrontDoor.ProfileID: byte 0x0a"},
		{"finding R30: a verification with a line end", forwarded.FrontDoor{From: from, ProfileID: profileID, Format: forwarded.FormatURLPEM, VerifyValue: "SUCCESS\n"}, "Source: FrontDoor.VerifyValue: leading or trailing space"},
		{"finding R30: a verification of spaces", forwarded.FrontDoor{From: from, ProfileID: profileID, Format: forwarded.FormatURLPEM, VerifyValue: " "}, "Source: FrontDoor.VerifyValue: leading or trailing space"},
		{"finding R30: a flag with NUL", header(func(h *forwarded.Header) { h.Require = []forwarded.Flag{{Header: "X-Ok", Value: "y\x00s"}} }), "Source: Header.Require[0].Value: byte 0x00"},
		{"finding R30: a flag with DEL", header(func(h *forwarded.Header) { h.Require = []forwarded.Flag{{Header: "X-Ok", Value: "y\x7fs"}} }), "Source: Header.Require[0].Value: byte 0x7f"},
		{"finding R30: a flag that is too long", header(func(h *forwarded.Header) {
			h.Require = []forwarded.Flag{{Header: "X-Ok", Value: strings.Repeat("y", 1025)}}
		}), "Source: Header.Require[0].Value: 1025 bytes, want at most 1024"},
		{"finding R30: a proxy with a space", forwarded.Envoy{From: from, Hops: 2, By: []string{"spiffe://sidecar "}}, "Source: Envoy.By[0]: leading or trailing space"},
		{"finding R30: a proxy beyond ASCII", forwarded.Envoy{From: from, Hops: 2, By: []string{"spiffe://s\u00efdecar"}}, "Source: Envoy.By[0]: byte 0xc3"},
		{"finding S62: a proxy with a comma, which Envoy does not quote", forwarded.Envoy{From: from, Hops: 2, By: []string{"spiffe://a,b"}}, `Source: Envoy.By[0]: "spiffe://a,b" has a separator`},
		{"finding S62: a proxy with a space inside", forwarded.Envoy{From: from, Hops: 2, By: []string{"spiffe://a b"}}, `Source: Envoy.By[0]: "spiffe://a b" has a separator`},
		{"no format in FrontDoor", forwarded.FrontDoor{From: from, ProfileID: profileID}, "Source: FrontDoor.Format: not set"},
		{"an unknown format in FrontDoor", forwarded.FrontDoor{From: from, ProfileID: profileID, Format: 99}, "Source: FrontDoor.Format: "},
		{"two headers of one name", forwarded.Nginx{From: from, Header: "X-Client-Verify"}, "Source: Nginx.header: "},
		{"two headers that differ by an underscore", forwarded.Nginx{From: from, Header: "X-Cert", VerifyHeader: "X_Cert"}, "are the same header to proxies and servers"},
		{"two headers that differ by a dot and letters", forwarded.Nginx{From: from, Header: "X-Cert", FingerprintHeader: "x.cert"}, "are the same header to proxies and servers"},
		{"the gate's header is the certificate's", forwarded.Kong{From: forwarded.SharedSecret("x_client_cert", secret)}, "Source: Kong.header: "},
		{"the chain's header is the certificate's", forwarded.HAProxy{From: from, ChainHeader: "X-SSL-Client-Cert"}, "Source: HAProxy.header: "},
		{"a numbered chain header is a flag", forwarded.HAProxy{From: from, ChainHeader: "X-SSL", ChainNumbered: true, UsedHeader: "X-SSL-3"}, "Source: HAProxy.header: "},
		{"used and verify are one", forwarded.HAProxy{From: from, UsedHeader: "X-Ok", VerifyHeader: "X-OK"}, "Source: HAProxy.header: "},
		{"the error header is the present header", forwarded.GoogleLB{From: from, ErrorHeader: "X-Client-Cert-Present"}, "Source: GoogleLB.header: "},
		{"the gateway's header is the client's", forwarded.APIManagement{From: forwarded.AppServiceCertificate(certauth.Certificates(p.client.Certificate)), Header: "X-ARR-ClientCert"}, "Source: APIManagement.header: "},
		{"a name that is no token", forwarded.Nginx{From: from, Header: "X Client Cert"}, "Source: header name"},
		{"a name that is too long", forwarded.Nginx{From: from, Header: strings.Repeat("X", 64)}, "Source: header name"},
		{"a name of spaces", forwarded.Nginx{From: from, VerifyHeader: " "}, "Source: Nginx.header: a name is empty"},
		{"a format that HAProxy does not write", forwarded.HAProxy{From: from, Format: forwarded.FormatURLPEM}, "Source: HAProxy.Format: "},
		{"a format that Caddy does not write", forwarded.Caddy{From: from, Format: forwarded.FormatSpacedPEM}, "Source: Caddy.Format: "},
		{"a format that nobody knows", forwarded.Caddy{From: from, Format: -1}, "Source: Caddy.Format: "},
		{"a numbered chain without a name", forwarded.HAProxy{From: from, ChainNumbered: true}, "Source: HAProxy.ChainNumbered: set without ChainHeader"},
		{"passthrough that verifies", forwarded.ApplicationGateway{From: from, Passthrough: true, FrontEndVerifies: true}, "Source: ApplicationGateway.FrontEndVerifies: contradicts Passthrough"},
		{"Header without a name", header(func(h *forwarded.Header) { h.Name = "" }), "Source: Header."},
		{"Header without a format", header(func(h *forwarded.Header) { h.Format = forwarded.FormatUnspecified }), "Source: Header.Format: not set"},
		{"Header with an unknown format", header(func(h *forwarded.Header) { h.Format = 99 }), "Source: Header.Format: "},
		{"Header with half a chain: the name", header(func(h *forwarded.Header) { h.ChainName = "X-Chain" }), "Source: Header.ChainName and ChainFormat: "},
		{"Header with half a chain: the format", header(func(h *forwarded.Header) { h.ChainFormat = forwarded.ChainBase64Numbered }), "Source: Header.ChainName and ChainFormat: "},
		{"Header with an unknown chain", header(func(h *forwarded.Header) { h.ChainName, h.ChainFormat = "X-Chain", 99 }), "Source: Header.ChainFormat: 99"},
		{"Header with half a fingerprint: the name", header(func(h *forwarded.Header) { h.FingerprintName = "X-Sum" }), "Source: Header.fingerprint: "},
		{"Header with half a fingerprint: the hash", header(func(h *forwarded.Header) { h.FingerprintHash = forwarded.HashSHA1 }), "Source: Header.fingerprint: "},
		{"Header with an unknown hash", header(func(h *forwarded.Header) { h.FingerprintName, h.FingerprintHash = "X-Sum", 99 }), "Source: Header.FingerprintHash: 99"},
		{"Header with a flag of spaces", header(func(h *forwarded.Header) { h.Require = []forwarded.Flag{{Header: "X-Ok", Value: "yes "}} }), "Source: Header.Require[0].Value: "},
		{"Header with a flag without a name", header(func(h *forwarded.Header) { h.Require = []forwarded.Flag{{Value: "yes"}} }), "Source: Header.header: a name is empty"},
		{"Header with a flag twice", header(func(h *forwarded.Header) { h.Require = slices.Concat(flag, flag) }), "Source: Header.header: "},
		{"Header that verifies without a flag", header(func(h *forwarded.Header) { h.FrontEndVerifies = true }), "Source: Header.FrontEndVerifies: "},
		{"Header that verifies by an absent flag", header(func(h *forwarded.Header) {
			h.FrontEndVerifies, h.Require = true, []forwarded.Flag{{Header: "X-Error", Absent: true}}
		}), "Source: Header.FrontEndVerifies: "},
		{"Header with a flag that may hold nothing", header(func(h *forwarded.Header) { h.Require = []forwarded.Flag{{Header: "X-Ok"}} }), "Source: Header.Require[0].Value: empty"},
		{"Header with a flag that is there and not", header(func(h *forwarded.Header) {
			h.Require = []forwarded.Flag{flag[0], {Header: "X-Error", Value: "no", Absent: true}}
		}), "Source: Header.Require[1]: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{Source: tc.source, Policy: p.chain()})
			assert.Nil(t, auth)
			assert.ErrorContains(t, err, tc.want)
		})
	}
	t.Run("all at once", func(t *testing.T) {
		_, err := certauth.New(certauth.Config{Source: forwarded.HAProxy{Format: forwarded.FormatURLPEM, ChainNumbered: true, UsedHeader: "X-SSL-Client-Cert"}, Policy: p.chain()})
		require.Error(t, err)
		lines := strings.Split(err.Error(), "\n")
		require.Len(t, lines, 5, err)
		assert.Equal(t, "certauth: 4 mistakes in Config:", lines[0])
		for _, line := range lines[1:] {
			assert.True(t, strings.HasPrefix(line, "Source: HAProxy."), line)
		}
	})
}

// The headers that each preset reads, and therefore removes, if only From is set: the names in its
// documentation.
func TestPresets_Defaults(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for name, want := range map[string]string{
		"APIManagement": "X-Client-Cert", "ApplicationGateway": "X-Client-Certificate X-Client-Certificate-Verification", "FrontDoor": "X-Azure-ClientCertificate", "ContainerApps": "X-Forwarded-Client-Cert",
		"Nginx": "X-Client-Cert X-Client-Verify", "IngressNginx": "ssl-client-cert ssl-client-verify", "HAProxy": "X-SSL-Client-Cert X-SSL-Client-Used X-SSL-Client-Verify", "Apache": "SSL_CLIENT_CERT SSL_CLIENT_VERIFY", "Caddy": "X-Client-Cert",
		"Traefik": "X-Forwarded-Tls-Client-Cert", "Envoy": "X-Forwarded-Client-Cert", "RFC9440": "Client-Cert Client-Cert-Chain", "ALB": "X-Amzn-Mtls-Clientcert-Leaf", "CloudFront": "CloudFront-Viewer-Cert-Pem CloudFront-Viewer-Cert-Present CloudFront-Viewer-Cert-Sha256",
		"GoogleLB": "Client-Cert Client-Cert-Chain X-Client-Cert-Present X-Client-Cert-Chain-Verified X-Client-Cert-Error", "Cloudflare": "Cf-Client-Cert-Der-Base64 Cf-Cert-Verified Cf-Cert-Revoked Cf-Cert-Fingerprint-Sha256", "Kong": "X-Client-Cert",
		"CloudFoundry": "X-Forwarded-Client-Cert", "Header": "X-Mine",
	} {
		t.Run(name, func(t *testing.T) {
			source := withFrom(withoutFrom()[name], fromTens())
			assert.ElementsMatch(t, strings.Fields(want), headersOf(t, source))
			auth, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
			require.NoError(t, err)
			assert.Contains(t, auth.String(), "forwarded."+name+" (")
			assert.Contains(t, auth.String(), "Peers(10.0.0.0/8, fe80::/64)")
			assert.False(t, prepared(t, source).FrontEndVerifies)
		})
	}
}
