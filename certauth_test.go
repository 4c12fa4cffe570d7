// Package certauth_test is the acceptance test of the module: it imports the packages as a user
// does and uses real listeners. The names are those of the security record; the id in a comment is
// that of the advisory or issue against which a test protects.
package certauth_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	gotypes "go/types"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

const module = "github.com/seed2886b8ae/go-certauth"

// evidence holds the headers that App Service's front end writes in addition to the certificate.
var evidence = []string{"X-ARR-LOG-ID: 0dd50cc5-af94-4852-abb4-8ade0c022c5d", "X-ARR-SSL: 2048|256|CN=CA|CN=*.azurewebsites.net", "X-AppService-Proto: https"}

// spellings of X-ARR-ClientCert that CGI-like layers treat as the same name.
var spellings = []string{"X_ARR_ClientCert", "X.ARR.ClientCert", "X-ARR_ClientCert", "x_arr.clientcert"}

// service is a backend on a real listener, and what it has received.
type service struct {
	*httptest.Server
	auth   *certauth.Authenticator
	mutex  sync.Mutex
	events []certauth.Event
	served []http.Header
}

// start puts the middleware in front of a handler that answers 200 and names the caller.
func start(t *testing.T, config certauth.Config) *service {
	t.Helper()
	s := &service{}
	config.Observe = func(_ context.Context, e certauth.Event) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.events = append(s.events, e)
	}
	auth, err := certauth.New(config)
	require.NoError(t, err)
	s.auth = auth
	s.listen(t, auth.Handler(http.HandlerFunc(s.serve)))
	return s
}

func (s *service) listen(t *testing.T, handler http.Handler) {
	t.Helper()
	s.Server = httptest.NewUnstartedServer(handler)
	s.Config.ConnContext = certauth.ConnContext
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Start()
	t.Cleanup(s.Close)
}

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // after the body the trailers are available
	s.mutex.Lock()
	s.served = append(s.served, r.Header.Clone())
	s.mutex.Unlock()
	if id, ok := certauth.FromContext(r.Context()); ok {
		_, _ = io.WriteString(w, "hello "+id.Leaf.Subject.CommonName)
		return
	}
	_, _ = io.WriteString(w, "anonymous")
}

// reason returns the reason of the last decision.
func (s *service) reason() certauth.Reason {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.events[len(s.events)-1].Reason()
}

func (s *service) calls() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.served)
}

// answer is a response that was read completely.
type answer struct {
	status int
	header http.Header
	body   string
}

// raw sends the lines unchanged and reads the answer.
func (s *service) raw(t *testing.T, lines ...string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, strings.Join(lines, "\r\n"))
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	return read(t, response)
}

// request is a GET with the evidence and the given header lines.
func request(target string, lines ...string) []string {
	return slices.Concat([]string{"GET " + target + " HTTP/1.1", "Host: app.example"}, evidence, lines, []string{"", ""})
}

func read(t *testing.T, response *http.Response) answer {
	t.Helper()
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(body)}
}

func get(t *testing.T, client *http.Client, url string, header http.Header) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := client.Do(r)
	require.NoError(t, err)
	return read(t, response)
}

func onAppService(t *testing.T) {
	t.Helper()
	t.Setenv("WEBSITE_SITE_NAME", "orders")
	t.Setenv("WEBSITE_INSTANCE_ID", "0123456789abcdef")
}

// partner returns a CA with one client, and a policy that accepts its clients.
func partner(t *testing.T) (*certauthtest.CA, *certauthtest.Certificate, certauth.Policy) {
	t.Helper()
	ca := certauthtest.NewCA(t, "Partner Root")
	client := ca.Issue(t, "orders", certauthtest.DNS("orders.partner.example"))
	return ca, client, certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
}

func carrying(c *certauthtest.Certificate) string { return "X-ARR-ClientCert: " + c.Base64() }

// mistakes builds a configuration that must be refused, and checks that the error names every path.
func mistakes(t *testing.T, config certauth.Config, paths ...string) {
	t.Helper()
	auth, err := certauth.New(config)
	require.Error(t, err)
	assert.Nil(t, auth)
	for _, path := range paths {
		assert.ErrorContains(t, err, path)
	}
}

func policyMistake(t *testing.T, policy certauth.Policy, path string) {
	t.Helper()
	mistakes(t, certauth.Config{Source: certauth.TLS{}, Policy: policy}, path)
}

// CVE-2026-27586 Caddy: an unreadable CA file gave a nil pool, which means the system's roots.
func TestFailOpen_NilOrEmptyRootPoolIsRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	var typedNil certauth.CertFunc
	for name, roots := range map[string]certauth.CertSource{
		"nil":                           nil,
		"a nil function":                typedNil,
		"no certificate":                certauth.Certificates(),
		"a nil certificate":             certauth.Certificates(nil),
		"an unparsed certificate":       certauth.Certificates(&x509.Certificate{}),
		"empty PEM":                     certauth.PEM(""),
		"text without PEM":              certauth.PEM("partner roots go here"),
		"an empty file":                 certauth.PEMFile(empty),
		"a missing file":                certauth.PEMFile(empty + ".not"),
		"a folder":                      certauth.PEMFile(t.TempDir()),
		"a function that gives nothing": certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { return nil, nil }),
		"a function that panics":        certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) { panic("vault") }),
		"a leaf":                        certauth.Certificates(certauthtest.SelfSigned(t, "no CA").Certificate),
	} {
		t.Run(name, func(t *testing.T) { policyMistake(t, certauth.Chain{Roots: roots}, "Policy.Chain.Roots") })
	}
}

// caddytls without a CA, autocert's nil HostPolicy, the zero Options of rs/cors.
func TestFailOpen_ZeroAuthenticatorDeniesEverything(t *testing.T) {
	_, client, _ := partner(t)
	for name, auth := range map[string]*certauth.Authenticator{"zero": {}, "nil": nil} {
		t.Run(name, func(t *testing.T) {
			s := &service{}
			s.listen(t, auth.Handler(http.HandlerFunc(s.serve)))
			for _, lines := range [][]string{request("/"), request("/", carrying(client)), request("/health")} {
				assert.Equal(t, http.StatusUnauthorized, s.raw(t, lines...).status)
			}
			route := &service{}
			route.listen(t, auth.Require(certauth.DNSNames{"a.example"})(http.HandlerFunc(route.serve)))
			assert.Equal(t, http.StatusUnauthorized, route.raw(t, request("/", carrying(client))...).status)
			assert.Zero(t, s.calls()+route.calls())
			id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			assert.Nil(t, id)
			assert.ErrorIs(t, err, certauth.ReasonNotConfigured)
			assert.Error(t, auth.Reload(t.Context()))
		})
	}
}

// pantheon-systems/go-certauth: without checkers every caller was accepted.
func TestFailOpen_EmptyPolicyIsRefused(t *testing.T) {
	mistakes(t, certauth.Config{}, "Source: nil", "Policy: nil")
	policyMistake(t, certauth.All{}, "Policy.All: empty")
	policyMistake(t, certauth.Any{}, "Policy.Any: empty")
}

