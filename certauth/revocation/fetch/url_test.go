package fetch_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// Adversarial test 63, and other URLs that cannot be fetched. Nothing is looked up or dialled.
func TestFetch_URLsThatAreNotFetched(t *testing.T) {
	f := newFetcher(t, fetch.HTTPOptions{AllowPorts: []int{8080}})
	dialled := fetch.Divert(f, "")
	long := "http://ocsp.example/" + strings.Repeat("a", 2048-len("http://ocsp.example/"))
	for _, c := range []struct{ name, url string }{
		{"63: ldap", "ldap://ldap.example/cn=secret?certificateRevocationList"},
		{"63: ldap as AD CS writes it", "ldap:///CN=secret,CN=CDP?certificateRevocationList?base?objectClass=cRLDistributionPoint"},
		{"63: ftp", "ftp://ftp.example/secret.crl"},
		{"63: user information", "http://user:secret@ocsp.example/"},
		{"63: a user alone", "http://user@ocsp.example/"},
		{"63: an empty user", "http://@ocsp.example/"},
		{"63: a host as a user", "http://ocsp.example:80@127.0.0.1/"},
		{"63: port 22", "http://ocsp.example:22/"},
		{"63: port 8081, with 8080 allowed", "http://ocsp.example:8081/"},
		{"63: 10 kB", "http://ocsp.example/" + strings.Repeat("a", 10_000)},
		{"63: one byte over the limit", long + "a"},
		{"file", "file:///etc/passwd"},
		{"file with a host", "file://localhost/etc/passwd"},
		{"gopher", "gopher://ocsp.example:80/_secret"},
		{"data", "data:text/plain,secret"},
		{"unix", "http+unix://socket/"},
		{"empty", ""},
		{"no scheme", "//ocsp.example/"},
		{"a path alone", "/secret"},
		{"a path with a URL in it", "/secret?http://ocsp.example/"},
		{"a host alone", "ocsp.example"},
		{"opaque", "http:ocsp.example/"},
		{"one slash", "http:/ocsp.example/"},
		{"three slashes", "http:///ocsp.example/"},
		{"no host", "http://"},
		{"no host, with a port", "http://:80/"},
		{"no host, with a query", "http://?secret"},
		{"K190: a Kelvin sign, which is k in lower case", "http://%e2%84%aa.example/"},
		{"K190: an i with a dot, which is i in lower case", "http://ocsp.example%C4%B0.evil.example/"},
		{"a fragment", "http://ocsp.example/#secret"},
		{"an empty fragment", "http://ocsp.example/#"},
		{"a fragment in the host", "http://ocsp.example#@127.0.0.1/"},
		{"a backslash", `http://ocsp.example\@127.0.0.1/`},
		{"a space in front", " http://ocsp.example/"},
		{"a space in the host", "http://ocsp .example/"},
		{"a space in the path", "http://ocsp.example/a b"},
		{"a line feed", "http://ocsp.example/\nsecret"},
		{"a carriage return in the host", "http://ocsp.example\r\n/"},
		{"a tab", "ht\ttp://ocsp.example/"},
		{"a null byte in the host", "http://ocsp.example\x00.evil.example/"},
		{"a delete", "http://ocsp.example/\x7f"},
		{"not ASCII", "http://\u00f6csp.example/"},
		{"full-width digits", "http://\uff11\uff12\uff17.0.0.1/"},
		{"an ideographic full stop", "http://127\u30020.0.1/"},
		{"not UTF-8", "http://ocsp.example/\xff"},
		{"an escape in the host", "http://127%2e0.0.1/"},
		{"a broken escape in the path", "http://ocsp.example/secret/%zz"},
		{"a zone", "http://[fe80::1%25eth0]/"},
		{"a zone, not escaped", "http://[fe80::1%eth0]/"},
		{"IPv4 in brackets", "http://[127.0.0.1]/"},
		{"a name in brackets", "http://[ocsp.example]/"},
		{"no closing bracket", "http://[::1/"},
		{"text after the bracket", "http://[::1]evil.example/"},
		{"text in front of the bracket", "http://a[::1]/"},
		{"IPv6 without brackets", "http://::1/"},
		{"two ports", "http://ocsp.example:80:80/"},
		{"an empty port", "http://ocsp.example:/"},
		{"an empty port after brackets", "http://[2620:fe::fe]:/"},
		{"port 0", "http://ocsp.example:0/"},
		{"a leading zero in the port", "http://ocsp.example:0080/"},
		{"a sign in the port", "http://ocsp.example:+80/"},
		{"a port too large", "http://ocsp.example:65616/"}, // 80 + 65536
		{"a named port", "http://ocsp.example:http/"},
		{"a dot alone", "http://./"},
		{"a dot at the end", "http://ocsp.example./"},
		{"a dot in front", "http://.example/"},
		{"an empty label", "http://ocsp..example/"},
		{"a hyphen in front", "http://-ocsp.example/"},
		{"a hyphen at the end of a label", "http://ocsp-.example/"},
		{"a label of 64 bytes", "http://" + strings.Repeat("a", 64) + ".example/"},
		{"a name of 254 bytes", "http://" + strings.Repeat("a.", 124) + "aaexam/"},
		{"a wildcard", "http://*.example/"},
		{"a list of hosts", "http://ocsp.example,127.0.0.1/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused(t, f, forOCSP(c.url), fetch.ErrBlockedURL)
			refused(t, f, forCRL(c.url), fetch.ErrBlockedURL)
			if !strings.Contains(c.name, "63: port") {
				refused(t, f, configured(forCRL(c.url)), fetch.ErrBlockedURL)
			}
		})
	}
	assert.Empty(t, dialled.Addresses())
}

