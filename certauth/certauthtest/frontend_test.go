package certauthtest_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

const captures = "../../testdata/captures/"

type capturedRequest struct {
	ID, Config, Scenario string
	Client               struct {
		Certificates []string
		Resumed      bool
	}
	Request *struct {
		Status  int `json:"net_http_status"`
		Headers [][2]string
	}
	Expect []struct {
		Outcome, Leaf string
		Chain         []string
	}
}

// capturesOf returns the requests of one configuration that reached the application.
func capturesOf(t *testing.T, file, config string) []capturedRequest {
	t.Helper()
	content, err := os.ReadFile(captures + file + ".json")
	require.NoError(t, err)
	var all struct{ Captures []capturedRequest }
	require.NoError(t, json.Unmarshal(content, &all))
	return slices.DeleteFunc(all.Captures, func(c capturedRequest) bool {
		return c.Config != config || c.Request == nil || c.Request.Status != http.StatusOK
	})
}

func capturedCertificate(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(captures, "pki", name+".pem"))
	require.NoError(t, err)
	block, _ := pem.Decode(content)
	require.NotNil(t, block)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return cert
}

// The kit writes what the front end wrote in the captures, header by header, with a certificate and
// without. In the captures, some headers have other names.
func TestFrontEnd_ForwardWritesWhatWasCaptured(t *testing.T) {
	// Front ends without captures, with the origin of their form. All others are below.
	left := map[string]string{
		"APIManagement":    "the policy that its documentation gives",
		"Envoy/JSON":       "see TestFrontEnd_ForwardWritesEnvoysJSON",
		"FrontDoor":        "an assumption: no documentation gives the form",
		"HAProxy/numbered": "the lines that forwarded.HAProxy documents for ChainNumbered",
		"Kong":             "documentation",
	}
	alone := []string{"valid", "leaf-only", "http2-client", "full-handshake-tls1_2", "full-handshake-tls1_3", "no-certificate"}
	for _, tc := range []struct {
		name         string
		file, config string
		scenarios    []string
		headers      map[string]string // the kit's name, the capture's
		differs      map[string]string // reasons for which a header is compared in another test
		except       string            // a capture of another notation
		want         int
	}{
		{name: "Nginx", file: "nginx", config: "main", scenarios: alone, headers: map[string]string{"X-Client-Cert": "X-SSL-Client-Escaped-Cert", "X-Client-Verify": "X-SSL-Client-Verify", "X-Client-Fingerprint": "X-SSL-Client-Fingerprint"}, want: 7},
		{name: "IngressNginx", file: "ingress-nginx", config: "pass-certificate", scenarios: alone, want: 2},
		{name: "ApplicationGateway", file: "azure-application-gateway", config: "rewrite", scenarios: alone, want: 2},
		{name: "ApplicationGateway/passthrough", file: "azure-application-gateway", config: "rewrite-passthrough", scenarios: append(alone, "self-signed"), differs: map[string]string{"X-Client-Certificate-Verification": "has the word of the stand-in; the gateway's is from its documentation"}, want: 3},
		{name: "HAProxy", file: "haproxy", config: "guarded", scenarios: alone, want: 4},
		{name: "HAProxy/RFC9440", file: "haproxy", config: "guarded", scenarios: alone, want: 4},
		{name: "Apache", file: "apache", config: "main", scenarios: alone, want: 7},
		{name: "Caddy", file: "caddy-2.11.9", config: "verify_if_given", scenarios: alone, headers: map[string]string{"X-Client-Cert": "X-ARR-ClientCert", "X-Client-Fingerprint": "X-SSL-Client-Fingerprint"}, want: 5},
		{name: "Caddy/RFC9440", file: "caddy-2.11.9", config: "verify_if_given", scenarios: alone, headers: map[string]string{"X-Client-Cert": "Client-Cert", "X-Client-Fingerprint": "X-SSL-Client-Fingerprint"}, want: 5},
		{name: "Traefik", file: "traefik", config: "passtlsclientcert", scenarios: alone, want: 5},
		{name: "AppService", file: "azure-app-service", config: "stand-in", scenarios: alone, differs: map[string]string{"X-ARR-LOG-ID": "is another for each request", "X-ARR-SSL": "names the site"}, want: 5},
		{name: "Envoy", file: "envoy", config: "sanitize_set", scenarios: alone, want: 3},
		{name: "RFC9440", file: "rfc9440", config: "rfc", scenarios: []string{"valid"}, want: 3},
		{name: "RFC9440/chain", file: "rfc9440", config: "rfc", scenarios: []string{"valid"}, except: "rfc9440/rfc/chain-in-two-lines", want: 2},
		{name: "ALB", file: "clouds-constructed", config: "alb-verify", scenarios: []string{"valid-literal-plus-slash-equals"}, want: 1},
		{name: "ALB/passthrough", file: "clouds-constructed", config: "alb-passthrough", scenarios: []string{"chain", "self-signed"}, want: 2},
		{name: "CloudFront", file: "clouds-constructed", config: "cloudfront-required", scenarios: []string{"valid", "absent"}, want: 2},
		{name: "GoogleLB", file: "clouds-constructed", config: "gcp", scenarios: []string{"valid", "absent"}, want: 2},
		{name: "Cloudflare", file: "clouds-constructed", config: "cloudflare", scenarios: []string{"valid"}, want: 1},
		{name: "CloudFoundry", file: "clouds-constructed", config: "gorouter", scenarios: []string{"valid"}, want: 1},
		{name: "ContainerApps", file: "xfcc-constructed", config: "container-apps", scenarios: []string{"valid"}, want: 1},
	} {
		left[tc.name] = "compared"
		t.Run(tc.name, func(t *testing.T) {
			front, compared := certauthtest.FrontEnd{Name: tc.name, Headers: tc.headers}, 0
			for _, c := range capturesOf(t, tc.file, tc.config) {
				if !slices.Contains(tc.scenarios, c.Scenario) || c.ID == tc.except {
					continue
				}
				compared++
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header = http.Header{}
				front.Forward(t, r, captured(t, c), chainOf(t, c)...)
				have := http.Header{}
				for _, line := range c.Request.Headers {
					have.Add(line[0], line[1])
				}
				for name := range r.Header {
					if _, yes := tc.differs[originalName(name)]; yes {
						assert.NotEmpty(t, have.Get(name), name)
						continue
					}
					assert.Equal(t, have.Values(name), r.Header.Values(name), "%s: %s", c.ID, name)
				}
				for name := range have {
					if isOf(tc.name, tc.headers, name) {
						assert.Contains(t, r.Header, name, "%s: the front end wrote %s and the kit does not", c.ID, name)
					}
				}
			}
			assert.Equal(t, tc.want, compared, "captures of this configuration")
		})
	}
	assert.ElementsMatch(t, certauthtest.FrontEnds(), slices.Collect(maps.Keys(left)))
}

