package certauth

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
	"github.com/seed2886b8ae/go-certauth/internal/reload"
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
	ca.UnhandledCriticalExtensions = append(ca.UnhandledCriticalExtensions, oidNameConstraints, oidPolicyCPS)
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
		"RawSubject", "RawIssuer", "Extensions", "UnhandledCriticalExtensions", "MaxPathLen",
		"PermittedDNSDomainsCritical", "PermittedDNSDomains", "ExcludedDNSDomains", "PermittedIPRanges", "ExcludedIPRanges",
		"PermittedEmailAddresses", "ExcludedEmailAddresses", "PermittedURIDomains", "ExcludedURIDomains",
	}, differ)
	assert.Len(t, view.Extensions, len(ca.Extensions)-2, "without alternative names and name constraints")
	assert.Nil(t, extension(view, oidSubjectAltName))
	assert.Nil(t, extension(view, oidNameConstraints))
	assert.Equal(t, []string{oidPolicyCPS.String()}, []string{view.UnhandledCriticalExtensions[0].String()})
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
	s := &search{leaf: leaf, issuer: nameKey(leaf.RawIssuer), intermediates: &caPool{}, shown: map[*x509.Certificate]*candidate{}}
	s.views([]*candidate{ours})
	view := s.leafView()
	got := s.originals(leaf, [][]*x509.Certificate{{view, ours.view}, {view, foreign}, {view, foreign, ours.view}})
	require.Len(t, got, 1)
	assert.Same(t, leaf, got[0][0])
	assert.Same(t, root.Certificate, got[0][1])
	s.system = x509.NewCertPool()
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
	pool, err := newCAPool([]*x509.Certificate{issuing.Certificate}, "test")
	require.NoError(t, err)
	node := &chainNode{chainSettings: chainSettings{system: system, maxDepth: defaultMaxDepth}}
	for _, presented := range []bool{false, true} {
		material := chainMaterial{intermediates: &reload.Loaded[caPool]{Value: pool}}
		for name, want := range map[string]Reason{"a.partner.example": ReasonNone, "a.other.example": ReasonChainUntrusted} {
			certs := []*x509.Certificate{issuing.Issue(t, "client", certauthtest.DNS(name)).Certificate}
			if presented {
				material.intermediates = &reload.Loaded[caPool]{}
				certs = append(certs, issuing.Certificate)
			}
			f, refused := newFacts(certs)
			require.Nil(t, refused)
			answer := node.search(f, material, time.Now())
			if want == ReasonNone {
				require.Nil(t, answer.refused, "%v", answer.refused)
				assert.True(t, slices.EqualFunc(answer.chains[0].certs, []*x509.Certificate{certs[0], issuing.Certificate, root.Certificate}, (*x509.Certificate).Equal))
				assert.Same(t, issuing.Certificate, answer.chains[0].certs[1])
				continue
			}
			require.NotNil(t, answer.refused)
			assert.Equal(t, want, answer.refused.Reason)
			assert.ErrorContains(t, answer.refused, "name constraints of CA")
		}
	}
}

// FuzzPolicyQualifiers compares the reader of critical certificate policies with encoding/asn1: an
// extension that it treats as known is a list of policies, and every qualifier in it is one of the
// two that RFC 5280 defines.
func FuzzPolicyQualifiers(f *testing.F) {
	for _, seed := range []string{
		"\x30\x08\x30\x06\x06\x04\x2a\x03\x04\x05",
		"\x30\x16\x30\x14\x06\x02\x2a\x03\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x01\x16\x00",
		"\x30\x16\x30\x14\x06\x02\x2a\x03\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x05\x05\x07\x02\x03\x16\x00",
		"\x30\x00", "\x30\x02\x30\x00", "\x30\x80\x00\x00", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if !qualifiersAreKnown(value) {
			return
		}
		var policies []struct {
			ID         asn1.ObjectIdentifier
			Qualifiers []struct {
				ID    asn1.ObjectIdentifier
				Value asn1.RawValue `asn1:"optional"`
			} `asn1:"optional"`
		}
		rest, err := asn1.Unmarshal(value, &policies)
		if err != nil {
			return // the data after the identifiers is not checked here
		}
		assert.Empty(t, rest)
		for _, policy := range policies {
			for _, one := range policy.Qualifiers {
				assert.True(t, one.ID.Equal(oidPolicyCPS) || one.ID.Equal(oidPolicyUserNotice), "%v", one.ID)
			}
		}
	})
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
	pool, err := newCAPool([]*x509.Certificate{issuing.Certificate}, "test")
	require.NoError(t, err)
	node := &chainNode{chainSettings: chainSettings{system: system, maxDepth: defaultMaxDepth}}
	material := chainMaterial{intermediates: &reload.Loaded[caPool]{Value: pool}}
	f := factsIn(t, []*x509.Certificate{issuing.Issue(t, "client").Certificate})
	assert.Equal(t, ReasonNone, reasonOfAnswer(node.search(f, material, time.Now())))
}
