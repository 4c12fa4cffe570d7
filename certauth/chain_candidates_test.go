package certauth_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// withoutKeyID removes the key identifier from a CA, so that the certificates it signs name none
// either.
func withoutKeyID(ca *certauthtest.CA) *certauthtest.CA {
	bare := *ca.Certificate
	bare.SubjectKeyId = nil
	ca.Certificate = &bare
	return ca
}

// finding R2: a presented issuing CA was dropped after three roots with its issuer's name that had
// not signed it, although eight are promised.
func TestChain_RootThatGotNewKeysStillLeadsFromAPresentedCA(t *testing.T) {
	for _, younger := range []int{2, 3, 4, 7} {
		t.Run(fmt.Sprintf("%d younger roots of the name", younger), func(t *testing.T) {
			var roots []*certauthtest.CA
			for i := range younger + 1 {
				born := time.Now().AddDate(-1, 0, i)
				roots = append(roots, withoutKeyID(certauthtest.NewCA(t, "Root", certauthtest.Valid(born, born.AddDate(9, 0, 0)))))
			}
			issuing := withoutKeyID(roots[0].NewIntermediate(t, "Issuing"))
			leaf := issuing.Issue(t, "client")
			_, err := judge(t, chainOf(roots...), leaf.Certificate, issuing.Certificate)
			assert.NoError(t, err, "presented")
			_, err = judge(t, certauth.Chain{Roots: certsOf(roots...), Intermediates: certsOf(issuing)}, leaf.Certificate)
			assert.NoError(t, err, "configured")
		})
	}
}

// finding R2: two presented cross-certificates that do not verify hid the chain that does, as in
// the path-building tests 54 and 60 of BetterTLS: the leaf is issued by B, B by C, C by A and A by
// the root. In addition there are B issued by A and C issued by the root, signed with another key
// or with SHA-1.
func TestChain_BadCrossCertificatesHideNothing(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	a := root.NewIntermediate(t, "A")
	c := a.NewIntermediate(t, "C")
	b := c.NewIntermediate(t, "B")
	leaf := b.Issue(t, "client").Certificate
	ac := c.CrossSign(t, a)
	forged := func(of, by *certauthtest.CA) *x509.Certificate { return forgeCA(t, of, by) }
	old := func(of, by *certauthtest.CA) *x509.Certificate {
		return by.IssueFor(t, publicOnly{public: of.Certificate.PublicKey}, "", certauthtest.AsCA(), certauthtest.Usage(), func(t *x509.Certificate) {
			t.RawSubject, t.SubjectKeyId, t.SignatureAlgorithm = of.Certificate.RawSubject, of.Certificate.SubjectKeyId, x509.ECDSAWithSHA1
		}).Certificate
	}
	good := []*x509.Certificate{b.Certificate, c.Certificate, a.Certificate}
	for kind, bad := range map[string]func(of, by *certauthtest.CA) *x509.Certificate{"another key": forged, "SHA-1": old} {
		bA, cRoot := bad(b, a), bad(c, root)
		for _, tc := range []struct {
			name string
			sent []*x509.Certificate
		}{
			{"as the tests have it", []*x509.Certificate{leaf, b.Certificate, bA, ac, c.Certificate, cRoot, a.Certificate}},
			{"the chain first", append(append([]*x509.Certificate{leaf}, good...), ac, cRoot, bA)},
			{"the bad ones first", append([]*x509.Certificate{leaf, bA, cRoot, ac}, good...)},
			{"as many bad ones as there is room for", append([]*x509.Certificate{leaf, bA, cRoot, bad(a, root), bad(b, c), bad(c, a), bad(b, root)}, good...)},
		} {
			t.Run(kind+", "+tc.name, func(t *testing.T) {
				_, err := judge(t, chainOf(root), tc.sent...)
				assert.NoError(t, err)
				_, err = judge(t, certauth.Chain{Roots: certsOf(root), Intermediates: certauth.Certificates(tc.sent[1:]...)}, leaf)
				assert.NoError(t, err, "as Intermediates")
			})
		}
	}
}

// forgeCA certifies the name and the key of a CA in the name of another one, with its own key.
func forgeCA(t *testing.T, of, by *certauthtest.CA) *x509.Certificate {
	t.Helper()
	key := newECKey(t, elliptic.P256())
	named := *by.Certificate
	named.PublicKey = key.Public()
	template := *of.Certificate
	return create(t, &template, &named, of.Certificate.PublicKey, key)
}
