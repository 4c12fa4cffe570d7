package certauth_test

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// A chain goes through no name with one key twice (RFC 5280, section 6.1: "a certificate MUST
// NOT appear more than once"): a client with the name and the key of its own CA has issued
// its certificate to itself.
func TestChain_ClientWithTheNameAndKeyOfItsCAIsRefused(t *testing.T) {
	root := newRoot(t, "Root")
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
		{"the name alone", root.roots(), sameName.Certificate, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) { everyWay(t, tc.want, tc.chain, tc.leaf) })
	}
}

// The clock skew counts by the second, for CA certificates as for the leaf.
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
