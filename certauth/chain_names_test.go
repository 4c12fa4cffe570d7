package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding C12: an issuer in another string type, letter case or spacing than the subject of its CA
// was unknown. According to RFC 5280, section 7.1, the names are equal.
func TestChain_NamesAreComparedAsRFC5280Does(t *testing.T) {
	const utf8, printable, t61, bmp = asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagT61String, asn1.TagBMPString
	name := func(organization, common nameValue) []byte {
		organization.oid, common.oid = oidO, oidCN
		return nameOf(t, organization, common)
	}
	usual := name(nameValue{tag: printable, text: "Example Works"}, nameValue{tag: printable, text: "Puppet CA"})
	for _, tc := range []struct {
		name   string
		issuer []byte
		want   certauth.Reason
	}{
		{"the same bytes", usual, certauth.ReasonNone},
		{"UTF8String", name(nameValue{tag: utf8, text: "Example Works"}, nameValue{tag: utf8, text: "Puppet CA"}), certauth.ReasonNone},
		{"BMPString", name(nameValue{tag: bmp, text: "Example Works"}, nameValue{tag: bmp, text: "Puppet CA"}), certauth.ReasonNone},
		{"another letter case", name(nameValue{tag: printable, text: "EXAMPLE works"}, nameValue{tag: utf8, text: "puppet ca"}), certauth.ReasonNone},
		{"other spacing", name(nameValue{tag: printable, text: " Example   Works "}, nameValue{tag: printable, text: "Puppet  CA"}), certauth.ReasonNone},
		{"another text", name(nameValue{tag: printable, text: "Example Works"}, nameValue{tag: printable, text: "Puppet CA 2"}), certauth.ReasonChainUntrusted},
		{"a space less", name(nameValue{tag: printable, text: "ExampleWorks"}, nameValue{tag: printable, text: "Puppet CA"}), certauth.ReasonChainUntrusted},
		{"another order", nameOf(t, nameValue{oidCN, printable, "Puppet CA"}, nameValue{oidO, printable, "Example Works"}), certauth.ReasonChainUntrusted},
		{"T61String", name(nameValue{tag: t61, text: "Example Works"}, nameValue{tag: t61, text: "Puppet CA"}), certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			named := func(c *x509.Certificate) { c.RawSubject = usual }
			root := newRoot(t, "", named)
			leaf := root.spelled(tc.issuer).newClient(t).Certificate
			require.Equal(t, tc.issuer, leaf.RawIssuer)
			everyWay(t, tc.want, root.roots(), leaf)

			top := newRoot(t, "Top")
			issuing := top.newCA(t, "", named)
			below := issuing.spelled(tc.issuer).newClient(t).Certificate
			everyWay(t, tc.want, certauth.Chain{Roots: certsFrom(top), Intermediates: certsFrom(issuing)}, below)
			everyWay(t, tc.want, top.roots(), below, issuing.Certificate)

			middle := root.spelled(tc.issuer).newCA(t, "Middle")
			deep := middle.newClient(t).Certificate
			everyWay(t, tc.want, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(middle)}, deep)
			everyWay(t, tc.want, root.roots(), deep, middle.Certificate)
		})
	}
}

// The result contains the certificates that were given, with their original names, and the same
// objects.
func TestChain_IdentityHoldsTheCertificatesAsTheyAre(t *testing.T) {
	root := newRoot(t, "Root", func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"partner.example"}
	})
	issuing := root.spelled(nameOf(t, nameValue{oidO, asn1.TagUTF8String, "partner ltd"}, nameValue{oidCN, asn1.TagUTF8String, "ROOT"})).newCA(t, "Issuing")
	leaf := issuing.spelled(nameOf(t, nameValue{oidO, asn1.TagUTF8String, "PARTNER LTD"}, nameValue{oidCN, asn1.TagUTF8String, "issuing"})).
		newClient(t, certauthtest.DNS("orders.partner.example"))
	for name, policy := range map[string]certauth.Chain{
		"configured": {Roots: certsFrom(root), Intermediates: certsFrom(issuing)},
		"presented":  root.roots(),
	} {
		sent := []*x509.Certificate{leaf.Certificate}
		if name == "presented" {
			sent = append(sent, issuing.Certificate)
		}
		id, err := judge(t, policy, sent...)
		require.NoError(t, err, name)
		require.Len(t, id.Chains, 1)
		want := []*x509.Certificate{leaf.Certificate, issuing.Certificate, root.Certificate}
		require.Len(t, id.Chains[0], len(want))
		for i, cert := range want {
			assert.Same(t, cert, id.Chains[0][i], "%s %d", name, i)
			assert.Equal(t, parse(t, cert.Raw), cert, "%s %d is what its DER says", name, i)
		}
	}
}

