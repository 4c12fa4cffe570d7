package certauth_test

import (
	"encoding/asn1"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// SPIFFE-ID, section 2, and X509-SVID, section 2: exactly one URI, exactly in this form.
func TestSPIFFE_OneValidURIMakesAnSVID(t *testing.T) {
	w := newWorld(t)
	const id, domain = "spiffe://prod.example/orders", "spiffe://prod.example"
	long := "spiffe://prod.example/" + strings.Repeat("a", 2048-len("spiffe://prod.example/"))
	for _, tc := range []struct {
		name         string
		uris         []string
		exact, trust bool
	}{
		{"the ID", []string{id}, true, true},
		{"another workload", []string{"spiffe://prod.example/billing"}, false, true},
		{"a workload below", []string{id + "/a"}, false, true},
		{"another trust domain", []string{"spiffe://test.example/orders"}, false, false},
		{"a trust domain below", []string{"spiffe://a.prod.example/orders"}, false, false},
		{"a trust domain that begins alike", []string{"spiffe://prod.example.evil/orders"}, false, false},
		{"two URIs", []string{id, "https://a.example/"}, false, false},
		{"two SPIFFE IDs", []string{id, "spiffe://prod.example/billing"}, false, false},
		{"no path", []string{domain}, false, false},
		{"a slash alone", []string{domain + "/"}, false, false},
		{"a slash at the end", []string{id + "/"}, false, false},
		{"an empty segment", []string{"spiffe://prod.example//orders"}, false, false},
		{"a dot segment", []string{"spiffe://prod.example/x/../orders"}, false, false},
		{"an escape", []string{"spiffe://prod.example/%6Frders"}, false, false},
		{"upper case in the path", []string{"spiffe://prod.example/Orders"}, false, true},
		{"upper case in the trust domain", []string{"spiffe://PROD.example/orders"}, false, false},
		{"upper case in the scheme", []string{"SPIFFE://prod.example/orders"}, false, false},
		{"a port", []string{"spiffe://prod.example:443/orders"}, false, false},
		{"a user", []string{"spiffe://a@prod.example/orders"}, false, false},
		{"a query", []string{id + "?a"}, false, false},
		{"a fragment", []string{id + "#a"}, false, false},
		{"no URI", nil, false, false},
		{"2048 bytes", []string{long}, false, true},
		{"2049 bytes", []string{long + "a"}, false, false},
		{"a trust domain of 255 bytes", []string{"spiffe://" + strings.Repeat("a", 255) + "/b"}, false, false},
	} {
		var names []asn1.RawValue
		for _, uri := range tc.uris {
			names = append(names, altName(6, uri))
		}
		leaf := w.leaf.Certificate
		if len(names) > 0 {
			leaf = w.issue(t, san(t, names...))
		}
		_, err := judge(t, w.behind(certauth.SPIFFEIDs{id}), leaf)
		assert.Equal(t, tc.exact, err == nil, "%s, by ID: %v", tc.name, err)
		_, err = judge(t, w.behind(certauth.SPIFFEIDs{domain}), leaf)
		assert.Equal(t, tc.trust, err == nil, "%s, by trust domain: %v", tc.name, err)
		identity, err := judge(t, w.chain(), leaf)
		require.NoError(t, err, tc.name)
		found, ok := identity.SPIFFEID()
		assert.Equal(t, tc.trust || strings.HasPrefix(tc.name, "another trust") || strings.HasPrefix(tc.name, "a trust"), ok, tc.name)
		if ok {
			assert.Equal(t, tc.uris[0], found)
		}
	}
}

// A malformed SPIFFE ID is not a SPIFFE ID, for a trust domain's pattern and under Not.
func TestSPIFFE_MalformedIsNeitherMatchNorDifference(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, p}
	}
	domain := certauth.SPIFFEIDs{"spiffe://td.example"}
	for name, uris := range map[string][]string{
		"a parent segment":     {"spiffe://td.example/a/../b"},
		"a dot segment":        {"spiffe://td.example/./b"},
		"an escape":            {"spiffe://td.example/a%20b"},
		"two URIs":             {"spiffe://td.example/a", "https://td.example/"},
		"no path":              {"spiffe://td.example"},
		"a capital":            {"spiffe://TD.example/a"},
		"another kind of name": {"https://td.example/a"},
	} {
		leaf := ca.Issue(t, "client", certauthtest.URI(t, uris...)).Certificate
		runVerdicts(t, []verdict{
			{name, behind(domain), leaf, certauth.ReasonNameNotAllowed},
			{name + ", under Not", behind(certauth.Not{Policy: domain}), leaf, certauth.ReasonNameNotAllowed},
		})
	}
	runVerdicts(t, []verdict{
		{"well formed", behind(domain), ca.Issue(t, "c", certauthtest.URI(t, "spiffe://td.example/a.b/c-d_e")).Certificate, certauth.ReasonNone},
		{"no URI at all, under Not", behind(certauth.Not{Policy: domain}), ca.Issue(t, "c").Certificate, certauth.ReasonNone},
	})
	for _, pattern := range []string{"spiffe://td.example/a/../b", "spiffe://td.example/a b", "spiffe://td.example/", "spiffe:///a", "spiffe://td.example:80/a"} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(certauth.SPIFFEIDs{pattern})})
		assert.Error(t, err, pattern)
	}
}

// SPIFFE-ID, section 2.2: a path segment consists of letters, digits, dots, hyphens and
// underscores.
func TestSPIFFE_PathCharacters(t *testing.T) {
	w := newWorld(t)
	for c := byte(0x21); c < 0x7F; c++ {
		id := "spiffe://prod.example/a" + string(c) + "b"
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: w.behind(certauth.SPIFFEIDs{id})})
		allowed := strings.IndexByte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/", c) >= 0
		assert.Equal(t, allowed, err == nil, "%q: %v", id, err)
	}
}