// cca #87; allowIssuer({}) and allowSubject({}) matched every certificate.
func TestFailOpen_EmptyCombinatorsAndMatchersAreRefused(t *testing.T) {
	_, _, chain := partner(t)
	for path, empty := range map[string]certauth.Policy{
		"All": certauth.All{}, "Any": certauth.Any{}, "Not": certauth.Not{}, "Named": certauth.Named{Policy: chain},
		"Thumbprints": certauth.Thumbprints{}, "ThumbprintsSHA1": certauth.ThumbprintsSHA1{}, "PublicKeys": certauth.PublicKeys{},
		"Certificates": certauth.Certificates(), "Subject": certauth.Subject{}, "IssuerName": certauth.IssuerName{},
		"CommonNames": certauth.CommonNames{}, "Organizations": certauth.Organizations{}, "OrganizationalUnits": certauth.OrganizationalUnits{},
		"DNSNames": certauth.DNSNames{}, "URIs": certauth.URIs{}, "SPIFFEIDs": certauth.SPIFFEIDs{}, "Emails": certauth.Emails{}, "IPs": certauth.IPs{},
		"UPNs": certauth.UPNs{}, "IssuedBy": certauth.IssuedBy{}, "Extension": certauth.Extension{OID: "1.2.3"}, "Validity": certauth.Validity{},
		"Keys": certauth.Keys{}, "Denied": certauth.Denied{}, "NotRevoked": certauth.NotRevoked{}, "PolicyFunc": certauth.PolicyFunc{Name: "none"}, "Matched": certauth.Matched{}, "Matched[0]": certauth.Matched{""},
		"DNSNames[0]": certauth.DNSNames{""}, "CommonNames[0]": certauth.CommonNames{""}, "Subject[0]": certauth.Subject{""},
	} {
		t.Run(path, func(t *testing.T) {
			policyMistake(t, certauth.All{chain, empty}, "Policy.All[1]."+path)
			policyMistake(t, certauth.All{chain, certauth.Any{certauth.All{empty}, chain}}, "Policy.All[1].Any[0].All[0]."+path)
		})
	}
}

// AspNetCore.Docs #14176, cca #224, Azure's samples: anybody can self-sign any name.
func TestFailOpen_NameOnlyPolicyIsRefused(t *testing.T) {
	pin := certauth.Thumbprints{strings.Repeat("ab", 32)}
	for _, name := range []certauth.Policy{
		certauth.Subject{"CN=a"},
		certauth.IssuerName{"CN=a"},
		certauth.CommonNames{"a"},
		certauth.Organizations{"a"},
		certauth.OrganizationalUnits{"a"},
		certauth.DNSNames{"a.example"},
		certauth.URIs{"urn:a"},
		certauth.SPIFFEIDs{"spiffe://a"},
		certauth.Emails{"@a.example"},
		certauth.IPs{"10.0.0.1"},
		certauth.UPNs{"a@b"},
		certauth.Extension{OID: "1.2.3", Present: true},
		certauth.Not{Policy: certauth.CommonNames{"a"}},
		certauth.IssuedBy{Thumbprints: pin},
		certauth.PolicyFunc{Name: "f", Func: func(context.Context, *certauth.Identity) error { return nil }},
		certauth.Validity{MaxLifetime: time.Hour},
		certauth.Keys{MinRSABits: 3072},
		certauth.Denied{PublicKeys: []string{strings.Repeat("ab", 32)}},
	} {
		t.Run(fmt.Sprintf("%T", name), func(t *testing.T) {
			policyMistake(t, name, "Policy")
			policyMistake(t, certauth.Any{pin, certauth.Named{Name: "n", Policy: name}}, "Policy.Any[1]")
		})
	}
	policyMistake(t, certauth.All{certauth.DNSNames{"a.example"}, pin}, "Policy.All[0].DNSNames")
}

// cca #105, connectrpc/authn-go: "no result and no error" let the request pass.
func TestFailOpen_CheckYieldsIdentityXorError(t *testing.T) {
	_, client, chain := partner(t)
	for name, answer := range map[string]func() ([]*x509.Certificate, error){
		"nothing at all":          func() ([]*x509.Certificate, error) { return nil, nil },
		"an empty list":           func() ([]*x509.Certificate, error) { return []*x509.Certificate{}, nil },
		"a nil certificate":       func() ([]*x509.Certificate, error) { return []*x509.Certificate{nil}, nil },
		"an unparsed certificate": func() ([]*x509.Certificate, error) { return []*x509.Certificate{{}}, nil },
		"certificate and error":   func() ([]*x509.Certificate, error) { return []*x509.Certificate{client.Certificate}, io.EOF },
		"an error without text":   func() ([]*x509.Certificate, error) { return nil, &certauth.Error{} },
		"a typed nil error": func() ([]*x509.Certificate, error) {
			return []*x509.Certificate{client.Certificate}, (*certauth.Error)(nil)
		},
		"a panic":                  func() ([]*x509.Certificate, error) { panic("decoder") },
		"a certificate (accepted)": func() ([]*x509.Certificate, error) { return []*x509.Certificate{client.Certificate}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			auth, err := certauth.New(certauth.Config{
				Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) { return answer() }}, Policy: chain,
			})
			require.NoError(t, err)
			id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			assert.NotEqual(t, id == nil, err == nil, "identity %v, error %v", id, err)
			assert.Equal(t, strings.HasSuffix(name, "(accepted)"), err == nil, "%v", err)
		})
	}
}

// cca #105 and the typed nil of Go interfaces.
func TestFailOpen_NilPolicyIsRefused(t *testing.T) {
	_, _, chain := partner(t)
	for name, none := range map[string]certauth.Policy{"nil": nil, "typed nil": (*certauth.Chain)(nil)} {
		t.Run(name, func(t *testing.T) {
			policyMistake(t, none, "Policy: nil")
			policyMistake(t, certauth.All{chain, none}, "Policy.All[1]: nil")
			policyMistake(t, certauth.Any{chain, none}, "Policy.Any[1]: nil")
			policyMistake(t, certauth.All{chain, certauth.Not{Policy: none}}, "Policy.All[1].Not: nil")
			policyMistake(t, certauth.Named{Name: "n", Policy: none}, "nil policy")
			policyMistake(t, certauth.All{chain, certauth.NotRevoked{Checker: (*checker)(nil)}}, "Policy.All[1].NotRevoked.Checker")
		})
	}
	mistakes(t, certauth.Config{Source: (*forwarded.AppService)(nil), Policy: chain}, "Source: nil")
}

type checker struct{}

