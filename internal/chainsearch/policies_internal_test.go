package chainsearch

import (
	"crypto/x509"
	"encoding/asn1"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/nameconstraints"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// A view differs from its certificate only in what is checked elsewhere.
func TestPolicies_ViewLacksOnlyWhatIsCheckedElsewhere(t *testing.T) {
	_, network, err := net.ParseCIDR("10.0.0.0/8")
	require.NoError(t, err)
	root := certauthtest.NewCA(t, "Root")
	ca := root.NewIntermediate(t, "Issuing", certauthtest.Usage(x509.ExtKeyUsageClientAuth), func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical = true
		c.PermittedDNSDomains, c.ExcludedDNSDomains = []string{"a.example"}, []string{"b.example"}
		c.PermittedEmailAddresses, c.ExcludedEmailAddresses = []string{"a.example"}, []string{"b.example"}
		c.PermittedURIDomains, c.ExcludedURIDomains = []string{"a.example"}, []string{"b.example"}
		c.PermittedIPRanges, c.ExcludedIPRanges = []*net.IPNet{network}, []*net.IPNet{network}
		c.MaxPathLen, c.DNSNames = 3, []string{"ca.example"}
	}).Certificate
	policyCPS := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1} // any other
	ca.UnhandledCriticalExtensions = append(ca.UnhandledCriticalExtensions, nameconstraints.OID, policyCPS)
	before := *ca
	view := view(ca)
	assert.Equal(t, before, *ca, "the certificate itself stays as it is")
	var differ []string
	original, seen := reflect.ValueOf(*ca), reflect.ValueOf(*view)
	for i := range original.NumField() {
		if !reflect.DeepEqual(original.Field(i).Interface(), seen.Field(i).Interface()) {
			differ = append(differ, original.Type().Field(i).Name)
		}
		if name := original.Type().Field(i).Name; strings.HasPrefix(name, "Permitted") || strings.HasPrefix(name, "Excluded") {
			assert.True(t, seen.Field(i).IsZero(), name)
			assert.False(t, original.Field(i).IsZero(), "the test must set every field: %s", name)
		}
	}
	assert.Equal(t, []string{
		"NotBefore", "NotAfter", "Extensions", "UnhandledCriticalExtensions", "ExtKeyUsage", "MaxPathLen",
		"PermittedDNSDomainsCritical", "PermittedDNSDomains", "ExcludedDNSDomains", "PermittedIPRanges", "ExcludedIPRanges",
		"PermittedEmailAddresses", "ExcludedEmailAddresses", "PermittedURIDomains", "ExcludedURIDomains",
	}, differ)
	assert.Len(t, view.Extensions, len(ca.Extensions)-2, "without alternative names and name constraints")
	assert.Nil(t, certcheck.Extension(view, san.OID))
	assert.Nil(t, certcheck.Extension(view, nameconstraints.OID))
}

// Without Chain.Policies, certificate policies matter as soon as one certificate restricts or maps them.
func TestPolicies_EachRestrictionIsProcessed(t *testing.T) {
	for name, cert := range map[string]x509.Certificate{
		"requireExplicitPolicy 1": {RequireExplicitPolicy: 1}, "requireExplicitPolicy 0": {RequireExplicitPolicyZero: true},
		"inhibitPolicyMapping 1": {InhibitPolicyMapping: 1}, "inhibitPolicyMapping 0": {InhibitPolicyMappingZero: true},
		"inhibitAnyPolicy 1": {InhibitAnyPolicy: 1}, "inhibitAnyPolicy 0": {InhibitAnyPolicyZero: true},
		"a mapping": {PolicyMappings: make([]x509.PolicyMapping, 1)},
	} {
		assert.True(t, restrictsPolicies(&cert), name)
	}
	assert.False(t, restrictsPolicies(&x509.Certificate{Policies: make([]x509.OID, 1)}))
}

// For one leaf at most a hundred signatures are verified again. Chains that would need more are not accepted, and
// rules that exclude see them.
func TestLimits_WorkForPoliciesIsBounded(t *testing.T) {
	policy, err := x509.OIDFromInts([]uint64{1, 2, 3, 4})
	require.NoError(t, err)
	withPolicy := func(c *x509.Certificate) { c.Policies = []x509.OID{policy} }
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing", withPolicy)
	cas := []*x509.Certificate{issuing.Certificate}
	for range 59 {
		cas = append(cas, root.IssueFor(t, certified{public: issuing.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Usage(), withPolicy, func(c *x509.Certificate) {
			c.RawSubject = issuing.Certificate.RawSubject
		}).Certificate)
	}
	leaf := issuing.Issue(t, "client", withPolicy).Certificate
	found := find(Settings{MaxDepth: defaultMaxDepth, Policies: "1.2.3.4"}, newPool(t, root.Certificate), newPool(t, cas...), time.Now(), leaf)
	require.Nil(t, found.Refused, "%v", textOf(found))
	assert.Len(t, found.Chains, 50, "two signatures each")
	assert.Len(t, found.Invalid, 10)
}
