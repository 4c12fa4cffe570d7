package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// finding S33: every rule went through all names of a certificate, so that a known caller with a thousand names took
// a quarter of a second of processor time for each request under three thousand roles, which a service with as many
// partners has.
func TestLimits_ManyNamesCostLittleUnderManyRules(t *testing.T) {
	root := newRoot(t, "CA")
	const rules = 3000
	altNames := func(number int, name func(i int) string) certauthtest.Template {
		var names []asn1.RawValue
		for i := range 900 {
			names = append(names, altName(number, name(i)))
		}
		return san(t, names...)
	}
	units := func(c *x509.Certificate) {
		var subject pkix.RDNSequence
		for i := range 60 {
			var values pkix.RelativeDistinguishedNameSET
			for j := range 12 {
				values = append(values, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: fmt.Sprintf("u%d", 12*i+j)})
			}
			subject = append(subject, values)
		}
		c.RawSubject = marshal(t, subject)
	}
	for _, tc := range []struct {
		name  string
		names certauthtest.Template
		rule  func(i int) certauth.Policy
		times int
	}{
		{"DNS names", altNames(2, func(i int) string { return fmt.Sprintf("h%d.a.b", i) }), func(i int) certauth.Policy { return certauth.DNSNames{fmt.Sprintf("h%d.c.d", i)} }, 500},
		{"e-mail addresses", altNames(1, func(i int) string { return fmt.Sprintf("u%d@a.b", i) }), func(i int) certauth.Policy { return certauth.Emails{fmt.Sprintf("u%d@c.d", i)} }, 500},
		{"IP addresses", altNames(7, func(i int) string { return string([]byte{10, 0, byte(i >> 8), byte(i)}) }), func(i int) certauth.Policy { return certauth.IPs{fmt.Sprintf("10.1.%d.%d", i>>8, i&0xFF)} }, 500},
		{"organizational units", units, func(i int) certauth.Policy { return certauth.OrganizationalUnits{fmt.Sprint("unit ", i)} }, 500},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var roles certauth.Any
			for i := range rules {
				roles = append(roles, certauth.Named{Name: fmt.Sprint("partner ", i), Policy: tc.rule(i)})
			}
			roles = append(roles, certauth.Named{Name: "caller", Policy: certauth.Not{Policy: certauth.URIs{"urn:a:b"}}})
			auth := authOf(t, certauth.All{certauth.Chain{Roots: certsFrom(root)}, roles}, time.Time{}, root.newClient(t, tc.names).Certificate)
			assert.NoError(t, inTime(t, checks(auth, tc.times)))
		})
	}
}

// finding S34: the refusal of an Any copied the values of an attribute once for each member, which for hundreds of values and
// three thousand members took a hundred megabytes and a third of a second of processor time for each request.
func TestLimits_RefusalsOfManyMembersCopyNoValues(t *testing.T) {
	root := newRoot(t, "CA")
	subject := func(oid asn1.ObjectIdentifier) certauthtest.Template {
		var names pkix.RDNSequence
		for i := range 60 {
			var values pkix.RelativeDistinguishedNameSET
			for j := range 12 {
				values = append(values, pkix.AttributeTypeAndValue{Type: oid, Value: fmt.Sprintf("u%d", 12*i+j)})
			}
			names = append(names, values)
		}
		return func(c *x509.Certificate) { c.RawSubject = marshal(t, names) }
	}
	for _, tc := range []struct {
		name   string
		leaf   *party
		member func(i int) certauth.Policy
		says   string
	}{
		{"organizational units", root.newClient(t, subject(asn1.ObjectIdentifier{2, 5, 4, 11})), func(i int) certauth.Policy { return certauth.OrganizationalUnits{fmt.Sprint("unit ", i)} }, `have 720 ("u0", "u1", "u2", "u3" and 716 more), want one of 1 ("unit 0")`},
		{"common names instead of DNS names", root.newClient(t, subject(oidCN)), func(i int) certauth.Policy { return certauth.DNSNames{fmt.Sprintf("h%d.c.d", i)} }, `no DNS name among the alternative names; it has common name "u0", "u1", "u2", "u3" and 716 more`},
		{"e-mail addresses of the subject", root.newClient(t, subject(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1})), func(i int) certauth.Policy { return certauth.Emails{fmt.Sprintf("u%d@c.d", i)} }, `e-mail address in the subject "u0", "u1", "u2", "u3" and 716 more`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var members certauth.Any
			for i := range 3000 {
				members = append(members, tc.member(i))
			}
			auth := authOf(t, certauth.All{certauth.Chain{Roots: certsFrom(root)}, members}, time.Time{}, tc.leaf.Certificate)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := auth.Check(request())
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(10<<20))
			assert.Equal(t, certauth.ReasonNameNotAllowed, reasonOf(err))
			assert.ErrorContains(t, err, tc.says)
		})
	}
}