func (*checker) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// cca #223, #106; options of auth0/go-jwt-middleware that silently replace each other.
func TestFailOpen_HalfSetOrContradictingFieldsAreRefused(t *testing.T) {
	ca, _, chain := partner(t)
	pins := []string{strings.Repeat("ab", 32)}
	mistakes(t, certauth.Config{
		Source: certauth.SourceFunc{}, Policy: chain, Challenge: "bad\r\nX-Header: 1", ReloadInterval: time.Millisecond,
		Exclusions: []certauth.Exclusion{
			{Path: "/health"},
			{Path: "health", Reason: "r", Control: "c"},
			{Path: "/a/*", Reason: "r", Control: "c"},
			{Method: "get", Path: "/a", Reason: "r", Control: "c"},
			{Path: "/b", Reason: "r", Control: "c"},
			{Path: "/b", Reason: "r", Control: "c"},
			{Path: "/c", Reason: "r", Control: "c", AppServiceHealth: true},
		},
	}, "Source: SourceFunc.Name", "Source: SourceFunc.Func", "Challenge", "ReloadInterval", "Exclusions[0].Reason", "Exclusions[0].Control", "Exclusions[1].Path",
		"Exclusions[2].Path", "Exclusions[3].Method", "Exclusions[5].Path", "Exclusions[6].AppServiceHealth", "11 mistakes")
	for path, policy := range map[string]certauth.Policy{
		"IssuedBy":           certauth.IssuedBy{Thumbprints: pins, PublicKeys: pins},
		"Extension":          certauth.Extension{OID: "1.2.3", Text: []string{"a"}, Present: true},
		"Extension.OID":      certauth.Extension{Present: true},
		"Chain.MaxDepth":     certauth.Chain{Roots: certauth.Certificates(ca.Certificate), MaxDepth: -1},
		"Validity.ClockSkew": certauth.Validity{ClockSkew: -time.Second},
		"Keys.MinRSABits":    certauth.Keys{MinRSABits: 1024},
		"Denied.Serials[0]":  certauth.Denied{Serials: []certauth.IssuerSerial{{Serial: "01"}}},
		"NotRevoked.Checker": certauth.NotRevoked{},
		"Not.Chain":          certauth.Not{Policy: chain},
	} {
		t.Run(path, func(t *testing.T) { policyMistake(t, certauth.All{chain, policy}, "Policy.All[1]."+path) })
	}
	policyMistake(t, certauth.All{certauth.Validity{ClockSkew: time.Second}, certauth.Validity{ClockSkew: time.Minute}, chain}, "Policy.All[1].Validity.ClockSkew")
	mistakes(t, certauth.Config{Source: forwarded.AppService{From: forwarded.EveryGate()}, Policy: chain}, "Source: AppService.From: EveryGate: empty")
}

// cca fallbackToSocket; opensearch #6287; fleet-telemetry #171.
func TestFailOpen_NoFallbackBetweenHeaderAndTLS(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	for _, tc := range []struct {
		name    string
		source  certauth.Source
		tls     bool
		header  bool
		want    certauth.Reason
		allowed bool
	}{
		{"header source, header", forwarded.AppService{}, false, true, certauth.ReasonNone, true},
		{"header source, TLS certificate", forwarded.AppService{}, true, false, certauth.ReasonCertificateMissing, false},
		{"header source, both", forwarded.AppService{}, true, true, certauth.ReasonSourceUntrusted, false},
		{"TLS source, TLS certificate", certauth.TLS{}, true, false, certauth.ReasonNone, true},
		{"TLS source, header", certauth.TLS{}, false, true, certauth.ReasonCertificateMissing, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := start(t, certauth.Config{Source: tc.source, Policy: chain})
			over := httptest.NewUnstartedServer(s.Config.Handler)
			over.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
			over.StartTLS()
			defer over.Close()
			caller := over.Client()
			if tc.tls {
				transport := caller.Transport.(*http.Transport).Clone()
				transport.TLSClientConfig.Certificates = []tls.Certificate{client.TLS()}
				caller = &http.Client{Transport: transport}
				defer caller.CloseIdleConnections()
			}
			header := http.Header{}
			for _, line := range evidence {
				name, value, _ := strings.Cut(line, ": ")
				header.Set(name, value)
			}
			if tc.header {
				header.Set("X-ARR-ClientCert", client.Base64())
			}
			got := get(t, caller, over.URL, header)
			assert.Equal(t, tc.want, s.reason())
			assert.Equal(t, tc.allowed, got.status == http.StatusOK)
		})
	}
}

// go-chi/jwtauth: a permissive first step, and a second one that can be forgotten.
func TestFailOpen_RouteRuleWithoutIdentityDenies(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	config := certauth.Config{
		Source: forwarded.AppService{}, Policy: chain, Optional: true,
		Exclusions: []certauth.Exclusion{{Path: "/open", Reason: "test", Control: "test"}},
	}
	s := start(t, config)
	other := start(t, config)
	route := s.auth.Require(certauth.DNSNames{"orders.partner.example"})(http.HandlerFunc(s.serve))
	for _, tc := range []struct {
		name    string
		handler http.Handler
		lines   []string
		want    int
	}{
		{"a known caller", s.auth.Handler(route), request("/", carrying(client)), 200},
		{"an anonymous caller", s.auth.Handler(route), request("/"), 401},
		{"an excluded path", s.auth.Handler(route), request("/open", carrying(client)), 401},
		{"Handler was forgotten", route, request("/", carrying(client)), 401},
		{"Handler of another Authenticator", other.auth.Handler(route), request("/", carrying(client)), 401},
		{"known, and not allowed", s.auth.Handler(s.auth.Require(certauth.DNSNames{"billing.partner.example"})(http.HandlerFunc(s.serve))), request("/", carrying(client)), 403},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := s.calls()
			on := &service{}
			on.listen(t, tc.handler)
			assert.Equal(t, tc.want, on.raw(t, tc.lines...).status)
			assert.Equal(t, tc.want == 200, s.calls() > before)
		})
	}
}

// ghostunnel auth.ACL: AllowAll overrides the other rules.
func TestFailOpen_AcceptAnyoneStandsAlone(t *testing.T) {
	_, _, chain := partner(t)
	peers, anybody := forwarded.Peers("10.0.0.0/8"), forwarded.InsecureAnyPeer()
	for name, from := range map[string]forwarded.Gate{
		"or with a real gate":  forwarded.AnyGate(peers, anybody),
		"and with a real gate": forwarded.EveryGate(anybody, peers),
		"deeper":               forwarded.EveryGate(peers, forwarded.AnyGate(anybody, forwarded.UnixSocket())),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: from}, Policy: chain})
			assert.ErrorContains(t, err, "InsecureAnyPeer")
		})
	}
	_, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: anybody}, Policy: chain})
	assert.NoError(t, err)
}

// ASP.NET certificate forwarding; Tomcat GHSA-95jq-rwvf-vjx4: unreadable became "none".
func TestFailOpen_MalformedIsNeverAbsent(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	good := client.Base64()
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain, Optional: true})
	for name, value := range map[string]string{
		"one character": "A", "not base64": "!!!!", "base64 of text": "bm90IGEgY2VydGlmaWNhdGU=", "cut": good[:len(good)-8],
		"null": "(null)", "PEM": "-----BEGIN CERTIFICATE-----", "twice": good + "," + good, "a trailing byte": good + "AAAA",
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, http.StatusUnauthorized, s.raw(t, request("/", "X-ARR-ClientCert: "+value)...).status)
			assert.Equal(t, certauth.ReasonCertificateMalformed, s.reason())
		})
	}
	assert.Zero(t, s.calls())
}

// The same for everything else that can be wrong with a certificate.
func TestFailOpen_OptionalModeGivesNoIdentityOnFailure(t *testing.T) {
	onAppService(t)
	ca, client, chain := partner(t)
	now := time.Now()
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: certauth.All{chain, certauth.DNSNames{"orders.partner.example"}}, Optional: true})
	names := certauthtest.DNS("orders.partner.example")
	for _, tc := range []struct {
		name   string
		lines  []string
		want   certauth.Reason
		status int
	}{
		{"no certificate is anonymous", request("/"), certauth.ReasonCertificateMissing, 200},
		{"self-signed", request("/", carrying(certauthtest.SelfSigned(t, "orders", names))), certauth.ReasonChainUntrusted, 401},
		{"expired", request("/", carrying(ca.Issue(t, "orders", names, certauthtest.Valid(now.Add(-2*time.Hour), now.Add(-time.Hour))))), certauth.ReasonCertificateExpired, 401},
		{"another name", request("/", carrying(ca.Issue(t, "orders"))), certauth.ReasonNameNotAllowed, 401},
		{"for servers only", request("/", carrying(ca.Issue(t, "orders", names, certauthtest.Usage(x509.ExtKeyUsageServerAuth)))), certauth.ReasonUsageNotAllowed, 401},
		{"without evidence", []string{"GET / HTTP/1.1", "Host: a", carrying(client), "", ""}, certauth.ReasonSourceUntrusted, 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := s.raw(t, tc.lines...)
			assert.Equal(t, tc.status, got.status)
			assert.NotContains(t, got.body, "hello")
			if tc.status != 200 {
				assert.Equal(t, tc.want, s.reason())
			}
		})
	}
	assert.Equal(t, "hello orders", s.raw(t, request("/", carrying(client))...).body)
}

