package certauth_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// A request is excluded only if the target and the URL that handlers see are one.
func TestExclusion_RewrittenURLIsNotExempt(t *testing.T) {
	for name, rewrite := range map[string]func(*http.Request){
		"another path":        func(r *http.Request) { r.URL.Path = "/admin" },
		"an encoded path":     func(r *http.Request) { r.URL.RawPath = "/%70ublic" },
		"an opaque URL":       func(r *http.Request) { r.URL.Opaque = "/admin" },
		"another host":        func(r *http.Request) { r.URL.Host = "h" },
		"another target":      func(r *http.Request) { r.RequestURI = "/admin" },
		"no target":           func(r *http.Request) { r.RequestURI = "" },
		"no URL":              func(r *http.Request) { r.URL = nil },
		"an empty URL":        func(r *http.Request) { r.URL = &url.URL{} },
		"another method":      func(r *http.Request) { r.Method = http.MethodPut },
		"nothing, as control": nil,
	} {
		t.Run(name, func(t *testing.T) {
			d := excluding(t, public("", "/public"))
			r := request()
			r.RequestURI, r.URL.Path = "/public", "/public"
			want := 200
			if rewrite != nil {
				rewrite(r)
				want = 401
			}
			status, ran := d.serve(r)
			assert.Equal(t, want, status)
			assert.Equal(t, want == 200, ran)
		})
	}
}

func TestValidity_SeveralInOneAll(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	leaf := ca.Issue(t, "client", certauthtest.Valid(end.Add(-48*time.Hour), end))
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	for name, policy := range map[string]certauth.All{
		"a skew and a lifetime":         {certauth.Validity{ClockSkew: time.Minute}, certauth.Validity{MaxLifetime: 72 * time.Hour}, chain},
		"a lifetime in front of a skew": {certauth.Validity{MaxLifetime: 72 * time.Hour}, chain, certauth.Validity{ClockSkew: time.Minute}},
		"the same skew twice":           {certauth.Validity{ClockSkew: time.Minute}, chain, certauth.Validity{ClockSkew: time.Minute}},
	} {
		auth := must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: policy, Now: func() time.Time { return end.Add(time.Minute) }})
		_, err := auth.Check(request())
		require.NoError(t, err, name)
		auth = must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: policy, Now: func() time.Time { return end.Add(time.Minute + time.Second) }})
		_, err = auth.Check(request())
		assertReason(t, certauth.ReasonCertificateExpired, err)
	}
}

func TestNames_SyntaxIsReadAsDocumented(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	behind := func(p certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}, p}
	}
	host := ca.Issue(t, "client", certauthtest.DNS("a_b-c.example"), certauthtest.Email("a.b+c_d@x.example")).Certificate
	runVerdicts(t, []verdict{
		{"underscore and hyphen in a host name", behind(certauth.DNSNames{"a_b-c.example"}), host, certauth.ReasonNone},
		{"plus, dot and underscore in a mailbox", behind(certauth.Emails{"a.b+c_d@x.example"}), host, certauth.ReasonNone},
	})
	for name, policy := range map[string]certauth.Policy{
		"two at signs in a principal name":   certauth.UPNs{"a@b@c"},
		"a space in a URI":                   certauth.URIs{"https://a.example/ b"},
		"a letter outside ASCII in a URI":    certauth.URIs{"https://a.example/ü"},
		"a serial number with a sign":        certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "+01"}}},
		"a negative serial number":           certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "-01"}}},
		"a mailbox that starts with a dot":   certauth.Emails{".a@x.example"},
		"a mailbox with a space":             certauth.Emails{"a b@x.example"},
		"a mailbox whose host has an at":     certauth.Emails{"a@b@x.example"},
		"an OID with an arc beyond 31 bits":  certauth.Extension{OID: "1.3.6.1.4.1.2147483648", Present: true},
		"an OID with a zero in front":        certauth.Extension{OID: "1.3.06", Present: true},
		"a host name with an empty label":    certauth.DNSNames{"a..example"},
		"a host name of 254 bytes":           certauth.DNSNames{longHost(254)},
		"a host name with a label of 64":     certauth.DNSNames{longLabel(64) + ".example"},
		"a host name that ends with a dot":   certauth.DNSNames{"a.example."},
		"a host name that begins with a dot": certauth.DNSNames{".a.example"},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(policy)})
		assert.Error(t, err, name)
	}
	for name, policy := range map[string]certauth.Policy{
		"a host name of 253 bytes":       certauth.DNSNames{longHost(253)},
		"a host name with a label of 63": certauth.DNSNames{longLabel(63) + ".example"},
		"a serial number of 21 bytes":    certauth.Denied{Serials: []certauth.IssuerSerial{{Issuer: "CN=CA", Serial: "01ff000000000000000000000000000000000000ff"}}},
		"an OID with an arc of 31 bits":  certauth.Extension{OID: "1.3.6.1.4.1.2147483647", Present: true},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: behind(policy)})
		assert.NoError(t, err, name)
	}
}

