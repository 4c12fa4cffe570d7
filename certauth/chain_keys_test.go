package certauth_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// A chain contains no name with the same key twice (RFC 5280, section 6.1: "a certificate MUST NOT
// appear more than once"): a client with the name and the key of its own CA has issued its
// certificate to itself.
//
// finding T11: it was accepted if one of the two has alternative names, or both have different
// ones.
func TestChain_ClientWithTheNameAndKeyOfItsCAIsRefused(t *testing.T) {
	root := newRoot(t, "Root")
	withName := func(name string) certauthtest.Template {
		return func(c *x509.Certificate) { c.DNSNames = append(c.DNSNames, name) }
	}
	ownOf := func(root *party, change ...certauthtest.Template) *x509.Certificate {
		return issue(t, root, root.key, "", append(change, asClient, func(c *x509.Certificate) { c.RawSubject = root.RawSubject })...).Certificate
	}
	named := newRoot(t, "Root", withName("ca.example"))
	own := issue(t, root, root.key, "", asClient, func(c *x509.Certificate) { c.RawSubject = root.RawSubject })
	sameName := issue(t, root, nil, "", asClient, func(c *x509.Certificate) { c.RawSubject = root.RawSubject })
	copied := issue(t, nil, root.key, "Root", asCA)
	for _, tc := range []struct {
		name  string
		chain certauth.Chain
		leaf  *x509.Certificate
		want  certauth.Reason
	}{
		{"of the root", root.roots(), own.Certificate, certauth.ReasonChainUntrusted},
		{"of the root and an intermediate", certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(copied), MaxDepth: 1}, own.Certificate, certauth.ReasonChainUntrusted},
		{"of the root, with alternative names", root.roots(), ownOf(root, withName("a.example")), certauth.ReasonChainUntrusted},
		{"of a root with alternative names", named.roots(), ownOf(named), certauth.ReasonChainUntrusted},
		{"of a root with the same alternative names", named.roots(), ownOf(named, withName("ca.example")), certauth.ReasonChainUntrusted},
		{"of a root with other alternative names", named.roots(), ownOf(named, withName("a.example")), certauth.ReasonChainUntrusted},
		{"the name alone", root.roots(), sameName.Certificate, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) { everyWay(t, tc.want, tc.chain, tc.leaf) })
	}
}

// finding T120: a client was accepted that has the name and the key of a CA above its own, if it has another chain
// without that CA. The chain with it was not found, so that rules accepted a client of a CA that they exclude.
func TestChain_ClientWithTheNameAndKeyOfACAHidesNoChain(t *testing.T) {
	root, excluded := newRoot(t, "Root"), newRoot(t, "Excluded Root")
	upper := excluded.newCA(t, "Upper")
	issuing := upper.newCA(t, "Issuing")
	byRoot := root.again(t, issuing)
	chain := certauth.Chain{Roots: certsFrom(root, excluded), Intermediates: certsFrom(upper, issuing, byRoot)}
	isExcluded(t, chain, excluded, issuing.newClient(t).Certificate)
	for name, ca := range map[string]*party{"Upper": upper, "UPPER": upper, "Excluded Root": excluded} {
		refused := everyWay(t, certauth.ReasonChainUntrusted, chain, issue(t, issuing, ca.key, name, asClient).Certificate)
		assert.ErrorContains(t, refused, "the leaf has the name and the key of")
	}
	everyWay(t, certauth.ReasonNone, chain, issue(t, issuing, upper.key, "client", asClient).Certificate)
}

// finding S12: if a CA has one certificate with alternative names and one without, crypto/x509 made
// chains through the first repeatedly, until it had checked a hundred signatures.
func TestChain_HoldsNoCertificateTwice(t *testing.T) {
	root := newRoot(t, "Root")
	named := issue(t, nil, root.key, "Root", asCA, func(c *x509.Certificate) {
		c.SubjectKeyId, c.DNSNames = root.SubjectKeyId, []string{"ca.example"}
	})
	both := certsFrom(root, named)
	id, err := judge(t, certauth.Chain{Roots: both, Intermediates: both, MaxDepth: 10}, root.newClient(t).Certificate)
	require.NoError(t, err)
	assert.Len(t, id.Chains, 2)
	for _, chain := range id.Chains {
		assert.Len(t, chain, 2)
	}
}

// The clock skew has a resolution of a second, for CA certificates as for the leaf.
func TestChain_SkewOfOneSecondHoldsForCAs(t *testing.T) {
	long := certauthtest.Valid(noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	root := certauthtest.NewCA(t, "Root", long)
	issuing := root.NewIntermediate(t, "Issuing CA", certauthtest.Valid(noon.Add(-time.Hour), noon))
	leaf := issuing.Issue(t, "client", long).Certificate
	chain := certauth.Chain{Roots: certsOf(root), Intermediates: certsOf(issuing)}
	policy := certauth.All{certauth.Validity{ClockSkew: time.Second}, chain}
	for _, tc := range []struct {
		after time.Duration // of the CA's end
		want  certauth.Reason
	}{
		{0, certauth.ReasonNone},
		{time.Second, certauth.ReasonNone},
		{2 * time.Second, certauth.ReasonCertificateExpired},
	} {
		_, err := judgeAt(t, noon.Add(tc.after), policy, leaf)
		assert.Equal(t, tc.want, reasonOf(err), "%v: %v", tc.after, err)
	}
}