// pantheon-systems/go-certauth, Azure's WebForms sample: a request without a certificate got 200.
func TestFailOpen_MissingCertificateIsDenied(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain})
	front := certauthtest.NewAppService(t, s.URL)
	assert.Equal(t, http.StatusUnauthorized, get(t, front.Client(nil), front.URL, nil).status)
	assert.Equal(t, certauth.ReasonCertificateMissing, s.reason())
	assert.Zero(t, s.calls())
	assert.Equal(t, "hello orders", get(t, front.Client(client), front.URL, nil).body)
}

// CVE-2026-54762 Traefik: requests were served although the secret could not be resolved.
func TestFailOpen_UnloadableRuleDataDenies(t *testing.T) {
	_, client, chain := partner(t)
	missing := filepath.Join(t.TempDir(), "missing")
	policyMistake(t, certauth.ThumbprintsFrom(certauth.PinFile(missing)), "Policy.ThumbprintsFrom")
	policyMistake(t, certauth.PublicKeysFrom(certauth.Env("CERTAUTH_TEST_NOT_SET")), "Policy.PublicKeysFrom")
	policyMistake(t, certauth.All{chain, certauth.IssuedBy{Certificates: certauth.PEMFile(missing)}}, "Policy.All[1].IssuedBy.Certificates")
	_, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: chain, Exclusions: []certauth.Exclusion{{Path: "/h", Reason: "r", Control: "c", AppServiceHealth: true}}})
	require.ErrorContains(t, err, "Exclusions[0].AppServiceHealth")

	// Later: a rule that cannot answer denies.
	onAppService(t)
	for name, rule := range map[string]certauth.Policy{
		"an error":  certauth.PolicyFunc{Name: "store", Func: func(context.Context, *certauth.Identity) error { return errors.New("database is down") }},
		"a panic":   certauth.PolicyFunc{Name: "store", Func: func(context.Context, *certauth.Identity) error { panic("nil map") }},
		"no status": certauth.NotRevoked{Checker: silent{}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: certauth.All{chain, rule}})
			assert.Equal(t, http.StatusUnauthorized, s.raw(t, request("/", carrying(client))...).status)
			assert.Zero(t, s.calls())
		})
	}
}

type silent struct{}

func (silent) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{}, nil
}

// gorilla/csrf CVE-2025-24358: the tests built requests that no server ever receives.
func TestFailOpen_RealListenerDeniesWhatUnitTestsDeny(t *testing.T) {
	onAppService(t)
	ca, client, chain := partner(t)
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: certauth.All{chain, certauth.CommonNames{"orders"}}})
	for _, tc := range []struct {
		name  string
		lines []string
		want  certauth.Reason
	}{
		{"accepted", request("/", carrying(client)), certauth.ReasonNone},
		{"spaces around the value are the transport's", request("/", "x-arr-clientcert:  "+client.Base64()+" \t"), certauth.ReasonNone},
		{"no header", request("/"), certauth.ReasonCertificateMissing},
		{"an empty header", request("/", "X-ARR-ClientCert:"), certauth.ReasonCertificateMissing},
		{"only spaces", request("/", "X-ARR-ClientCert:   "), certauth.ReasonCertificateMissing},
		{"an alias alone", request("/", "X_ARR_ClientCert: "+client.Base64()), certauth.ReasonCertificateMissing},
		{"obs-fold", request("/", "X-ARR-ClientCert: "+client.Base64()[:64], " "+client.Base64()[64:]), certauth.ReasonCertificateMalformed},
		{"two lines", request("/", carrying(client), carrying(client)), certauth.ReasonCertificateMalformed},
		{"no evidence", []string{"GET / HTTP/1.1", "Host: a", carrying(client), "", ""}, certauth.ReasonSourceUntrusted},
		{"another partner", request("/", carrying(certauthtest.SelfSigned(t, "orders"))), certauth.ReasonChainUntrusted},
		{"another name", request("/", carrying(ca.Issue(t, "billing"))), certauth.ReasonNameNotAllowed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status := http.StatusUnauthorized
			if tc.want == certauth.ReasonNone {
				status = http.StatusOK
			}
			assert.Equal(t, status, s.raw(t, tc.lines...).status)
			assert.Equal(t, tc.want, s.reason())
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.Join(tc.lines, "\r\n"))))
			require.NoError(t, err)
			recorder := httptest.NewRecorder()
			s.Config.Handler.ServeHTTP(recorder, r)
			assert.Equal(t, status, recorder.Code)
			assert.Equal(t, tc.want, s.reason())
		})
	}
}

// CVE-2026-30851 Caddy, CVE-2026-33433 Traefik and similar: whatever happens to a request, no later
// handler sees a spelling of the header.
func TestTrust_HeadersAreStrippedOnEveryPath(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	stranger := certauthtest.SelfSigned(t, "stranger")
	var denied []http.Header
	config := certauth.Config{
		Source: forwarded.AppService{From: forwarded.EveryGate(forwarded.Peers("127.0.0.1", "::1"), forwarded.SharedSecret("X-Gate", "correct horse battery"))},
		Policy: chain,
		Deny: func(w http.ResponseWriter, r *http.Request, _ *certauth.Error) {
			denied = append(denied, r.Header.Clone())
			w.WriteHeader(http.StatusUnauthorized)
		},
		Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "test", Control: "test"}},
	}
	forged := []string{"X_Gate: correct horse battery"}
	for _, name := range spellings {
		forged = append(forged, name+": "+stranger.Base64())
	}
	for _, optional := range []bool{false, true} {
		for _, reportOnly := range []bool{false, true} {
			config.Optional, config.InsecureReportOnly = optional, reportOnly
			s := start(t, config)
			for name, lines := range map[string][]string{
				"accepted": {carrying(client)}, "denied": {carrying(stranger)}, "malformed": {"X-ARR-ClientCert: ?"}, "absent": {}, "untrusted": {carrying(client), "X-Gate: twice"},
			} {
				for _, path := range []string{"/orders", "/health"} {
					t.Run(fmt.Sprintf("%s %s, optional %t, report only %t", name, path, optional, reportOnly), func(t *testing.T) {
						denied, s.served = nil, nil
						got := s.raw(t, request(path, slices.Concat(lines, []string{"X-Gate: correct horse battery"}, forged)...)...)
						seen := slices.Concat(denied, s.served)
						require.Len(t, seen, 1, "status %d", got.status)
						for header := range seen[0] {
							folded := strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(header))
							assert.NotContains(t, []string{"x-arr-clientcert", "x-gate"}, folded, header)
						}
						assert.NotEmpty(t, seen[0]["X-Arr-Log-Id"], "evidence stays for logs")
					})
				}
			}
		}
	}
}