// The kit's Envoy has no URI in its own certificate, and therefore no "by" in JSON.
func TestFrontEnd_ForwardWritesEnvoysJSON(t *testing.T) {
	compared := 0
	for _, c := range capturesOf(t, "envoy", "json-sanitize_set") {
		compared++
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		certauthtest.FrontEnd{Name: "Envoy/JSON"}.Forward(t, r, captured(t, c), chainOf(t, c)...)
		for _, line := range c.Request.Headers {
			if line[0] == "X-Forwarded-Client-Cert" {
				assert.Equal(t, strings.Replace(line[1], `"by":["spiffe://cluster.local/ns/default/sa/app"],`, "", 1), r.Header.Get(line[0]))
			}
		}
		assert.NotEmpty(t, r.Header)
	}
	assert.Equal(t, 1, compared)
}

// A front end that overwrites headers removes what the client sent under these names, and nothing
// else.
func TestFrontEnd_ForwardOverwritesItsOwnHeadersAlone(t *testing.T) {
	for _, name := range certauthtest.FrontEnds() {
		t.Run(name, func(t *testing.T) {
			front, client := certauthtest.FrontEnd{Name: name}, certauthtest.SelfSigned(t, "client")
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			front.Forward(t, r, client)
			sets := r.Header.Clone()
			require.NotEmpty(t, sets)
			for header := range sets {
				r.Header[header] = []string{"forged", "forged"}
				r.Header["X.alias."+header] = []string{"alias"}
			}
			front.Forward(t, r, client)
			for header, values := range sets {
				assert.Equal(t, values, r.Header[header])
				assert.Equal(t, []string{"alias"}, r.Header["X.alias."+header])
			}
			front.Forward(t, r, nil)
			for header, values := range r.Header {
				assert.NotContains(t, strings.Join(values, ""), client.Base64()[:40], header)
			}
		})
	}
}

func TestFrontEnd_MistakesEndTheTest(t *testing.T) {
	for name, front := range map[string]certauthtest.FrontEnd{
		"no name": {}, "an unknown name": {Name: "Squid"}, "a header that it does not set": {Name: "Traefik", Headers: map[string]string{"X-Client-Cert": "X-Mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.PanicsWithValue(t, failed{}, func() { front.Forward(fakeTB{}, httptest.NewRequest(http.MethodGet, "/", nil), nil) })
		})
	}
}

// captured returns the certificates that the front end passed on according to the capture.
func captured(t *testing.T, c capturedRequest) *certauthtest.Certificate {
	t.Helper()
	if c.Expect[0].Leaf == "" {
		return nil
	}
	return &certauthtest.Certificate{Certificate: capturedCertificate(t, c.Expect[0].Leaf)}
}

func chainOf(t *testing.T, c capturedRequest) []*certauthtest.CA {
	t.Helper()
	var with []*certauthtest.CA
	for _, name := range c.Expect[0].Chain {
		with = append(with, &certauthtest.CA{Certificate: capturedCertificate(t, name)})
	}
	return with
}

// originalName undoes the canonicalization of the relevant names.
func originalName(name string) string {
	if original, ok := map[string]string{"X-Arr-Log-Id": "X-ARR-LOG-ID", "X-Arr-Ssl": "X-ARR-SSL"}[name]; ok {
		return original
	}
	return name
}

// isOf reports whether the front end sets the header, that is, whether Forward removes it.
func isOf(frontEnd string, headers map[string]string, name string) bool {
	r := &http.Request{Header: http.Header{name: {"of a client"}}}
	certauthtest.FrontEnd{Name: frontEnd, Headers: headers}.Forward(fakeTB{}, r, nil)
	return !slices.Contains(r.Header[name], "of a client")
}
