package certauth_test

import (
	"crypto/x509"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
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
		chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, byOther)}
		isExcluded(t, chain, other, sent[0])
		isExcluded(t, chain, other, sent...)
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
		chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, byOther)}
		isExcluded(t, chain, other, sent[0])
		isExcluded(t, chain, other, sent...)
	})
}

// A CA that is sent along does not make a caller refused by its many name constraints either, not even a single one.
func TestChain_ACASentAlongWithManyConstraintsRefusesNobody(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing")
	many := root.again(t, issuing, func(c *x509.Certificate) {
		for i := range 300 {
			c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprint("d", i, ".example"))
		}
	})
	leaf := issuing.newClient(t, func(c *x509.Certificate) {
		for i := range 200 {
			c.DNSNames = append(c.DNSNames, fmt.Sprint("client", i, ".example"))
		}
	}).Certificate
	chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}
	everyWay(t, certauth.ReasonNone, chain, leaf, many.Certificate)
	everyWay(t, certauth.ReasonChainUntrusted, root.roots(), leaf, many.Certificate)

	// finding C40: it did, if its key identifier fits better than that of the configured CA.
	other := root.again(t, issuing, func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") })
	chain.Intermediates = certsFrom(other)
	everyWay(t, certauth.ReasonNone, chain, leaf)
	everyWay(t, certauth.ReasonNone, chain, leaf, many.Certificate)
}

// finding C36: the same if one of the CAs that were sent along is part of every chain.
func TestChain_CAsSentAlongHideNoChainOfOneOfThem(t *testing.T) {
	root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
	upper := root.newCA(t, "Upper")
	byOther := other.again(t, upper, func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") })
	issuing := upper.newCA(t, "Issuing")
	leaf := issuing.newClient(t).Certificate
	chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(upper, byOther)}
	isExcluded(t, chain, other, leaf, issuing.Certificate)
	sent := []*x509.Certificate{leaf, issuing.Certificate}
	for range 8 {
		sent = append(sent, root.again(t, upper).Certificate)
	}
	isExcluded(t, chain, other, sent...)
}

// finding C39: the same if CAs of the caller are part of every chain and have the name of configured ones.
func TestChain_CAsSentAlongTakeNoPlaceOfConfiguredOnes(t *testing.T) {
	root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
	upper := root.newCA(t, "CA")
	cas := []*party{upper, other.again(t, upper, func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") })}
	for range 4 { // renewed with the same key
		cas = append(cas, root.again(t, upper))
	}
	keyIDs := func(c *x509.Certificate) { c.SubjectKeyId, c.AuthorityKeyId = upper.SubjectKeyId, upper.SubjectKeyId }
	third := upper.newCA(t, "CA", keyIDs)
	second := third.newCA(t, "CA", keyIDs)
	first := second.newCA(t, "CA", keyIDs)
	chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(cas...)}
	isExcluded(t, chain, other, first.newClient(t).Certificate, first.Certificate, second.Certificate, third.Certificate)
}

// finding T121: rules that exclude CAs did not consider chains that are longer than MaxDepth permits. Whoever has a
// CA below an excluded one can make these chains longer, and was accepted if there is a shorter one.
func TestChain_CAsSentAlongMakeNoChainTooLongToExclude(t *testing.T) {
	root, excluded := newRoot(t, "Root"), newRoot(t, "Excluded Root")
	upper := excluded.newCA(t, "Upper")
	issuing := root.newCA(t, "Issuing")
	byUpper := upper.again(t, issuing)
	chain := certauth.Chain{Roots: certsFrom(root, excluded), Intermediates: certsFrom(upper, issuing, byUpper), MaxDepth: 3}
	isExcluded(t, chain, excluded, issuing.newClient(t).Certificate)
	below := issuing.newCA(t, "Below")
	sent := []*x509.Certificate{below.newClient(t).Certificate, below.Certificate}
	isExcluded(t, chain, excluded, sent...)
	everyWay(t, certauth.ReasonPolicyRefused, certauth.All{chain, certauth.Not{Policy: certauth.IssuerName{"CN=Excluded Root,O=Partner Ltd"}}}, sent...)

	id, err := judge(t, chain, sent...)
	require.NoError(t, err)
	assert.Len(t, id.Chains, 1, "the chain that is too long accepts nobody")
	chain.MaxDepth = 4
	id, err = judge(t, chain, sent...)
	require.NoError(t, err)
	assert.Len(t, id.Chains, 2)
	_, err = judge(t, certauth.All{chain, certauth.Chain{Roots: certsFrom(excluded), Intermediates: certsFrom(upper, byUpper)}}, sent...)
	assert.NoError(t, err, "another Chain permits it")
}

// isExcluded requires that a caller is accepted, but not by rules that exclude a CA.
func isExcluded(t *testing.T, chain certauth.Chain, ca *party, sent ...*x509.Certificate) {
	t.Helper()
	everyWay(t, certauth.ReasonNone, chain, sent...)
	keys := []string{spkiPin(ca.Certificate)}
	everyWay(t, certauth.ReasonCertificateDenied, certauth.All{chain, certauth.Denied{PublicKeys: keys}}, sent...)
	everyWay(t, certauth.ReasonPolicyRefused, certauth.All{chain, certauth.Not{Policy: certauth.IssuedBy{PublicKeys: keys}}}, sent...)
}
