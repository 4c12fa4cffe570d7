package certauthtest_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"go/version"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"runtime"
	"slices"
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

// recorder is a TB that records its messages.
type recorder struct {
	t     *testing.T
	fatal string
	log   string
}

func (r *recorder) Helper()          { r.t.Helper() }
func (r *recorder) Cleanup(f func()) { r.t.Cleanup(f) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal += fmt.Sprintf(format, args...)
}
func (r *recorder) Logf(format string, args ...any) { r.log += fmt.Sprintf(format, args...) }

// wrongRows runs the table and returns the names of the rows that failed.
func wrongRows(t *testing.T, handler http.Handler, test certauthtest.HandlerTest) []string {
	t.Helper()
	r := &recorder{t: t}
	certauthtest.TestHandler(r, handler, test)
	assert.NotContains(t, r.fatal, "so the table proves nothing")
	assert.NotContains(t, r.fatal, "is not answered")
	var rows []string
	for line := range strings.Lines(r.fatal) {
		if rest, ok := strings.CutPrefix(line, `"`); ok {
			name, _, _ := strings.Cut(rest, `"`)
			rows = append(rows, name)
		}
	}
	return rows
}

// service is a handler into which a fault is introduced. Without a fault, the table finds nothing:
// see TestTestHandler_LetsNoRowIntoAnyPreset.
type service struct {
	partner
	config certauth.Config
	test   certauthtest.HandlerTest
}

func newService(t *testing.T, frontEnd string) *service {
	t.Helper()
	p := newPartner(t)
	return &service{p, certauth.Config{Source: sources[frontEnd](forwarded.Peers("127.0.0.1")), Policy: p.policy()}, p.test(frontEnd)}
}

// behind puts the fault in front of the library's handler, where middleware would be.
func (s *service) behind(t *testing.T, fault func(protected, open http.Handler) http.Handler) http.Handler {
	t.Helper()
	auth, err := certauth.New(s.config)
	require.NoError(t, err)
	return fault(auth.Handler(orders), orders)
}

// before is a fault that changes requests.
func before(change func(r *http.Request)) func(protected, open http.Handler) http.Handler {
	return func(protected, _ http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			protected.ServeHTTP(w, r)
		})
	}
}

// opens is a fault that admits requests.
func opens(when func(r *http.Request) bool) func(protected, open http.Handler) http.Handler {
	return func(protected, open http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if when(r) {
				open.ServeHTTP(w, r)
				return
			}
			protected.ServeHTTP(w, r)
		})
	}
}

const certHeader, verifyHeader = "X-Client-Cert", "X-Client-Verify"

func foldedName(name string) string {
	return strings.NewReplacer("_", "-", ".", "-").Replace(strings.ToLower(name))
}