// CVE-2026-88004 Traefik: only one side checked trailers.
func TestTrust_TrailersAreNeverRead(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	for _, optional := range []bool{false, true} {
		for _, declared := range []bool{true, false} {
			t.Run(fmt.Sprintf("optional %t, declared %t", optional, declared), func(t *testing.T) {
				s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain, Optional: optional})
				var late http.Header
				s.Config.Handler = s.auth.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					_, err := io.Copy(io.Discard, r.Body)
					assert.NoError(t, err)
					late = r.Trailer.Clone()
					s.serve(w, r)
				}))
				lines := slices.Concat([]string{"POST / HTTP/1.1", "Host: app.example", "Transfer-Encoding: chunked"}, evidence)
				if declared {
					lines = append(lines, "Trailer: X-ARR-ClientCert")
				}
				lines = append(lines, "", "1", "a", "0", carrying(client), "", "")
				got := s.raw(t, lines...)
				if !optional {
					assert.Equal(t, http.StatusUnauthorized, got.status)
					assert.Equal(t, certauth.ReasonCertificateMissing, s.reason())
					return
				}
				assert.Equal(t, "anonymous", got.body)
				assert.NotContains(t, s.served[0], "X-Arr-Clientcert", "never merged")
				assert.NotContains(t, late, "X-Arr-Clientcert", "nor left among the trailers")
			})
		}
	}
}

// CVE-2024-45410, CVE-2026-29054, CVE-2021-32813 Traefik; CVE-2021-33197 Go; oathkeeper
// GHSA-w9mr-28mw-j8hg: the client makes a hop drop the proxy's header.
func TestTrust_ConnectionNamingOurHeaderIsRefused(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain, Optional: true, Exclusions: []certauth.Exclusion{{Path: "/health", Reason: "test", Control: "test"}}})
	for _, tc := range []struct {
		name  string
		lines []string
		want  certauth.Reason
	}{
		{"another header is the client's business", []string{"Connection: close, X-Other"}, certauth.ReasonNone},
		{"a longer name is another header", []string{"Connection: X-ARR-ClientCert-2"}, certauth.ReasonNone},
		{"the header", []string{"Connection: X-ARR-ClientCert"}, certauth.ReasonCertificateMalformed},
		{"in other letters, among others", []string{"Connection: close,x-aRR-clientcert ,foo"}, certauth.ReasonCertificateMalformed},
		{"in a second line", []string{"Connection: close", "Connection: X-ARR-ClientCert"}, certauth.ReasonCertificateMalformed},
		{"in another spelling", []string{"Connection: x_arr_clientcert"}, certauth.ReasonCertificateMalformed},
		{"the evidence", []string{"Connection: x-arr-ssl"}, certauth.ReasonCertificateMalformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			assert.Equal(t, tc.want == certauth.ReasonNone, s.raw(t, request("/", append(tc.lines, carrying(client))...)...).status == 200)
			assert.Equal(t, tc.want, s.reason())
			if tc.want != certauth.ReasonNone { // nor without the header: the client may have caused its absence
				assert.Equal(t, 401, s.raw(t, request("/", tc.lines...)...).status)
			}
		})
	}
}

// cca #220, CVE-2026-45045 fiber: the first of two lines won, and it was the client's.
func TestTrust_RepeatedHeaderLineIsRefused(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	stranger := certauthtest.SelfSigned(t, "stranger")
	for _, optional := range []bool{false, true} {
		s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain, Optional: optional})
		for _, tc := range []struct {
			name  string
			lines []string
			want  certauth.Reason
		}{
			{"one line is read", []string{carrying(client)}, certauth.ReasonNone},
			{"the same line twice", []string{carrying(client), carrying(client)}, certauth.ReasonCertificateMalformed},
			{"a client's line before the proxy's", []string{carrying(stranger), carrying(client)}, certauth.ReasonCertificateMalformed},
			{"a client's line after it, in other letters", []string{carrying(client), "x-arr-clientcert: " + stranger.Base64()}, certauth.ReasonCertificateMalformed},
			{"an empty line before it", []string{"X-ARR-ClientCert:", carrying(client)}, certauth.ReasonCertificateMalformed},
			{"two empty lines", []string{"X-ARR-ClientCert:", "X-ARR-ClientCert:"}, certauth.ReasonCertificateMalformed},
		} {
			t.Run(fmt.Sprintf("%s, optional %t", tc.name, optional), func(t *testing.T) {
				assert.Equal(t, tc.want == certauth.ReasonNone, s.raw(t, request("/", tc.lines...)...).status == 200)
				assert.Equal(t, tc.want, s.reason())
			})
		}
	}
}

// Row 20 of the adversarial list: net/http answers before any handler runs.
func TestTrust_BrokenHeaderLinesNeverReachUs(t *testing.T) {
	onAppService(t)
	_, client, chain := partner(t)
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: chain, Optional: true})
	for name, line := range map[string]string{
		"a bare LF in the value": "X-ARR-ClientCert: " + client.Base64()[:64] + "\n" + client.Base64()[64:], "a space before the colon": "X-ARR-ClientCert : " + client.Base64(),
		"a name that is no token": "X-ARR-Client(Cert): " + client.Base64(), "NUL in the value": "X-ARR-ClientCert: \x00" + client.Base64(),
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, http.StatusBadRequest, s.raw(t, request("/", line)...).status) })
	}
	assert.Zero(t, s.calls()+len(s.events))
}

// denials causes one refusal of every reason through a real listener.
func denials(t *testing.T, deny func(http.ResponseWriter, *http.Request, *certauth.Error)) map[certauth.Reason]answer {
	t.Helper()
	_, _, chain := partner(t)
	answers := map[certauth.Reason]answer{}
	for _, spec := range constants(t, "certauth/reason.go", "Reason") {
		reason := certauth.Reason(spec)
		if reason == certauth.ReasonNone {
			continue
		}
		s := start(t, certauth.Config{Policy: chain, Deny: deny, Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) {
			return nil, &certauth.Error{Reason: reason, Err: errors.New("secret detail of " + spec), Hint: "secret hint"}
		}}})
		answers[reason] = s.raw(t, request("/<script>?q=reflected")...)
		require.Equal(t, reason, s.reason())
	}
	require.GreaterOrEqual(t, len(answers), 21)
	return answers
}

// cca #113; CrossOriginProtection prints its error to the client.
func TestResponse_BodyIsTheSameForEveryReason(t *testing.T) {
	answers := denials(t, nil)
	first := answers[certauth.ReasonCertificateMissing]
	assert.JSONEq(t, `{"type":"about:blank","title":"Unauthorized","status":401}`, first.body)
	for reason, got := range answers {
		got.header.Del("Date")
		first.header.Del("Date")
		assert.Equal(t, first, got, reason)
	}
}

// RFC 9110, section 15.5.2; RFC 9440, section 2.4.
func TestResponse_DenialCarriesChallengeAndNoStore(t *testing.T) {
	silent := func(http.ResponseWriter, *http.Request, *certauth.Error) {}
	broken := func(w http.ResponseWriter, _ *http.Request, _ *certauth.Error) {
		w.Header().Del("Www-Authenticate")
		w.Header().Del("Cache-Control")
		w.WriteHeader(http.StatusOK)
	}
	for name, deny := range map[string]func(http.ResponseWriter, *http.Request, *certauth.Error){"by default": nil, "a silent hook": silent, "a hook that says 200": broken} {
		for reason, got := range denials(t, deny) {
			assert.Equal(t, http.StatusUnauthorized, got.status, "%s, %s", reason, name)
			assert.Equal(t, []string{`ClientCertificate realm="client-certificate"`}, got.header["Www-Authenticate"], "%s, %s", reason, name)
			assert.Equal(t, []string{"no-store"}, got.header["Cache-Control"], "%s, %s", reason, name)
		}
	}
}

