package certauth_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
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
