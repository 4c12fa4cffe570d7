package certauth_test

import (
	"crypto/x509"
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

// finding T40: X509-SVID, section 5.2: the validator makes sure that neither keyCertSign nor cRLSign is set. A
// certificate with one of them is no client of its trust domain, although it is no CA certificate.
func TestSPIFFE_ALeafThatMaySignIsNoSVID(t *testing.T) {
	w := newWorld(t)
	const id, domain = "spiffe://prod.example/orders", "spiffe://prod.example"
	const sign = x509.KeyUsageDigitalSignature
	for _, tc := range []struct {
		name  string
		usage x509.KeyUsage
		svid  bool
	}{
		{"for signatures", sign, true},
		{"for everything that a leaf may do", sign | x509.KeyUsageKeyEncipherment | x509.KeyUsageKeyAgreement, true},
		{"no key usage", 0, true},
		{"keyCertSign", sign | x509.KeyUsageCertSign, false},
		{"cRLSign", sign | x509.KeyUsageCRLSign, false},
	} {
		usage := func(c *x509.Certificate) { c.KeyUsage = tc.usage }
		leaf, other := w.issue(t, certauthtest.URI(t, id), usage), w.issue(t, usage)
		identity, err := judge(t, w.chain(), leaf)
		require.NoError(t, err, tc.name)
		_, ok := identity.SPIFFEID()
		assert.Equal(t, tc.svid, ok, tc.name)
		match, mismatch := certauth.ReasonNameNotAllowed, certauth.ReasonNameNotAllowed
		if tc.svid {
			match, mismatch = certauth.ReasonNone, certauth.ReasonNone
		}
		elsewhere := certauth.Not{Policy: certauth.SPIFFEIDs{"spiffe://other.example"}}
		runVerdicts(t, []verdict{
			{tc.name + ", by ID", w.behind(certauth.SPIFFEIDs{id}), leaf, match},
			{tc.name + ", by trust domain", w.behind(certauth.SPIFFEIDs{domain}), leaf, match},
			{tc.name + ", excluded with another trust domain", w.behind(elsewhere), leaf, mismatch},
			{tc.name + ", without a SPIFFE ID", w.behind(elsewhere), other, certauth.ReasonNone},
		})
	}
	_, err := judge(t, w.behind(certauth.SPIFFEIDs{id}), w.issue(t, certauthtest.URI(t, id), func(c *x509.Certificate) { c.KeyUsage = sign | x509.KeyUsageCRLSign }))
	assert.ErrorContains(t, err, `key usage of the leaf: digitalSignature, cRLSign, want neither keyCertSign nor cRLSign beside a SPIFFE ID ("spiffe://prod.example/orders")`)
}

// finding T61: X509-SVID, section 5.2: the CA field in the basic constraints must be false. A Chain refuses every CA
// certificate, a pin does not.
func TestSPIFFE_ACACertificateIsNoSVID(t *testing.T) {
	const id, domain = "spiffe://prod.example/orders", "spiffe://prod.example"
	own := certauthtest.NewCA(t, "orders", certauthtest.URI(t, id), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }).Certificate
	pin := certauth.Thumbprints{thumbprint(own)}
	identity, err := judge(t, pin, own)
	require.NoError(t, err)
	_, ok := identity.SPIFFEID()
	assert.False(t, ok)
	runVerdicts(t, []verdict{
		{"by ID", certauth.All{pin, certauth.SPIFFEIDs{id}}, own, certauth.ReasonNameNotAllowed},
		{"by trust domain", certauth.All{pin, certauth.SPIFFEIDs{domain}}, own, certauth.ReasonNameNotAllowed},
		{"excluded with another trust domain", certauth.All{pin, certauth.Not{Policy: certauth.SPIFFEIDs{"spiffe://other.example"}}}, own, certauth.ReasonNameNotAllowed},
	})
	_, err = judge(t, certauth.All{pin, certauth.SPIFFEIDs{id}}, own)
	assert.ErrorContains(t, err, `a CA certificate, want that of a workload beside a SPIFFE ID ("spiffe://prod.example/orders")`)
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