// Names that are equal according to RFC 5280 do not make anything else of a certificate equal.
func TestChain_SpellingOpensNothingElse(t *testing.T) {
	other := nameOf(t, nameValue{oidO, asn1.TagUTF8String, "PARTNER ltd"}, nameValue{oidCN, asn1.TagUTF8String, "issuing"})
	root := newRoot(t, "Root")
	for _, tc := range []struct {
		name   string
		change certauthtest.Template
		want   certauth.Reason
	}{
		{"no CA", func(c *x509.Certificate) { c.IsCA = false }, certauth.ReasonChainUntrusted},
		{"ended", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = c.NotBefore.AddDate(-2, 0, 0), c.NotBefore.AddDate(-1, 0, 0)
		}, certauth.ReasonCertificateExpired},
		{"serverAuth alone", certauthtest.Usage(x509.ExtKeyUsageServerAuth), certauth.ReasonUsageNotAllowed},
		{"a critical extension that nobody knows", ext(true, []byte{5, 0}, 1, 3, 6, 1, 4, 1, 99999, 7), certauth.ReasonChainUntrusted},
		{"SHA-1", func(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }, certauth.ReasonChainUntrusted},
		{"as it should be", func(*x509.Certificate) {}, certauth.ReasonNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			issuing := root.newCA(t, "Issuing", tc.change)
			leaf := issuing.spelled(other).newClient(t).Certificate
			everyWay(t, tc.want, root.roots(), leaf, issuing.Certificate)
			if issuing.IsCA {
				everyWay(t, tc.want, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf)
			}
		})
	}
	t.Run("a stranger of the name", func(t *testing.T) {
		stranger := newRoot(t, "Issuing")
		everyWay(t, certauth.ReasonChainUntrusted, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(root.newCA(t, "Issuing"))}, stranger.spelled(other).newClient(t).Certificate)
	})
	t.Run("pathLen", func(t *testing.T) {
		narrow := newRoot(t, "Root", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
		issuing := narrow.newCA(t, "Issuing")
		everyWay(t, certauth.ReasonChainUntrusted, narrow.roots(), issuing.spelled(other).newClient(t).Certificate, issuing.Certificate)
	})
}

// finding C13: a CA that was renewed with the same key by a tool that makes other key identifiers
// (RFC 7093) was refused as one with another key. Signatures decide.
func TestChain_KeyIdentifiersOrderCandidatesAndExcludeNone(t *testing.T) {
	rfc7093 := func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") }
	none := func(c *x509.Certificate) { c.SubjectKeyId = nil }
	long := func(c *x509.Certificate) { c.NotBefore = c.NotBefore.AddDate(-1, 0, 0) }
	root := newRoot(t, "Root")
	leaf := root.newClient(t).Certificate
	issuing := root.newCA(t, "Issuing")
	below := issuing.newClient(t).Certificate
	renewed := issue(t, nil, root.key, "Root", asCA, rfc7093)
	again := root.again(t, issuing, rfc7093)
	stranger := func(change ...certauthtest.Template) *party { return newRoot(t, "Root", change...) }
	same := func(c *x509.Certificate) { c.SubjectKeyId = leaf.AuthorityKeyId }
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		sent   []*x509.Certificate
	}{
		{"a renewed root", renewed.roots(), []*x509.Certificate{leaf}},
		{"a renewed intermediate", certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(again)}, []*x509.Certificate{below}},
		{"a renewed intermediate, presented", root.roots(), []*x509.Certificate{below, again.Certificate}},
		{"a presented intermediate of a renewed root", renewed.roots(), []*x509.Certificate{below, issuing.Certificate}},
		{"beside seven strangers of the name", certauth.Chain{Roots: certsFrom(stranger(), stranger(), stranger(), stranger(), stranger(), stranger(), stranger(), renewed)}, []*x509.Certificate{leaf}},
		{"beside a stranger with the very identifier", certauth.Chain{Roots: certsFrom(stranger(same), renewed)}, []*x509.Certificate{leaf}},
		{"beside a stranger with the very identifier, presented", certauth.Chain{Roots: certsFrom(stranger(same), renewed)}, []*x509.Certificate{below, again.Certificate}},
		{"without an identifier, beside a stranger with the very one", certauth.Chain{Roots: certsFrom(stranger(same), issue(t, nil, root.key, "Root", asCA, none, long))}, []*x509.Certificate{leaf}},
	} {
		t.Run(tc.name, func(t *testing.T) { everyWay(t, certauth.ReasonNone, tc.policy, tc.sent...) })
	}
	refused := everyWay(t, certauth.ReasonChainUntrusted, certauth.Chain{Roots: certsFrom(stranger(), stranger())}, leaf)
	assert.ErrorContains(t, refused, `leaf issuer "CN=Root,O=Partner Ltd" is configured with a different key`)
}

