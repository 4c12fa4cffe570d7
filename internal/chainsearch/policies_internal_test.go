package chainsearch

import (
	"crypto/x509"
	"encoding/asn1"
	"net"
	"reflect"
	"strings"
	"testing"

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
