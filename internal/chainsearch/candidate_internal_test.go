package chainsearch

import (
	"crypto/x509"
	"encoding/asn1"
	"net"
	"reflect"
	"slices"
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

// A view differs from its certificate only in its names, its name constraints and its path length:
// crypto/x509 refuses both for the same other reasons.
func TestCandidate_ViewDiffersInNamesAndConstraintsOnly(t *testing.T) {
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
	view := newCandidate(ca).view
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
		"RawSubject", "RawIssuer", "NotBefore", "NotAfter", "Extensions", "UnhandledCriticalExtensions", "MaxPathLen",
		"PermittedDNSDomainsCritical", "PermittedDNSDomains", "ExcludedDNSDomains", "PermittedIPRanges", "ExcludedIPRanges",
		"PermittedEmailAddresses", "ExcludedEmailAddresses", "PermittedURIDomains", "ExcludedURIDomains",
	}, differ)
	assert.Len(t, view.Extensions, len(ca.Extensions)-2, "without alternative names and name constraints")
	assert.Nil(t, certcheck.Extension(view, san.OID))
	assert.Nil(t, certcheck.Extension(view, nameconstraints.OID))
	assert.Equal(t, []string{policyCPS.String()}, []string{view.UnhandledCriticalExtensions[0].String()})
}

// Different names have different keys, and no name in a certificate is a key.
func TestCandidate_KeysOfNames(t *testing.T) {
	folded, unread := nameKey([]byte{0x30, 0}), nameKey([]byte{0x30, 1})
	assert.NotEqual(t, folded, unread)
	assert.NotEqual(t, nameKey([]byte("=x")), nameKey([]byte("x")))
	for _, key := range []string{folded, unread} {
		assert.NotEqual(t, byte(0x30), key[0])
		assert.NotEmpty(t, key, "crypto/x509 would not treat an empty name as a name")
	}
}

// A chain with a certificate that crypto/x509 was not given is dropped; only the system's roots are
// exempt.
func TestCandidate_ChainsAreTranslatedOrDropped(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	leaf := root.Issue(t, "client").Certificate
	ours := newCandidate(root.Certificate)
	foreign := newCandidate(certauthtest.NewCA(t, "Root").Certificate).view
	s := &search{leaf: leafOf(leaf), CAs: CAs{Intermediates: &Pool{}}, shown: map[*x509.Certificate]*candidate{}}
	s.views([]*candidate{ours})
	view := s.leafView()
	got := s.originals(leaf, [][]*x509.Certificate{{view, ours.view}, {view, foreign}, {view, foreign, ours.view}})
	require.Len(t, got, 1)
	assert.Same(t, leaf, got[0][0])
	assert.Same(t, root.Certificate, got[0][1])
	s.System = x509.NewCertPool()
	assert.Len(t, s.originals(leaf, [][]*x509.Certificate{{view, foreign}}), 1)
}

// Under the system's roots names are unchanged, and name constraints of the other CAs are still
// checked here.
func TestCandidate_UnderTheSystemsRoots(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	issuing := root.NewIntermediate(t, "Issuing", func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"partner.example"}
	})
	system := x509.NewCertPool()
	system.AddCert(root.Certificate)
	settings := Settings{System: system, MaxDepth: defaultMaxDepth}
	for _, presented := range []bool{false, true} {
		intermediates := newPool(t, issuing.Certificate)
		for name, want := range map[string]certcheck.Kind{"a.partner.example": none, "a.other.example": certcheck.Untrusted} {
			certs := []*x509.Certificate{issuing.Issue(t, "client", certauthtest.DNS(name)).Certificate}
			if presented {
				intermediates = &Pool{}
				certs = append(certs, issuing.Certificate)
			}
			answer := find(settings, nil, intermediates, time.Now(), certs...)
			if want == none {
				require.Nil(t, answer.Refused, "%v", textOf(answer))
				assert.True(t, slices.EqualFunc(answer.Chains[0], []*x509.Certificate{certs[0], issuing.Certificate, root.Certificate}, (*x509.Certificate).Equal))
				assert.Same(t, issuing.Certificate, answer.Chains[0][1])
				continue
			}
			require.NotNil(t, answer.Refused)
			assert.Equal(t, want, answer.Refused.Kind)
			assert.ErrorContains(t, answer.Refused.Err, "name constraints of CA")
		}
	}
}

// Some roots of an operating system are of version 1 and have no extensions, so no path length either. crypto/x509
// then has a path length of 0 for them.
func TestCandidate_RootsOfVersion1HaveNoPathLength(t *testing.T) {
	root := certauthtest.NewCA(t, "Public Root")
	issuing := root.NewIntermediate(t, "Issuing")
	first := *root.Certificate
	first.Version, first.BasicConstraintsValid, first.IsCA, first.MaxPathLen, first.Extensions, first.KeyUsage = 1, false, false, 0, nil, 0
	system := x509.NewCertPool()
	system.AddCert(&first)
	settings := Settings{System: system, MaxDepth: defaultMaxDepth}
	leaf := issuing.Issue(t, "client").Certificate
	assert.Equal(t, none, kindOf(find(settings, nil, newPool(t, issuing.Certificate), time.Now(), leaf)))
}