// CVE-2026-41181 Traefik, CVE-2026-33758 OpenBao: the error page received the secrets.
func TestResponse_DenialHandlerSeesNoCertificateHeader(t *testing.T) {
	onAppService(t)
	_, _, chain := partner(t)
	value := certauthtest.SelfSigned(t, "stranger").Base64()
	var page bytes.Buffer
	s := start(t, certauth.Config{
		Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", "correct horse battery")}, Policy: chain,
		Deny: func(_ http.ResponseWriter, r *http.Request, err *certauth.Error) {
			_ = r.Write(&page)
			fmt.Fprint(&page, err, err.Hint, r.Context())
		},
	})
	lines := []string{"X-Gate: correct horse battery", "X-ARR-ClientCert: " + value}
	for _, name := range spellings {
		lines = append(lines, name+": "+value)
	}
	assert.Equal(t, http.StatusUnauthorized, s.raw(t, request("/", lines...)...).status)
	assert.Contains(t, page.String(), string(certauth.ReasonChainUntrusted))
	assert.NotContains(t, page.String(), value)
	assert.NotContains(t, page.String(), "correct horse")
}

// bifrost asgard, CVE-2026-46358 OpenBao: the header was logged, and its redaction was wrong.
func TestLog_HeaderValueNeverAppears(t *testing.T) {
	onAppService(t)
	ca, client, chain := partner(t)
	var log bytes.Buffer
	s := start(t, certauth.Config{
		Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", "correct horse battery")}, Policy: chain,
		Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.Level(-100), AddSource: true})),
	})
	good := client.Base64()
	values := []string{
		good, certauthtest.SelfSigned(t, "stranger").Base64(), ca.Issue(t, "old", certauthtest.Valid(time.Unix(0, 0), time.Unix(1, 0))).Base64(),
		good[:len(good)-4], good + "AAAA", good + ", " + good, "-----BEGIN CERTIFICATE----- " + good, strings.Repeat(good, 30), "Hash=" + good, ":" + good + ":", " " + good[:40],
		good[:40] + "QR==", // bits beyond the last byte
	}
	for _, value := range values {
		for _, secret := range []string{"correct horse battery", "wrong horse battery staple"} {
			s.raw(t, request("/", "X-Gate: "+secret, "X-ARR-ClientCert: "+value)...)
		}
	}
	require.Contains(t, log.String(), string(certauth.ReasonCertificateMalformed))
	require.Contains(t, log.String(), string(certauth.OutcomeAccepted))
	for _, value := range values {
		for from := 0; from+24 <= len(value); from++ {
			if window := value[from : from+24]; strings.Contains(log.String(), window) {
				require.Failf(t, "header value in the log", "%q", window)
			}
		}
	}
	assert.NotContains(t, log.String(), "horse")
}

// CVE-2026-42507 net/textproto, CVE-2020-36567 gin, CVE-2024-45808 Envoy.
func TestLog_ClientTextIsQuotedAndCut(t *testing.T) {
	onAppService(t)
	ca, client, chain := partner(t)
	records := &records{}
	hostile := "x\n\x1b[2Jlevel=INFO msg=accepted \u202e" + strings.Repeat("A", 4000)
	name := certauthtest.Subject(pkix.Name{CommonName: hostile})
	other := certauthtest.NewCA(t, "other", name)
	s := start(t, certauth.Config{Source: forwarded.AppService{}, Policy: certauth.All{chain, certauth.DNSNames{"a.example"}, certauth.CommonNames{"a"}}, Logger: slog.New(records)})
	plain := []string{"GET / HTTP/1.1", "Host: a", evidence[0], evidence[1], carrying(client)}
	s.raw(t, slices.Concat(plain, []string{"X-AppService-Proto: http\u202e" + strings.Repeat("p", 4000), "", ""})...)
	for _, c := range []*certauthtest.Certificate{
		ca.Issue(t, "x", name), other.Issue(t, "x"), ca.Issue(t, "x", certauthtest.DNS("a\x1b[2J.example", strings.Repeat("a", 3000))),
	} {
		s.raw(t, request("/", carrying(c))...)
	}
	require.GreaterOrEqual(t, len(records.texts), 5)
	for _, text := range records.texts[1:] { // the first is the operator's own policy
		assert.LessOrEqual(t, len(text), 640, text)
		for _, c := range []byte(text) {
			assert.True(t, c >= 0x20 && c <= 0x7E, "byte %#x in %q", c, text)
		}
	}
}

// records stores the texts of a log before any handler quotes them.
type records struct {
	slog.Handler
	texts []string
}

func (*records) Enabled(context.Context, slog.Level) bool { return true }

func (h *records) Handle(_ context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		h.texts = append(h.texts, a.Value.String())
		return true
	})
	return nil
}

func goList(t *testing.T, arguments ...string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list"}, arguments...)...).Output()
	require.NoError(t, err)
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestModule_CoreLinksTheStandardLibraryAlone(t *testing.T) {
	for _, path := range goList(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./certauth", "./certauth/forwarded") {
		assert.True(t, path == "" || strings.HasPrefix(path, module+"/certauth") || strings.HasPrefix(path, module+"/internal/"), path)
	}
}

// layers lists what each package of the module may import besides the standard library; a name is a
// prefix unless it ends in "$".
var layers = map[string][]string{
	"internal/":                     {"internal/", "golang.org/x/crypto/"},
	"certauth$":                     {"internal/"},
	"certauth/forwarded$":           {"internal/", "certauth$"},
	"certauth/revocation$":          {"internal/", "certauth$", "certauth/revocation/evidence$", "certauth/revocation/fetch$", "golang.org/x/crypto/"},
	"certauth/revocation/evidence$": {"internal/", "golang.org/x/crypto/"},
	"certauth/revocation/fetch$":    {"internal/"},
	"certauth/revocation/dirstore$": {"certauth/revocation$"},
	"certauth/outbound$":            {"internal/", "software.sslmate.com/src/go-pkcs12$"},
	// The tests of certauth itself import certauthtest, so code that needs certauth is in a
	// separate package.
	"certauth/certauthtest$":         {"internal/", "golang.org/x/crypto/"},
	"certauth/certauthtest/unittest": {"certauth$", "certauth/certauthtest$", "internal/source$"},
	"examples/":                      {"certauth$", "certauth/"},
}

func layerOf(path string, names []string) (string, bool) {
	for _, name := range names {
		if exact, ok := strings.CutSuffix(name, "$"); ok && path == exact || !ok && strings.HasPrefix(path, name) {
			return name, true
		}
	}
	return "", false
}

func TestModule_Layers(t *testing.T) {
	names := []string{}
	for name := range layers {
		names = append(names, name)
	}
	seen := 0
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		if fields[0] == module {
			continue // this test
		}
		layer, ok := layerOf(strings.TrimPrefix(fields[0], module+"/"), names)
		if !assert.True(t, ok, "%s is in no layer", fields[0]) {
			continue
		}
		seen++
		for _, imported := range fields[1:] {
			own := strings.TrimPrefix(imported, module+"/")
			if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
				continue
			}
			_, allowed := layerOf(own, layers[layer])
			assert.True(t, allowed, "%s must not import %s", fields[0], imported)
		}
	}
	assert.GreaterOrEqual(t, seen, 3)
}