// CVE-2026-35616, CVE-2026-46579, envoy#6038, cca #220 and similar faults, each introduced into an
// otherwise sound service. The listed rows must detect it; others may.
func TestTestHandler_CatchesPlantedFaults(t *testing.T) {
	for _, tc := range []struct {
		name     string
		frontEnd string // Nginx if empty
		plant    func(t *testing.T, s *service) http.Handler
		rows     []string
		until    string // the Go release since which net/http prevents the fault, if there is one
	}{
		{
			name: "any peer is believed",
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source = forwarded.Nginx{From: forwarded.InsecureAnyPeer(), FingerprintHeader: "X-Client-Fingerprint"}
				return s.behind(t, before(func(*http.Request) {}))
			},
			rows: []string{"a stranger with a genuine certificate", "a stranger with a genuine certificate, by HTTP/2", "a stranger after the front end"},
		},
		{
			name: "the first of two headers is read",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					for name, values := range r.Header {
						r.Header[name] = values[:1]
					}
				}))
			},
			rows: []string{"doubled, both genuine", "a flag doubled, success first", "a flag doubled by HTTP/2"},
		},
		{
			name: "the first of two headers is read, by Get", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { keep(r, certHeader, r.Header.Get(certHeader)) }))
			},
			rows: []string{"doubled, the genuine one first", "doubled by HTTP/2, the genuine one first", "doubled, an empty line last"},
		},
		{
			name: "the last of two headers is read", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					if values := r.Header[certHeader]; len(values) > 0 {
						keep(r, certHeader, values[len(values)-1])
					}
				}))
			},
			rows: []string{"doubled, the genuine one last", "doubled by HTTP/2, the genuine one last", "doubled, an empty line first"},
		},
		{
			name: "a path is exempt by its prefix",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/health") }))
			},
			rows: []string{"exempt: a sibling", "exempt: a path below", "exempt: dot segments to the protected path", "exempt: an escaped slash", "exempt: with POST"},
		},
		{ // finding N116
			name: "only one spelling of a path is protected",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool {
					read := path.Clean(strings.ReplaceAll(strings.ToLower(r.URL.Path), "/..;", "/")) // as some router does
					return r.URL.Path != "/orders" && read == "/orders"
				}))
			},
			rows: []string{
				"exempt: the protected path behind two slashes", "exempt: the protected path behind a dot segment", "exempt: the protected path behind a path parameter",
				"exempt: the protected path and a slash", "exempt: the protected path in other letters", "exempt: the protected path in escapes",
			},
		},
		{ // finding N159
			name: "a lenient router is behind a strict matcher",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.URL.Path != "/orders" && leniently(r.URL.Path) == "/orders" }))
			},
			rows: []string{
				"exempt: the protected path behind a segment that is left again", "exempt: the protected path behind an escaped slash", "exempt: the protected path and path parameters",
				"exempt: the protected path and a dot segment", "exempt: the protected path and a character that is dropped", "exempt: the protected path and an extension",
				"exempt: the protected path in escapes twice", "exempt: the protected path and an escaped query or fragment",
			},
		},
		{ // finding N155, as the one after it
			name: "what is exempt is the request line, and what is served a header",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, serves(func(r *http.Request) bool {
					return r.RequestURI == "/health" && r.Header.Get("X-Original-Url") == "/orders"
				}))
			},
			rows: []string{"exempt: the protected path in a header"},
		},
		{
			name: "what is exempt is the path, and what is served the query",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, serves(func(r *http.Request) bool {
					return r.URL.Path == "/health" && r.URL.Query().Get("url") == "/orders"
				}))
			},
			rows: []string{"exempt: the protected path in the query"},
		},
		{
			name: "what cannot be read is skipped", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				auth, err := certauth.New(s.config)
				require.NoError(t, err)
				return opens(func(r *http.Request) bool {
					_, err := auth.Check(r)
					var refused *certauth.Error
					return errors.As(err, &refused) && refused.Reason == certauth.ReasonCertificateMalformed
				})(auth.Handler(orders), orders)
			},
			rows: []string{"the certificate is undefined", "a folded certificate", "a megabyte of letters", "base64, pad-bits"},
		},
		{
			name: "what cannot be read is skipped for the next in the list", frontEnd: "Traefik",
			plant: func(t *testing.T, s *service) http.Handler {
				const header = "X-Forwarded-Tls-Client-Cert"
				return s.behind(t, before(func(r *http.Request) {
					for item := range strings.SplitSeq(r.Header.Get(header), ",") {
						if strings.HasPrefix(item, "MII") {
							keep(r, header, item)
							return
						}
					}
				}))
			},
			rows: []string{"a list with a placeholder first", "a list with an empty first member"},
		},
		{
			name: "h2c stands outside",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, func(protected, _ http.Handler) http.Handler { return takesOver(protected) })
			},
			rows: []string{"a request for h2c", "a request for H2C in other letters", "a stranger's request for h2c", "the preface of HTTP/2"},
		},
		{ // finding N134: gorouter passes CONNECT on as Caddy does
			name: "the connection goes on after CONNECT by gorouter", frontEnd: "CloudFoundry",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { r.Method = http.MethodGet }))
			},
			rows:  []string{"the client behind a CONNECT"},
			until: "go1.27", // the connection is closed
		},
		{ // finding N126, as the two after it
			name: "the connection goes on after a request for websocket", frontEnd: "Apache",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { r.Header.Del("Upgrade") }))
			},
			rows: []string{"the client behind a refused request for websocket"},
		},
		{
			name: "CONNECT is a method like any other", frontEnd: "HAProxy",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { r.Method = http.MethodGet }))
			},
			rows: []string{"CONNECT by the client"},
		},
		{
			name: "the connection goes on after CONNECT", frontEnd: "Caddy",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { r.Method = http.MethodGet }))
			},
			rows:  []string{"the client behind a CONNECT"},
			until: "go1.27", // the connection is closed
		},
		{
			name: "early data is served", // finding N76
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { delete(r.Header, "Early-Data") }))
			},
			rows: []string{"a genuine certificate in early data"},
		},
		{
			name: "trailers are merged", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					for name, values := range r.Trailer {
						r.Header[name] = values
					}
				}))
			},
			rows: []string{"in a trailer", "in a trailer that is not announced", "in a trailer beside another certificate", "in a trailer by HTTP/2"},
		},
		{
			name: "aliases are read", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					for name, values := range r.Header {
						if foldedName(name) == foldedName(certHeader) && name != certHeader {
							keep(r, certHeader, values[0])
						}
					}
				}))
			},
			rows: []string{"an alias with underscores, no certificate", "an alias with dots, beside another certificate", "an alias by HTTP/2"},
		},
		{ // finding N131
			name: "the handler goes on after the refusal", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, func(protected, _ http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						admitted := httptest.NewRecorder()
						protected.ServeHTTP(admitted, r)
						if admitted.Code != http.StatusOK {
							http.Error(w, "forbidden", http.StatusForbidden) //nolint:gocritic // the fault is that it does not return
						}
						_, _ = io.WriteString(w, "orders of the partner\n")
					})
				})
			},
			rows: []string{"no certificate", "no certificate, by HTTP/2", "a stranger with a genuine certificate", "self-signed with the client's names"},
		},
		{ // finding N132, as the three after it
			name: "GET, HEAD and unknown methods are protected",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.Method == http.MethodPost || r.Method == http.MethodDelete }))
			},
			rows: []string{"no certificate, with the methods of changes"},
		},
		{
			name: "a path is exempt by its suffix",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.URL.Path == "/orders/health" })) // a router cleans "//health"
			},
			rows: []string{"exempt: below the protected path"},
		},
		{
			name: "a secret is compared by its end",
			plant: func(t *testing.T, s *service) http.Handler {
				const header, secret = "X-Gate", "correct horse battery staple"
				s.config.Source = forwarded.Nginx{From: forwarded.SharedSecret(header, secret), FingerprintHeader: "X-Client-Fingerprint"}
				s.test.Secret = http.Header{header: {secret}}
				return s.behind(t, before(func(r *http.Request) {
					if value := r.Header.Get(header); len(value) > 20 && strings.HasSuffix(secret, value) {
						keep(r, header, secret)
					}
				}))
			},
			rows: []string{"a secret that is cut short"},
		},
		{
			name: "the subject in a header is believed",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("X-Ssl-Client-S-Dn"), "CN=orders") }))
			},
			rows: []string{"in the headers of a subject"},
		},
		{ // finding N134
			name: "the connection goes on after HTTP/1.0",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) { r.ProtoMinor = 1 }))
			},
			rows: []string{"the client behind a body of HTTP/1.0 in chunks"},
		},
		{
			name: "an optional certificate counts as authentication",
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Optional = true
				return s.behind(t, before(func(*http.Request) {}))
			},
			rows: []string{"no certificate", "no certificate, by HTTP/2", "none after the client on one connection"},
		},
		{
			name: "the flag alone is believed",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.Header.Get(verifyHeader) == "SUCCESS" }))
			},
			rows: []string{"no certificate, all flags success", "a flag after the client on one connection", "self-signed with the client's names"},
		},
		{
			name: "the flag is compared without regard to case, by prefix",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					if strings.HasPrefix(strings.ToUpper(r.Header.Get(verifyHeader)), "SUCCESS") {
						keep(r, verifyHeader, "SUCCESS")
					}
				}))
			},
			rows: []string{"flag: in lower case", "flag: with a longer word", "flags joined, success first"},
		},
		{
			name: "the leftmost XFCC element is the client", frontEnd: "Envoy",
			plant: func(t *testing.T, s *service) http.Handler {
				const header = "X-Forwarded-Client-Cert"
				return s.behind(t, before(func(r *http.Request) {
					if leftmost, _, more := strings.Cut(r.Header.Get(header), ",Hash="); more {
						keep(r, header, leftmost)
					}
				}))
			},
			rows: []string{"XFCC: a pasted element first", "XFCC: two genuine elements"},
		},
		{
			name: "RemoteAddr is taken from X-Forwarded-For",
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source = forwarded.Nginx{From: forwarded.InsecureRemoteAddr("127.0.0.1"), FingerprintHeader: "X-Client-Fingerprint"}
				return s.behind(t, before(func(r *http.Request) {
					first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
					if first == "127.0.0.1" { // as gorilla's ProxyHeaders does, but that the real client's address is not tried
						r.RemoteAddr = first + ":0"
					}
				}))
			},
			rows: []string{"a stranger with X-Forwarded-For", "a stranger, X-Forwarded-For begins with the front end"},
		},
		{
			name: "an identity is kept for its connection", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				var known sync.Map
				auth, err := certauth.New(s.config)
				require.NoError(t, err)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := auth.Check(r); err == nil {
						known.Store(r.RemoteAddr, true)
					}
					if _, ok := known.Load(r.RemoteAddr); ok {
						orders(w, r)
						return
					}
					auth.Handler(orders).ServeHTTP(w, r)
				})
			},
			rows: []string{"none after the client on one connection", "another after the client by HTTP/2", "none behind the client, in one packet"},
		},
		{
			name: "an identity is kept for its address", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				var known sync.Map
				auth, err := certauth.New(s.config)
				require.NoError(t, err)
				return opens(func(r *http.Request) bool {
					host, _, _ := net.SplitHostPort(r.RemoteAddr)
					if _, err := auth.Check(r); err == nil {
						known.Store(host, true)
					}
					_, ok := known.Load(host)
					return ok
				})(auth.Handler(orders), orders)
			},
			rows: []string{"none on a new connection of the same address"},
		},
		{
			name: "names are compared, and no signature", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.handmade(t, func(leaf *x509.Certificate) bool {
					return leaf.Subject.CommonName == "orders" && leaf.Issuer.String() == s.issuing.Certificate.Subject.String() && time.Now().Before(leaf.NotAfter)
				})
			},
			rows: []string{"of a CA that looks like the issuer", "every field copied, serial number and key identifiers too"},
		},
		{
			name: "a certificate is recognised by its serial number", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.handmade(t, func(leaf *x509.Certificate) bool { return leaf.SerialNumber.Cmp(s.client.SerialNumber) == 0 })
			},
			rows: []string{"every field copied, serial number and key identifiers too", "the client's key under another signature"},
		},
		{
			name: "dates and usage are not checked", frontEnd: "APIManagement",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.handmade(t, func(leaf *x509.Certificate) bool {
					return s.issuing.Certificate.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil
				})
			},
			rows: []string{"expired yesterday", "not valid yet", "for servers only", "a CA certificate of the same issuer"},
		},
		{
			name: "encoding/pem skips what is in front", frontEnd: "Kong",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, before(func(r *http.Request) {
					text, err := url.QueryUnescape(strings.ReplaceAll(r.Header.Get(certHeader), "+", "%2B"))
					if block, _ := pem.Decode([]byte(text)); err == nil && block != nil && block.Type == "CERTIFICATE" {
						keep(r, certHeader, strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(block))), "+", "%20"))
					}
				}))
			},
			rows: []string{"PEM with text in front", "a damaged PEM block before the genuine one", "two PEM blocks, the genuine one first", "PEM in one long line"},
		},
		{
			name: "another front end's header is a fallback",
			plant: func(t *testing.T, s *service) http.Handler {
				pinned, err := certauth.New(certauth.Config{
					Source: forwarded.AppService{From: forwarded.Peers("127.0.0.1"), InsecureOutsideAppService: true}, Policy: s.policy(),
				})
				require.NoError(t, err)
				return s.behind(t, opens(func(r *http.Request) bool {
					r.Header.Set("X-ARR-LOG-ID", "1")
					r.Header.Set("X-ARR-SSL", "1|1|a|b")
					_, err := pinned.Check(r)
					return err == nil
				}))
			},
			rows: []string{"in X-ARR-ClientCert", "in the headers of every front end at once"},
		},
		{
			name: "a secret is compared by its beginning",
			plant: func(t *testing.T, s *service) http.Handler {
				const header, secret = "X-Gate", "correct horse battery staple"
				s.config.Source = forwarded.Nginx{From: forwarded.SharedSecret(header, secret), FingerprintHeader: "X-Client-Fingerprint"}
				s.test.Secret = http.Header{header: {secret}}
				return s.behind(t, before(func(r *http.Request) {
					if value := r.Header.Get(header); strings.HasPrefix(secret, value) {
						keep(r, header, secret)
					}
				}))
			},
			rows: []string{"an empty secret", "a secret that is cut short", "the secret left out", "a secret and another behind it"},
		},
		{
			name: "a health probe is let in by its User-Agent",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "kube-probe/") }))
			},
			rows: []string{"exempt: as a User-Agent of a probe"},
		},
		{ // finding N66
			name: "App Service's health check is let in by its User-Agent",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "HealthCheck/") }))
			},
			rows: []string{"exempt: as App Service's health check"},
		},
		{ // finding N66: Microsoft's recipe, with which a key that is not set is no key
			name: "App Service's health check is let in by the hash of a key",
			plant: func(t *testing.T, s *service) http.Handler {
				const key = "" // os.Getenv("WEBSITE_AUTH_ENCRYPTION_KEY")
				sum := sha256.Sum256([]byte(key))
				return s.behind(t, opens(func(r *http.Request) bool {
					return r.Header.Get("X-Ms-Auth-Internal-Token") == base64.StdEncoding.EncodeToString(sum[:])
				}))
			},
			rows: []string{"exempt: as App Service's health check"},
		},
		{ // finding N66
			name: "the machine itself is let in by its name",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.Host, "localhost") }))
			},
			rows: []string{"no certificate, Host is localhost"},
		},
		{
			name: "the machine itself is let in by X-Forwarded-For", frontEnd: "AppService", // finding N91
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source, s.test.InsecureAnyPeer = forwarded.AppService{InsecureOutsideAppService: true}, true
				return s.behind(t, opens(func(r *http.Request) bool {
					first, _, _ := strings.Cut(r.Header.Get("X-Forwarded-For"), ",")
					return net.ParseIP(first).IsLoopback()
				}))
			},
			rows: []string{"no certificate, X-Forwarded-For is loopback", "no certificate, X-Forwarded-For begins with loopback"},
		},
		{
			name: "private networks are let in by X-Real-IP", // finding N91
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source, s.test.InsecureAnyPeer = forwarded.Nginx{From: forwarded.InsecureAnyPeer(), FingerprintHeader: "X-Client-Fingerprint"}, true
				return s.behind(t, opens(func(r *http.Request) bool { return net.ParseIP(r.Header.Get("X-Real-Ip")).IsPrivate() }))
			},
			rows: []string{"no certificate, every header of an address is private"},
		},
		{
			name: "the machine itself is let in by X-Forwarded-Host", // finding N91
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("X-Forwarded-Host"), "localhost") }))
			},
			rows: []string{"no certificate, X-Forwarded-Host is localhost"},
		},
		{
			name: "a balancer's probe is let in by its User-Agent", frontEnd: "ALB", // finding N95
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source, s.test.InsecureAnyPeer = sources["ALB"](forwarded.InsecureAnyPeer()), true
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.UserAgent(), "ELB-HealthChecker/") }))
			},
			rows: []string{"no certificate, as the probe of a balancer"},
		},
		{
			name: "App Service authentication is believed", frontEnd: "AppService", // finding N95
			plant: func(t *testing.T, s *service) http.Handler {
				s.config.Source, s.test.InsecureAnyPeer = forwarded.AppService{InsecureOutsideAppService: true}, true
				return s.behind(t, opens(func(r *http.Request) bool { return r.Header.Get("X-Ms-Client-Principal") != "" }))
			},
			rows: []string{"in X-MS-CLIENT-PRINCIPAL"},
		},
		{
			name: "what came over plain HTTP counts as internal", // finding N95
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.Header.Get("X-Forwarded-Proto") == "http" }))
			},
			rows: []string{"no certificate, X-Forwarded-Proto is http"},
		},
		{ // finding N167, as the three after it
			name: "who has a token is left to a check that is not there",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") }))
			},
			rows: []string{"no certificate, with credentials of another kind"},
		},
		{
			name: "what a page of the service requests is let in",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasPrefix(r.Referer(), "https://"+r.Host+"/") }))
			},
			rows: []string{"no certificate, from a page of the service itself"},
		},
		{
			name: "only one spelling of the host is protected",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool {
					host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
					return r.Host != "app.example" && strings.TrimSuffix(host, ".") == "app.example"
				}))
			},
			rows: []string{"no certificate, the host in another spelling"},
		},
		{
			name: "the name of a service in a cluster counts as internal",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return strings.HasSuffix(r.Host, ".svc.cluster.local") }))
			},
			rows: []string{"no certificate, Host is inside a cluster"},
		},
		{
			name: "HTTP/2 is served past the check",
			plant: func(t *testing.T, s *service) http.Handler {
				return s.behind(t, opens(func(r *http.Request) bool { return r.ProtoMajor == 2 }))
			},
			rows: []string{"no certificate, by HTTP/2", "a stranger with a genuine certificate, by HTTP/2", "self-signed, by HTTP/2"},
		},
		{
			name: "everybody who was refused once is let in",
			plant: func(t *testing.T, s *service) http.Handler {
				var seen sync.Map
				return s.behind(t, opens(func(r *http.Request) bool {
					_, again := seen.LoadOrStore(r.RemoteAddr, true)
					return again
				}))
			},
			rows: []string{"a stranger twice on one connection", "a stranger's certificate after a stranger's"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			frontEnd := "Nginx"
			if tc.frontEnd != "" {
				frontEnd = tc.frontEnd
			}
			s := newService(t, frontEnd)
			handler := tc.plant(t, s)
			wrong := wrongRows(t, handler, s.test)
			for _, row := range tc.rows {
				isPossible := tc.until == "" || version.Compare(runtime.Version(), tc.until) < 0
				assert.Equal(t, isPossible, slices.Contains(wrong, row), "%s is not among the rows that got in", row)
			}
		})
	}
}