func TestFetch_URLsThatAreFetched(t *testing.T) {
	var target string
	server := serve(t, func(_ http.ResponseWriter, r *http.Request) { target = r.Host + " " + r.RequestURI })
	long := "http://9.9.9.9/" + strings.Repeat("a", 2048-len("http://9.9.9.9/"))
	name := strings.Repeat("a.", 122) + "a.example" // 253 bytes
	label := strings.Repeat("a", 63) + ".example"
	known := names{"ocsp.example": {{"9.9.9.9"}}, "xn--csp-fka_1.example": {{"9.9.9.9"}}, "1and1.example": {{"9.9.9.9"}}, name: {{"9.9.9.9"}}, label: {{"9.9.9.9"}}}
	for _, c := range []struct{ name, url, dialled, target string }{
		{"a name", "http://ocsp.example/", "9.9.9.9:80", "ocsp.example /"},
		{"no path", "http://ocsp.example", "9.9.9.9:80", "ocsp.example /"},
		{"upper case", "HTTP://OCSP.Example/A", "9.9.9.9:80", "ocsp.example /A"},
		{"port 80", "http://ocsp.example:80/", "9.9.9.9:80", "ocsp.example:80 /"},
		{"port 443 over http", "http://ocsp.example:443/", "9.9.9.9:443", "ocsp.example:443 /"},
		{"a port of AllowPorts", "http://ocsp.example:8080/", "9.9.9.9:8080", "ocsp.example:8080 /"},
		{"a path of base64, a query", "http://ocsp.example/a%2Bb%2F%3D?c=d&e", "9.9.9.9:80", "ocsp.example /a%2Bb%2F%3D?c=d&e"},
		{"what AD CS writes", "http://ocsp.example/CertEnroll/Issuing%20CA(1)+.crl", "9.9.9.9:80", "ocsp.example /CertEnroll/Issuing%20CA(1)+.crl"},
		{"a name in ASCII form, with an underscore", "http://xn--csp-fka_1.example/", "9.9.9.9:80", "xn--csp-fka_1.example /"},
		{"digits in a label", "http://1and1.example/", "9.9.9.9:80", "1and1.example /"},
		{"an address", "http://9.9.9.9/", "9.9.9.9:80", "9.9.9.9 /"},
		{"an address of IPv6", "http://[2620:FE::fe]:80/", "[2620:fe::fe]:80", "[2620:fe::fe]:80 /"},
		{"a public address as IPv4-mapped", "http://[::ffff:9.9.9.9]/", "9.9.9.9:80", "[::ffff:9.9.9.9] /"},
		{"2 KiB", long, "9.9.9.9:80", "9.9.9.9 " + strings.TrimPrefix(long, "http://9.9.9.9")},
		{"a name of 253 bytes", "http://" + name + "/", "9.9.9.9:80", name + " /"},
		{"a label of 63 bytes", "http://" + label + "/", "9.9.9.9:80", label + " /"},
		{"an empty query", "http://ocsp.example/?", "9.9.9.9:80", "ocsp.example /?"},
		{"an at sign in the path", "http://ocsp.example/@127.0.0.1", "9.9.9.9:80", "ocsp.example /@127.0.0.1"},
		{"two slashes in the path", "http://ocsp.example//127.0.0.1/", "9.9.9.9:80", "ocsp.example //127.0.0.1/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.dialled, "[") {
				needIPv6(t)
			}
			f := newFetcher(t, fetch.HTTPOptions{AllowPorts: []int{8080}, Resolver: known.resolver(t)})
			dialled := fetch.Divert(f, server.Listener.Addr().String())
			_, err := f.Fetch(t.Context(), forOCSP(c.url))
			require.NoError(t, err)
			assert.Equal(t, []string{c.dialled}, dialled.Addresses())
			assert.Equal(t, c.target, target)
		})
	}
}