func longLabel(n int) string {
	label := make([]byte, n)
	for i := range label {
		label[i] = 'a'
	}
	return string(label)
}

// longHost is a host name of exactly n bytes in labels of at most 50.
func longHost(n int) string {
	host := ""
	for n > 51 {
		host += longLabel(50) + "."
		n -= 51
	}
	return host + longLabel(n)
}

// A SPIFFE ID that is not well formed is none, for a trust domain's pattern and under Not.
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

// An address that cannot be read is on no side of a constraint.
func TestChain_UnreadableAddressUnderAConstraintIsRefused(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA", func(c *x509.Certificate) {
		c.PermittedEmailAddresses, c.PermittedDNSDomainsCritical = []string{"partner.example"}, true
	})
	address := func(tag int, text string) certauthtest.Template {
		return certauthtest.Subject(pkix.Name{CommonName: "client", ExtraNames: []pkix.AttributeTypeAndValue{{
			Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: tag, Bytes: []byte(text)},
		}}})
	}
	chain := certauth.Chain{Roots: certauth.Certificates(ca.Certificate)}
	runVerdicts(t, []verdict{
		{"inside", chain, ca.Issue(t, "", address(asn1.TagIA5String, "a@partner.example")).Certificate, certauth.ReasonNone},
		{"outside", chain, ca.Issue(t, "", address(asn1.TagIA5String, "a@other.example")).Certificate, certauth.ReasonChainUntrusted},
		{"not readable", chain, ca.Issue(t, "", address(asn1.TagT61String, "\xe9@other.example")).Certificate, certauth.ReasonChainUntrusted},
	})
}

// Not over an Any that could not be answered in one of its branches accepts nobody,
// whichever branch it is.
func TestNot_UnansweredBranchOfAnyAcceptsNobody(t *testing.T) {
	w := newWorld(t)
	leaf := w.issue(t, rawSubject(t, utf8Name("good"), utf8Name("blocked"))) // two names: no answer
	for name, list := range map[string]certauth.Any{
		"first":   {certauth.CommonNames{"blocked"}, certauth.Organizations{"x"}, certauth.Organizations{"y"}},
		"between": {certauth.Organizations{"x"}, certauth.CommonNames{"blocked"}, certauth.Organizations{"y"}},
		"last":    {certauth.Organizations{"x"}, certauth.Organizations{"y"}, certauth.CommonNames{"blocked"}},
	} {
		_, err := judge(t, w.behind(certauth.Not{Policy: list}), leaf)
		assert.Error(t, err, name)
	}
}

// The source's header goes in every spelling, and nothing else goes with it.
func TestTrust_OnlyTheSourcesHeadersAreStripped(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	d := newDoor(t, certauth.Config{Source: headerSource{cert: leaf.Certificate}, Policy: certauth.Certificates(leaf.Certificate), Optional: true})
	r := request()
	for _, name := range []string{"X-Client-Cert", "x-client-cert", "X_Client_Cert", "X.client-cert", "X-CLIENT.CERT"} {
		r.Header[name] = []string{"a", "b"}
	}
	kept := http.Header{
		"X-Client-Cerx": {"same length"}, "Y-Client-Cert": {"same length"}, "X-Client-Cert2": {"longer"}, "Client-Cert": {"shorter"},
		"XaClientaCert": {"no separator"}, "Accept": {"*/*"}, longLabel(64): {"longer than any"},
	}
	for name, values := range kept {
		r.Header[name] = values
	}
	status, _ := d.serve(r)
	require.Equal(t, 200, status)
	assert.Equal(t, kept, d.header)
}