// exports bounds the exported top-level names of a package, aliases included. Each is listed under
// the reason to export it.
var exports = map[string]struct {
	most    int
	because map[string]string
}{
	"certauth": {100, map[string]string{
		"what a program makes and sets up":     "Authenticator Config New ConnContext Exclusion",
		"what a handler asks":                  "Identity FromContext Peer PeerOf",
		"where the certificate comes from":     "Source SourceFunc TLS",
		"anchors":                              "Chain Thumbprints ThumbprintsSHA1 PublicKeys ThumbprintsFrom ThumbprintsSHA1From PublicKeysFrom AcceptServerAuth",
		"who issued it":                        "IssuedBy IssuerName",
		"what it names":                        "Subject CommonNames Organizations OrganizationalUnits DNSNames Emails IPs UPNs URIs SPIFFEIDs Extension",
		"its dates, key and standing":          "Validity Keys NotRevoked Denied IssuerSerial",
		"combinations, roles, your own":        "Policy All Any Not Named Matched PolicyFunc",
		"material that is read again":          "CertSource Certificates CertDir CertFile CertFunc PEM PEMFile Env PinSource PinFile PinFunc InsecureSystemRoots",
		"what a checker answers":               "Revocation RevocationChecker RevocationStatus RevocationUnavailable RevocationGood RevocationRevoked RevocationUnknown RevocationWaived",
		"what is reported":                     "Event CertificateInfo Outcome OutcomeAccepted OutcomeAnonymous OutcomeDenied OutcomeExcluded OutcomeReported",
		"refusals":                             "Error Reason ReasonNone",
		"refusals: nothing, or from elsewhere": "ReasonCertificateMissing ReasonCertificateMalformed ReasonSourceUntrusted ReasonFrontEndUnverified",
		"refusals: the certificate":            "ReasonCertificateDenied ReasonCertificateExpired ReasonCertificateIsCA ReasonCertificateNotYetValid ReasonCertificateRevoked ReasonChainUntrusted ReasonExtensionNotAllowed ReasonIssuerNotAllowed ReasonKeyNotAllowed ReasonLifetimeNotAllowed ReasonNameNotAllowed ReasonPinMismatch ReasonPolicyRefused ReasonUsageNotAllowed",
		"refusals: the service":                "ReasonInternalError ReasonNotConfigured ReasonOverloaded ReasonRequestCanceled ReasonRevocationUnavailable ReasonRevocationUnknown",
	}},
	"certauth/revocation": {70, map[string]string{
		"what a program makes and asks":                 "Checker Config New",
		"fields of Config of a type of their own":       "Mode Scope Sources Responder List Store",
		"values of Mode, Scope and Sources":             "HardFail SoftFail ChainExceptAnchor LeafOnly PreferOCSP PreferCRL OCSPOnly CRLOnly",
		"what Check, Stats and Config.Observe tell":     "ChainResult Finding Stats Event",
		"fields of Config that evidence and fetch own":  "VerifyOptions NonceMode NonceOff NonceSend NonceRequire HTTPOptions Fetcher Request Response",
		"what a Result says":                            "Result Status Unavailable Good Revoked Unknown NotApplicable Source SourceNone SourceOCSP SourceCRL",
		"evidence judged without a Checker":             "VerifyOCSP VerifyCRL",
		"the Checker or its Config is the cause":        "ErrNoSource ErrClosed ErrNotReady ErrBudget ErrOverloaded ErrBreakerOpen",
		"the caller is the cause":                       "ErrArgument ErrIssuerMismatch",
		"the evidence is the cause":                     "ErrMalformed ErrBadSignature ErrNotFresh ErrCRLIssuer ErrCRLScope ErrResponderStatus",
		"the way to the evidence is, as a Fetcher says": "ErrBlockedURL ErrBlockedAddress ErrTransport ErrTimeout ErrHTTPStatus ErrTooLarge",
	}},
}

// exported returns the exported names of a package's scope, without those of its tests.
func exported(t *testing.T, folder string) (names []string) {
	t.Helper()
	paths, err := filepath.Glob(folder + "/*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range paths {
		if !strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
		}
	}
	// Imported packages are not loaded, because the names do not depend on them.
	config := gotypes.Config{Error: func(error) {}, FakeImportC: true}
	checked, _ := config.Check(folder, set, files, nil)
	for _, name := range checked.Scope().Names() {
		if token.IsExported(name) {
			names = append(names, name)
		}
	}
	return names
}

func TestModule_ExportsHaveReasons(t *testing.T) {
	for folder, want := range exports {
		names := exported(t, folder)
		assert.LessOrEqual(t, len(names), want.most, folder)
		var reasoned []string
		for _, list := range want.because {
			reasoned = append(reasoned, strings.Fields(list)...)
		}
		assert.ElementsMatch(t, reasoned, names, folder)
	}
}

func TestModule_TopLevelHoldsNothingElse(t *testing.T) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			assert.Contains(t, []string{"README.md", "LICENSE", "go.mod", "go.sum", "certauth_test.go", "certauth", "internal", "examples", "testdata"}, entry.Name())
		}
	}
}

// sources parses the files of the library in a folder.
func sources(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	require.NotEmpty(t, files)
	return files
}

// types calls f for every exported type in a folder with its doc comment.
func types(t *testing.T, folder string, f func(spec *ast.TypeSpec, doc string)) {
	t.Helper()
	for _, file := range sources(t, folder) {
		for _, d := range file.Decls {
			if decl, ok := d.(*ast.GenDecl); ok && decl.Tok == token.TYPE {
				for _, s := range decl.Specs {
					if spec := s.(*ast.TypeSpec); spec.Name.IsExported() {
						f(spec, decl.Doc.Text()+spec.Doc.Text())
					}
				}
			}
		}
	}
}

// constants returns the values of the string constants of a type.
func constants(t *testing.T, name, kind string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	require.NoError(t, err)
	var values []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 {
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == kind {
				value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				require.NoError(t, err)
				values = append(values, value)
			}
		}
		return true
	})
	return values
}

// CVE-2022-29222 pion/dtls: a certificate was trusted without proof of its key.
func TestDocs_EverySourceSaysWhoProvedPossession(t *testing.T) {
	found := map[string]bool{}
	for folder, wanted := range map[string][]string{
		"certauth":           {"Who proved possession"},
		"certauth/forwarded": {"Verified:", "Overwritten:", "Refused:", "To verify before going live"},
	} {
		methods := map[string]bool{}
		for _, file := range sources(t, folder) {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "Prepare" {
					receiver := f.Recv.List[0].Type
					if star, ok := receiver.(*ast.StarExpr); ok {
						receiver = star.X
					}
					methods[receiver.(*ast.Ident).Name] = true
				}
			}
		}
		types(t, folder, func(spec *ast.TypeSpec, doc string) {
			if !methods[spec.Name.Name] {
				return
			}
			found[spec.Name.Name] = true
			for _, sentence := range wanted {
				assert.Contains(t, doc, sentence, spec.Name.Name)
			}
		})
	}
	for _, name := range []string{"TLS", "SourceFunc", "AppService"} {
		assert.True(t, found[name], name)
	}
}