// The operator's URL may name any port.
func TestFetch_ConfiguredURLMayNameAnyPort(t *testing.T) {
	f := newFetcher(t, fetch.HTTPOptions{})
	dialled := fetch.Divert(f, "")
	for _, port := range []int{1, 22, 2560, 65535} {
		raw := fmt.Sprintf("http://10.0.0.1:%d/", port)
		refused(t, f, configured(forOCSP(raw)), fetch.ErrTransport)
		refused(t, f, forOCSP(raw), fetch.ErrBlockedURL)
	}
	assert.Equal(t, []string{"10.0.0.1:1", "10.0.0.1:22", "10.0.0.1:2560", "10.0.0.1:65535"}, dialled.Addresses())
}

func TestFetch_RequestsThatCannotBeMade(t *testing.T) {
	good := forOCSP("http://9.9.9.9/")
	f := newFetcher(t, fetch.HTTPOptions{})
	dialled := fetch.Divert(f, "")
	for name, change := range map[string]func(*fetch.Request){
		"no kind":                  func(r *fetch.Request) { r.Kind = "" },
		"a kind that is not known": func(r *fetch.Request) { r.Kind = "tsp" },
		"no method":                func(r *fetch.Request) { r.Method = "" },
		"another method":           func(r *fetch.Request) { r.Method = http.MethodHead },
		"a method in lower case":   func(r *fetch.Request) { r.Method = "get" },
		"a list by POST":           func(r *fetch.Request) { r.Kind, r.Method = fetch.CRL, http.MethodPost },
		"GET with a body":          func(r *fetch.Request) { r.Body = []byte("body") },
		"no bound":                 func(r *fetch.Request) { r.MaxBytes = 0 },
		"a negative bound":         func(r *fetch.Request) { r.MaxBytes = -1 },
		"a bound that overflows":   func(r *fetch.Request) { r.MaxBytes = math.MaxInt64 },
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			change(&r)
			refused(t, f, r, fetch.ErrRequest)
		})
	}
	t.Run("no context", func(t *testing.T) {
		var none context.Context
		_, err := f.Fetch(none, good)
		assert.ErrorIs(t, err, fetch.ErrRequest)
	})
	t.Run("a fetcher that nobody made", func(t *testing.T) {
		var none *fetch.HTTPFetcher
		refused(t, none, good, fetch.ErrRequest)
		refused(t, &fetch.HTTPFetcher{}, good, fetch.ErrRequest)
		assert.NoError(t, none.Close())
		assert.NoError(t, (&fetch.HTTPFetcher{}).Close())
	})
	assert.Empty(t, dialled.Addresses())
}
