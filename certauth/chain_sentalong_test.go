package certauth_test

import (
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// finding C33: CAs that a caller sends along took the places of configured ones, for example public
// certificates of an issuing CA that was renewed with the same key. The chains through the configured
// ones were not found, so that rules accepted a caller of a CA that they exclude.
func TestChain_CAsSentAlongHideNoConfiguredChain(t *testing.T) {
	otherKeyID := func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") }
	t.Run("more candidates than there are places", func(t *testing.T) {
		root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
		issuing := root.newCA(t, "Issuing")
		byOther := other.again(t, issuing, otherKeyID)
		sent := []*x509.Certificate{issuing.newClient(t).Certificate}
		for range 9 {
			sent = append(sent, root.again(t, issuing).Certificate)
		}
		isExcluded(t, certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, byOther)}, other, sent...)
	})
	t.Run("more names than are compared", func(t *testing.T) {
		root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
		many := func(c *x509.Certificate) {
			for i := range 200 {
				c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprint("d", i, ".example"))
			}
		}
		issuing := root.newCA(t, "Issuing")
		byOther := other.again(t, issuing, otherKeyID)
		leaf := issuing.newClient(t, func(c *x509.Certificate) {
			for i := range 60 {
				c.DNSNames = append(c.DNSNames, fmt.Sprint("client", i, ".example"))
			}
		})
		sent := []*x509.Certificate{leaf.Certificate}
		for range 5 {
			sent = append(sent, root.again(t, issuing, many).Certificate)
		}
		isExcluded(t, certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, byOther)}, other, sent...)
	})
}

// isExcluded requires that rules that exclude a root refuse the caller, whether CAs are sent along or not.
func isExcluded(t *testing.T, chain certauth.Chain, root *party, sent ...*x509.Certificate) {
	t.Helper()
	keys := []string{spkiPin(root.Certificate)}
	for _, certs := range [][]*x509.Certificate{sent[:1], sent} {
		_, err := judge(t, chain, certs...)
		require.NoError(t, err)
		everyWay(t, certauth.ReasonCertificateDenied, certauth.All{chain, certauth.Denied{PublicKeys: keys}}, certs...)
		everyWay(t, certauth.ReasonPolicyRefused, certauth.All{chain, certauth.Not{Policy: certauth.IssuedBy{PublicKeys: keys}}}, certs...)
	}
}