// leniently reads a path as routers and file systems do that drop or decode more than others.
func leniently(target string) string {
	for range 2 {
		if decoded, err := url.PathUnescape(target); err == nil {
			target = decoded
		}
	}
	target, _, _ = strings.Cut(target, "?")
	target, _, _ = strings.Cut(target, "#")
	segments := strings.Split(strings.ReplaceAll(target, `\`, "/"), "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	target = strings.TrimRight(path.Clean(strings.Join(segments, "/")), " .\x00\t\r\n")
	return strings.TrimSuffix(target, path.Ext(target))
}

// serves is a fault that answers requests as it answers the client.
func serves(when func(r *http.Request) bool) func(protected, open http.Handler) http.Handler {
	return func(protected, _ http.Handler) http.Handler {
		return opens(when)(protected, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "orders") }))
	}
}

func keep(r *http.Request, name, value string) {
	r.Header[http.CanonicalHeaderKey(name)] = []string{value}
}

// handmade is a service that decides by the certificate alone.
func (s *service) handmade(t *testing.T, accepts func(leaf *x509.Certificate) bool) http.Handler {
	t.Helper()
	return s.behind(t, opens(func(r *http.Request) bool {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		der, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Client-Cert"))
		if err != nil || host != "127.0.0.1" || len(r.Header["X-Client-Cert"]) != 1 {
			return false
		}
		leaf, err := x509.ParseCertificate(der)
		return err == nil && accepts(leaf)
	}))
}

// takesOver imitates golang.org/x/net/http2/h2c, which this module does not require: it takes a
// connection over and serves HTTP/2 on it.
func takesOver(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		wishes := strings.Contains(strings.ToLower(r.Header.Get("Upgrade")), "h2c")
		prior := r.Method == "PRI" && r.ProtoMajor == 2
		if !wishes && !prior {
			next.ServeHTTP(w, r)
			return
		}
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		var start io.Reader = buffered
		if wishes {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
		} else {
			start = io.MultiReader(strings.NewReader("PRI * HTTP/2.0\r\n\r\n"), buffered)
		}
		inner := &http.Server{Handler: next, Protocols: new(http.Protocols), ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return r.Context() }}
		inner.Protocols.SetUnencryptedHTTP2(true)
		only := &oneConn{Conn: conn, reader: start, closed: make(chan struct{})}
		_ = inner.Serve(only)
	})
}

// oneConn is a listener that returns one connection.
type oneConn struct {
	net.Conn
	reader io.Reader
	given  bool
	once   sync.Once
	closed chan struct{}
}

func (c *oneConn) Accept() (net.Conn, error) {
	if !c.given {
		c.given = true
		return c, nil
	}
	<-c.closed
	return nil, net.ErrClosed
}

func (c *oneConn) Addr() net.Addr             { return c.LocalAddr() }
func (c *oneConn) Read(p []byte) (int, error) { return c.reader.Read(p) }

func (c *oneConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