// finding R7: of two certificates of one CA, with the same key and different key identifiers, only
// the one that the child names formed a chain, so a rule on the issuer refused a caller, and so did
// revocation, although the chain through the other one verifies.
func TestChain_KeyIdentifiersLeaveOutNoChain(t *testing.T) {
	rfc7093 := func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") }
	rootA, rootB := newRoot(t, "Root A"), newRoot(t, "Root B")
	issuing := rootA.newCA(t, "Issuing")
	byB, renewed := rootB.again(t, issuing, rfc7093), issue(t, nil, rootA.key, "Root A", asCA, rfc7093)
	below, direct := issuing.newClient(t).Certificate, rootA.newClient(t).Certificate
	roots, cas := certsFrom(rootA, rootB), certsFrom(issuing, byB)
	revokedIfNamed := certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[1].Equal(issuing.Certificate) {
			return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
	for _, tc := range []struct {
		name   string
		chain  certauth.Chain
		sent   []*x509.Certificate
		issuer *party // of the chain to which the identifiers do not lead
	}{
		{"configured", certauth.Chain{Roots: roots, Intermediates: cas}, []*x509.Certificate{below}, byB},
		{"sent along", certauth.Chain{Roots: roots}, []*x509.Certificate{below, issuing.Certificate, byB.Certificate}, byB},
		{"one of each", certauth.Chain{Roots: roots, Intermediates: certsFrom(issuing)}, []*x509.Certificate{below, byB.Certificate}, byB},
		{"a root", certauth.Chain{Roots: certsFrom(rootA, renewed)}, []*x509.Certificate{direct}, renewed},
		{"beside a namesake with another key", certauth.Chain{Roots: roots, Intermediates: certsFrom(issuing, byB, rootA.newCA(t, "Issuing"))}, []*x509.Certificate{below}, byB},
	} {
		t.Run(tc.name, func(t *testing.T) {
			id, err := judge(t, tc.chain, tc.sent...)
			require.NoError(t, err)
			assert.Len(t, id.Chains, 2)
			everyWay(t, certauth.ReasonNone, certauth.All{tc.chain, certauth.IssuedBy{Certificates: certsFrom(tc.issuer)}}, tc.sent...)
			everyWay(t, certauth.ReasonNone, certauth.All{tc.chain, revokedIfNamed}, tc.sent...)
		})
	}
}

// The root's own key with another name, and the leaf's own key, do not make a chain longer.
func TestChain_GoesThroughNoKeyOfANameTwice(t *testing.T) {
	root := newRoot(t, "Root")
	leaf := root.newClient(t)
	twin := root.again(t, leaf)
	own := issue(t, twin, leaf.key, "client", asClient, func(c *x509.Certificate) { c.RawSubject = leaf.RawSubject })
	_, err := judge(t, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(twin)}, own.Certificate)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err), "%v", err)
}