// finding S35: every rule under a Not folded all names of a certificate again, so that a known caller with nine hundred
// URIs took five seconds of processor time and 900 megabytes for each request under three thousand such rules, and one with
// sixteen long principal names two seconds.
//
// finding S36: every Extension with a Text decoded and copied the value again, which for 14 kilobytes of BMPString took a
// second and 400 megabytes.
func TestLimits_LongNamesAreReadOnceForAllRules(t *testing.T) {
	root := newRoot(t, "CA")
	not := func(p certauth.Policy) certauth.Policy { return certauth.Not{Policy: p} }
	const template = "1.3.6.1.4.1.311.20.2"
	extension := func(tag int, content string) certauthtest.Template {
		return func(c *x509.Certificate) {
			value := marshal(t, asn1.RawValue{Tag: tag, Bytes: []byte(content)})
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 20, 2}, Value: value})
		}
	}
	text := func(i int) certauth.Policy {
		return certauth.Extension{OID: template, Text: []string{fmt.Sprint("t", i)}}
	}
	issuer := newRoot(t, strings.Repeat("\u00e9", 6000))
	var uris, principals []asn1.RawValue
	for i := range 900 {
		uris = append(uris, altName(6, fmt.Sprintf("h://h%d.a/b", i)))
	}
	for i := range 16 {
		principals = append(principals, upn(t, fmt.Sprintf("u%d%s@c.d", i, strings.Repeat("x", 900))))
	}
	for _, tc := range []struct {
		name string
		by   *party
		has  certauthtest.Template
		rule func(i int) certauth.Policy
	}{
		{"many URIs", root, san(t, uris...), func(i int) certauth.Policy { return not(certauth.URIs{fmt.Sprint("urn:a:", i)}) }},
		{"a long URI", root, san(t, altName(6, "h://a.b/"+strings.Repeat("a/", 7000))), func(i int) certauth.Policy { return not(certauth.URIs{fmt.Sprint("urn:a:", i)}) }},
		{"an e-mail address", root, san(t, altName(1, strings.Repeat("A.", 7000)+"a@a.b")), func(i int) certauth.Policy { return not(certauth.Emails{fmt.Sprintf("u%d@c.d", i)}) }},
		{"principal names", root, san(t, principals...), func(i int) certauth.Policy { return not(certauth.UPNs{fmt.Sprintf("u%d@c.d", i)}) }},
		{"a long issuer", issuer, nil, func(i int) certauth.Policy { return not(certauth.IssuerName{fmt.Sprint("CN=", i)}) }},
		{"a BMPString", root, extension(asn1.TagBMPString, strings.Repeat("\x4e\x2d", 7000)), text},
		{"a UTF8String", root, extension(asn1.TagUTF8String, strings.Repeat("\u00e9", 7000)), text},
		{"a BMPString under a Not", root, extension(asn1.TagBMPString, strings.Repeat("\x4e\x2d", 7000)), func(i int) certauth.Policy { return not(text(i)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy := certauth.All{certauth.Chain{Roots: certsFrom(tc.by)}}
			var members certauth.Any
			for i := range 3000 {
				if rule := tc.rule(i); isNot(rule) {
					policy = append(policy, rule)
				} else {
					members = append(members, rule)
				}
			}
			if len(members) > 0 {
				policy = append(policy, append(members, not(certauth.DNSNames{"a.b"})))
			}
			var has []certauthtest.Template
			if tc.has != nil {
				has = append(has, tc.has)
			}
			auth := authOf(t, policy, time.Time{}, tc.by.newClient(t, has...).Certificate)
			_, err := auth.Check(request())
			require.NoError(t, err)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err = auth.Check(request())
			runtime.ReadMemStats(&after)
			require.NoError(t, err)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
			assert.NoError(t, inTime(t, checks(auth, 100)))
		})
	}
}