// CVE-2025-66491 Traefik: a verification switch had the opposite meaning. Zero is strict: a switch
// that weakens is named Insecure and says what can happen; any other is listed.
func TestFailOpen_ZeroFieldIsTheStrictOne(t *testing.T) {
	harmless := map[string]string{
		"Chain.StrictEKU":            "true asks for more",
		"Extension.Present":          "one of three of which exactly one must be set, so its zero never accepts",
		"Peer.Socket":                "a result; false opens no unix-socket gate",
		"Revocation.Stale":           "a result: what a Checker was told to accept",
		"Envoy.JSON":                 "reads another form of the same header, and no other",
		"Event.Route":                "a report of what was decided",
		"Config.LogRepeats":          "what is logged, not who comes in",
		"Config.Optional":            "lets through without an identity what offers nothing; handlers look at FromContext",
		"Exclusion.AppServiceHealth": "true asks for more",
		"CertificateInfo.Verified":   "a report of what was decided",
		// Selects the form that is read; the policy still needs its anchor.
		"ApplicationGateway.Passthrough": "demands another flag", "ALB.Passthrough": "reads the chain as well", "RFC9440.Chain": "reads the chain as well", "HAProxy.ChainNumbered": "reads the chain in parts",
		"Flag.Absent": "a flag with neither Value nor Absent is an error",
		// Not an anchor by itself, and named accordingly: it applies only if a flag has exactly the
		// required value, and String() reports it.
		"ApplicationGateway.FrontEndVerifies": "needs SUCCESS", "Nginx.FrontEndVerifies": "needs SUCCESS", "IngressNginx.FrontEndVerifies": "needs SUCCESS", "Apache.FrontEndVerifies": "needs SUCCESS",
		"HAProxy.FrontEndVerifies": "needs used and verify", "GoogleLB.FrontEndVerifies": "needs verified", "Cloudflare.FrontEndVerifies": "needs verified and not revoked", "Header.FrontEndVerifies": "needs a flag with a value",
		"Cloudflare.RFC9440": "reads another header, under the same flags",
	}
	seen := map[string]bool{}
	for _, folder := range []string{"certauth", "certauth/forwarded"} {
		types(t, folder, func(spec *ast.TypeSpec, _ string) {
			structure, ok := spec.Type.(*ast.StructType)
			if !ok {
				return
			}
			for _, field := range structure.Fields.List {
				kind, ok := field.Type.(*ast.Ident)
				for _, name := range field.Names {
					if !ok || kind.Name != "bool" || !name.IsExported() {
						continue
					}
					path := spec.Name.Name + "." + name.Name
					seen[path] = true
					if strings.HasPrefix(name.Name, "Insecure") {
						assert.Contains(t, field.Doc.Text(), "What can happen", path)
						continue
					}
					assert.Contains(t, harmless, path, "a bool that may weaken; name it Insecure or say here why not")
				}
			}
		})
	}
	for _, path := range []string{"Config.InsecureReportOnly", "AppService.InsecureOutsideAppService", "Chain.StrictEKU", "Extension.Present", "Peer.Socket"} {
		assert.True(t, seen[path], path)
	}
	assert.Equal(t, certauth.RevocationUnavailable, certauth.Revocation{}.Status)
}

// snippetsAreCompiled checks that every Go snippet of a document is contained, word for word, in a
// file that the tests compile, and returns the text.
func snippetsAreCompiled(t *testing.T, document string, atLeast int) string {
	t.Helper()
	words := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	var compiled []string
	for _, pattern := range []string{"certauth/example*_test.go", "certauth/*/example*_test.go", "examples/*/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			compiled = append(compiled, words(string(content)))
		}
	}
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	blocks := strings.Split(string(text), "```go\n")
	require.Greater(t, len(blocks), atLeast, "snippets")
	for _, block := range blocks[1:] {
		snippet, _, closed := strings.Cut(block, "\n```")
		require.True(t, closed)
		if strings.HasPrefix(snippet, "package ") { // to be copied as it is
			_, err := parser.ParseFile(token.NewFileSet(), document, snippet, parser.SkipObjectResolution)
			assert.NoError(t, err)
		}
		// The comment of a program's package applies to its own folder.
		assert.True(t, slices.ContainsFunc(compiled, func(file string) bool { return strings.Contains(file, words(snippet)) }), snippet)
	}
	return string(text)
}

func TestRunbook_EverySnippetIsCompiled(t *testing.T) {
	snippetsAreCompiled(t, ".github/RUNBOOK.md", 2)
}

func TestREADME_EverySnippetIsCompiled(t *testing.T) {
	readme := snippetsAreCompiled(t, "README.md", 2)
	lines := strings.Split(readme, "\n")
	assert.LessOrEqual(t, len(lines), 200)
	assert.Less(t, slices.Index(lines, "package main"), 15, "a program on the first screen")
	assert.Contains(t, readme, "go run ./examples/quickstart")
	assert.Contains(t, readme, "go test ./...")
}

// Every finding that a test names is in the list.
func TestFindings_EachThatATestNamesIsInTheList(t *testing.T) {
	list, err := os.ReadFile(".github/FINDINGS.md")
	require.NoError(t, err)
	named := regexp.MustCompile(`\bfindings? [TSRCKNPO][0-9]+(?:(?:, | and )[TSRCKNPO][0-9]+)*`)
	id := regexp.MustCompile(`[TSRCKNPO][0-9]+`)
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		for _, comment := range named.FindAll(content, -1) {
			for _, one := range id.FindAll(comment, -1) {
				seen[string(one)] = true
			}
		}
		return err
	}))
	assert.Greater(t, len(seen), 60)
	for one := range seen {
		assert.Contains(t, string(list), "**"+one+"**")
	}
}

// Every name in the README's tables exists, and every reason is in its table.
func TestREADME_NamesWhatExists(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, reason := range constants(t, "certauth/reason.go", "Reason") {
		if reason == "" {
			continue
		}
		short := strings.TrimSuffix(reason, "not_allowed") // the table writes issuer_, name_, ... once
		assert.Contains(t, string(readme), short, reason)
	}
	known := map[string]bool{}
	for _, folder := range []string{"certauth", "certauth/forwarded"} {
		types(t, folder, func(spec *ast.TypeSpec, _ string) { known[spec.Name.Name] = true })
	}
	for _, match := range regexp.MustCompile("`(?:certauth|forwarded)\\.([A-Z][A-Za-z0-9]*)\\{\\}?").FindAllStringSubmatch(string(readme), -1) {
		assert.True(t, known[match[1]], match[0])
	}
}

// The walks through the code name existing functions and files, and each function is in its file.
func TestContributing_TheWalksNameWhatIsThere(t *testing.T) {
	text, err := os.ReadFile(".github/CONTRIBUTING.md")
	require.NoError(t, err)
	declared := map[string]bool{} // "file function"
	names := map[string]bool{}
	for _, folder := range []string{"certauth", "certauth/forwarded", "certauth/revocation", "certauth/revocation/evidence", "certauth/revocation/fetch", "internal/socket", "internal/reload", "internal/flight", "internal/factcache", "internal/chainsearch"} {
		files, err := filepath.Glob(folder + "/*.go")
		require.NoError(t, err)
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			names[filepath.Base(name)] = true
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					declared[filepath.Base(name)+" "+f.Name.Name] = true
				}
			}
		}
	}
	for _, match := range regexp.MustCompile(`[a-z_]+\.go\b`).FindAllString(string(text), -1) {
		assert.True(t, names[match], match)
	}
	walks := regexp.MustCompile("`(?:[A-Za-z]+\\.)?([A-Za-z]+)` \\((?:[a-z]+/)*([a-z]+\\.go)\\)").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(walks), 12)
	for _, match := range walks {
		assert.True(t, declared[match[2]+" "+match[1]], match[0])
	}
}