// Behind an Any stands what all its branches establish, in whatever order they are.
func TestAny_EstablishesOnlyWhatEveryBranchDoes(t *testing.T) {
	chain := certauth.Chain{Roots: certauth.Certificates(certauthtest.NewCA(t, "CA").Certificate)}
	public := certauth.Chain{Roots: certauth.InsecureSystemRoots()}
	pin := certauth.Thumbprints{pinOfNobody}
	const noChain = "Policy.All[1].IssuerName: stands before any Chain; without one anybody can write any issuer's name"
	const everybody = "Policy: accepts a certificate of every public CA; add a rule on names or IssuedBy"
	named := certauth.All{public, certauth.DNSNames{"a.example"}}
	runMisconfigured(t, []misconfigured{
		{"a chain in the last branch only", certauth.All{certauth.Any{pin, chain}, certauth.IssuerName{"CN=CA"}}, []string{noChain}},
		{"a chain in the first branch only", certauth.All{certauth.Any{chain, pin}, certauth.IssuerName{"CN=CA"}}, []string{noChain}},
		{"public CAs in the last branch", certauth.Any{pin, public}, []string{everybody}},
		{"public CAs in the first branch", certauth.Any{public, pin}, []string{everybody}},
		{"a name in the first branch only", certauth.Any{named, public}, []string{everybody}},
		{"a name in the last branch only", certauth.Any{public, named}, []string{everybody}},
	})
	for name, policy := range map[string]certauth.Policy{
		"a chain in both":             certauth.All{certauth.Any{chain, certauth.All{pin, chain}}, certauth.IssuerName{"CN=CA"}},
		"public CAs, named in both":   certauth.Any{named, certauth.All{public, certauth.CommonNames{"b"}}},
		"public CAs, named behind it": certauth.All{certauth.Any{public, pin}, certauth.CommonNames{"b"}},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("s"), Policy: policy})
		assert.NoError(t, err, name)
	}
	for name, tc := range map[string]struct {
		policy certauth.Policy
		want   bool
	}{
		"a chain alone":              {chain, false},
		"a chain and a name":         {certauth.All{chain, certauth.CommonNames{"b"}}, true},
		"a pin":                      {pin, true},
		"a pin or a chain":           {certauth.Any{pin, chain}, false},
		"a chain or a pin":           {certauth.Any{chain, pin}, false},
		"a chain and who issued it":  {certauth.All{chain, certauth.IssuerName{"CN=CA"}}, false},
		"a chain and a user's rule":  {certauth.All{chain, certauth.PolicyFunc{Name: "p", Func: func(context.Context, *certauth.Identity) error { return nil }}}, true},
		"a chain and not some names": {certauth.All{chain, certauth.Not{Policy: certauth.CommonNames{"b"}}}, false},
	} {
		_, err := certauth.New(certauth.Config{Source: gated{tc.policy}, Policy: chain})
		if tc.want {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, "every certificate of the CA would open the gate", name)
		}
	}
}

// gated is a source that judges who sends it.
type gated struct{ policy certauth.Policy }

func (g gated) Prepare(env source.Environment) (*source.Reader, error) {
	if _, err := env.NewHop(certauth.TLS{}, g.policy); err != nil {
		return nil, err
	}
	return fixedSource("gated").Prepare(env)
}

func TestRequire_PanicInObserveDenies(t *testing.T) {
	leaf := certauthtest.SelfSigned(t, "client")
	auth := must(t, certauth.Config{
		Source: fixedSource("s", leaf.Certificate), Policy: certauth.Certificates(leaf.Certificate),
		Observe: func(_ context.Context, e certauth.Event) {
			if e.Route {
				panic("boom")
			}
		},
	})
	g := through(t, func(h http.Handler) http.Handler {
		return auth.Handler(auth.Require(certauth.CommonNames{"client"})(h))
	}, request())
	assert.Equal(t, 401, g.status)
	assert.Zero(t, g.ran)
}