func isNot(policy certauth.Policy) bool {
	_, ok := policy.(certauth.Not)
	return ok
}

// finding S47: each pin of a policy that begins with pins computed the digest of an unknown certificate again, so that anybody
// with a self-made certificate of 16 kilobytes cost thirty milliseconds of processor time for each request under three
// thousand pinned partners.
func TestLimits_ManyPinsHashACertificateOnce(t *testing.T) {
	leaf := newRoot(t, "CA").newClient(t).Certificate
	var partners certauth.Any
	for i := range 3000 {
		partners = append(partners, certauth.Named{Name: fmt.Sprint("partner ", i), Policy: certauth.Thumbprints{fmt.Sprintf("%064x", i+1)}})
	}
	partners = append(partners, certauth.Thumbprints{thumbprint(leaf)})
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{InsecureOutsideAppService: true}, Policy: partners, CacheSize: -1})
	require.NoError(t, err)
	r := realRequest(t)
	r.Header[certHeader] = []string{base64.StdEncoding.EncodeToString(leaf.Raw)}
	digests := testing.AllocsPerRun(20, func() {
		_, err = auth.Check(r)
	})
	require.NoError(t, err)
	assert.Less(t, digests, 1000.0)
}

// finding S48: each IssuedBy with Certificates folded the name of the issuing CA again, so that a known caller cost
// milliseconds of processor time for each request under three thousand of them, and seconds if its CA has a long name.
func TestLimits_TheNameOfTheIssuerIsNotFoldedForEachRule(t *testing.T) {
	root, other := newRoot(t, "CA"), newRoot(t, "Other")
	var roles certauth.Any
	for i := range 3000 {
		roles = append(roles, certauth.Named{Name: fmt.Sprint("partner ", i), Policy: certauth.IssuedBy{Certificates: certsFrom(other)}})
	}
	roles = append(roles, certauth.IssuedBy{Certificates: certsFrom(root)})
	auth := authOf(t, certauth.All{certauth.Chain{Roots: certsFrom(root)}, roles}, time.Time{}, root.newClient(t).Certificate)
	folded := testing.AllocsPerRun(20, func() {
		_, err := auth.Check(request())
		require.NoError(t, err)
	})
	assert.Less(t, folded, 1000.0)
}

// finding S49: each rule on an extension looked through all extensions of the certificate, so that a known caller with 900 of
// them cost a thirtieth of a second of processor time for each request under three thousand such rules, and a tenth when it was
// refused.
func TestLimits_AnExtensionIsLookedForOnce(t *testing.T) {
	root := newRoot(t, "CA")
	extensions := func(c *x509.Certificate) {
		for i := range 900 {
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 9, i, 7}, Value: []byte{5, 0}})
		}
	}
	policy := certauth.All{certauth.Chain{Roots: certsFrom(root)}}
	for range 3000 {
		policy = append(policy, certauth.Not{Policy: certauth.Extension{OID: "1.3.6.1.4.1.10.2.7", Present: true}})
	}
	auth := authOf(t, policy, time.Time{}, root.newClient(t, extensions).Certificate)
	assert.NoError(t, inTime(t, checks(auth, 5000)))
}
