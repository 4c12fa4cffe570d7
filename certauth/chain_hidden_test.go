package certauth_test

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// bothChains requires that a caller has this number of chains and that the rules on chains see the one
// whose root is another: those that refuse because of it, and those that accept because of it.
func bothChains(t *testing.T, chain certauth.Chain, n int, usual, another *party, sent ...*x509.Certificate) {
	t.Helper()
	id, err := judge(t, chain, sent...)
	require.NoError(t, err)
	assert.Len(t, id.Chains, n)
	keys := []string{spkiPin(another.Certificate)}
	everyWay(t, certauth.ReasonCertificateDenied, certauth.All{chain, certauth.Denied{PublicKeys: keys}}, sent...)
	everyWay(t, certauth.ReasonPolicyRefused, certauth.All{chain, certauth.Not{Policy: certauth.IssuedBy{PublicKeys: keys}}}, sent...)
	usualIsRevoked := certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[len(chain)-1].Equal(usual.Certificate) {
			return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
	everyWay(t, certauth.ReasonNone, certauth.All{chain, usualIsRevoked}, sent...)
}

// finding C31: of the chains that verify, those were not found that lead through a CA with another key
// identifier than the one that a CA below it names. Whoever makes a certificate writes that identifier.
func TestChain_KeyIdentifiersOfCAsLeaveOutNoChain(t *testing.T) {
	rfc7093 := func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") }
	t.Run("above the issuing CA", func(t *testing.T) {
		root, old := newRoot(t, "Root"), newRoot(t, "Root")
		issuing := root.newCA(t, "Issuing")
		namesRoot := issue(t, nil, old.key, "Root", asCA, func(c *x509.Certificate) { c.SubjectKeyId = issuing.Certificate.AuthorityKeyId })
		byOld := namesRoot.again(t, issuing)
		leaf := issuing.newClient(t).Certificate
		roots := certsFrom(root, old)
		bothChains(t, certauth.Chain{Roots: roots, Intermediates: certsFrom(issuing, byOld)}, 2, root, old, leaf)
		bothChains(t, certauth.Chain{Roots: roots}, 2, root, old, leaf, issuing.Certificate, byOld.Certificate)
	})
	t.Run("of a root and of its cross-certificate", func(t *testing.T) {
		root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
		crossed := other.again(t, root, rfc7093)
		namesake := other.newCA(t, "Root", func(c *x509.Certificate) { c.SubjectKeyId = root.SubjectKeyId })
		leaf := root.newClient(t).Certificate
		roots := certsFrom(root, other)
		bothChains(t, certauth.Chain{Roots: roots, Intermediates: certsFrom(crossed, namesake)}, 2, root, other, leaf)
		bothChains(t, certauth.Chain{Roots: roots}, 2, root, other, leaf, namesake.Certificate, crossed.Certificate)
	})
}

// finding C32: crypto/x509 verifies at most a hundred signatures for a leaf. With copies of a root
// among the intermediates, as after each renewal with the same key, it spent them on paths that lead
// nowhere, and did not find chains.
func TestChain_CopiesOfARootHideNoChain(t *testing.T) {
	root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
	issuing := root.newCA(t, "Issuing")
	byOther := other.again(t, issuing, func(c *x509.Certificate) { c.NotBefore = c.NotBefore.AddDate(-1, 0, 0) }) // which is tried last
	cas := []*party{issuing, byOther, root.again(t, issuing), root.again(t, issuing)}
	for range 6 {
		cas = append(cas, issue(t, nil, root.key, "Root", asCA))
	}
	leaf, roots := issuing.newClient(t).Certificate, certsFrom(root, other)
	bothChains(t, certauth.Chain{Roots: roots, Intermediates: certsFrom(cas...)}, 4, root, other, leaf)
	sent := []*x509.Certificate{leaf}
	for _, ca := range cas[2:] {
		sent = append(sent, ca.Certificate)
	}
	bothChains(t, certauth.Chain{Roots: roots, Intermediates: certsFrom(issuing, byOther)}, 4, root, other, sent...)
}

// finding C37: the names of a leaf were compared with the constraints of the first of its chains only, if it has so
// many that the comparisons for another one were too many. Rules that exclude a CA of the other did not see it.
func TestChain_ManyNamesHideNoChain(t *testing.T) {
	constrained := func(c *x509.Certificate) {
		for i := range 40 {
			c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprint("d", i, ".example"))
		}
	}
	root, other := newRoot(t, "Root"), newRoot(t, "Other Root")
	issuing := root.newCA(t, "Issuing", constrained)
	byOther := other.again(t, issuing, constrained)
	chain := certauth.Chain{Roots: certsFrom(root, other), Intermediates: certsFrom(issuing, byOther)}
	withNames := func(by *party, n int) *x509.Certificate {
		return by.newClient(t, func(c *x509.Certificate) {
			for i := range n {
				c.DNSNames = append(c.DNSNames, fmt.Sprint("c", i, ".example"))
			}
		}).Certificate
	}
	below := issuing.newCA(t, "Below")
	for by, sent := range map[*party][]*x509.Certificate{issuing: nil, below: {below.Certificate}} {
		few, many := append([]*x509.Certificate{withNames(by, 600)}, sent...), append([]*x509.Certificate{withNames(by, 700)}, sent...)
		isExcluded(t, chain, other, few...)
		isExcluded(t, chain, root, few...)
		isExcluded(t, chain, other, many...)
		isExcluded(t, chain, root, many...)
		id, err := judge(t, chain, many...)
		require.NoError(t, err)
		assert.Len(t, id.Chains, 1, "of the other it is not known whether the constraints permit it")
	}
}

// finding C42: names were compared twice, and were too many, if the key identifier of a leaf names a CA below the one
// that has signed it.
func TestChain_KeyIdentifierOfAnotherCADoublesNoComparison(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "CA", func(c *x509.Certificate) {
		for i := range 40 {
			c.ExcludedDNSDomains = append(c.ExcludedDNSDomains, fmt.Sprint("d", i, ".example"))
		}
	})
	below := issuing.newCA(t, "CA")
	misnamed := *issuing.Certificate
	misnamed.SubjectKeyId = below.SubjectKeyId
	leaf := (&party{&misnamed, issuing.key}).newClient(t, func(c *x509.Certificate) {
		for i := range 700 {
			c.DNSNames = append(c.DNSNames, fmt.Sprint("c", i, ".example"))
		}
	}).Certificate
	everyWay(t, certauth.ReasonNone, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}, leaf)
	everyWay(t, certauth.ReasonNone, certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing, below)}, leaf)
}

// finding C41: CAs that are only part of chains that are too long used up the signatures of a shorter one, which was
// not found.
func TestChain_CAsAboveMaxDepthHideNoChain(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing")
	cas := []*party{root.again(t, issuing, func(c *x509.Certificate) { c.SubjectKeyId = []byte("another method's 20 ") })}
	var bridges []*party
	for i := range 6 { // each certifies all others
		bridges = append(bridges, newRoot(t, fmt.Sprint("Bridge ", i)))
	}
	for _, of := range bridges {
		for _, by := range bridges {
			if by != of {
				cas = append(cas, by.again(t, of))
			}
		}
	}
	leaf := issuing.newClient(t).Certificate
	chain := certauth.Chain{Roots: certsFrom(root), MaxDepth: 2}
	chain.Intermediates = certsFrom(cas...)
	isExcluded(t, chain, root, leaf)
	chain.Intermediates = certsFrom(append(cas, bridges[0].again(t, issuing))...)
	isExcluded(t, chain, root, leaf)
}

// finding C44: of configured CAs with one name at most eight were tried, and crypto/x509 verified a hundred signatures
// at most, so that rules that exclude a CA did not see it if an operator keeps many renewed certificates.
func TestChain_RenewalsHideNoChain(t *testing.T) {
	root, excluded := newRoot(t, "Root"), newRoot(t, "Excluded Root")
	upper := excluded.newCA(t, "Upper")
	issuing := upper.newCA(t, "Issuing")
	cas := []*party{upper, issuing}
	for range 12 {
		cas = append(cas, root.again(t, upper))
		isExcluded(t, certauth.Chain{Roots: certsFrom(root, excluded), Intermediates: certsFrom(cas...)}, excluded, issuing.newClient(t).Certificate)
	}
	for range 12 {
		cas = append(cas, upper.again(t, issuing))
	}
	cas = append(cas, root.again(t, issuing)) // the shortest
	for range 3 {
		top := newRoot(t, "Top")
		for range 9 {
			cas = append(cas, top.again(t, root))
		}
	}
	isExcluded(t, certauth.Chain{Roots: certsFrom(root, excluded), Intermediates: certsFrom(cas...)}, excluded, issuing.newClient(t).Certificate)
}

// finding C45: rules that exclude a CA did not consider chains that are not valid, and whoever has a CA below an excluded
// one can make them invalid: its own certificates then lead to the excluded one only in chains that do not count.
func TestChain_InvalidCAsHideNoExcludedOne(t *testing.T) {
	root, excluded := newRoot(t, "Root"), newRoot(t, "Excluded Root")
	for name, change := range map[string]certauthtest.Template{
		"path length":      func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true },
		"name constraints": func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"elsewhere.example"} },
		"usage":            certauthtest.Usage(x509.ExtKeyUsageCodeSigning),
		"key usage":        func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign },
		"critical extension": func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 3, 6, 1, 4, 1, 99999, 1}, Critical: true, Value: []byte{5, 0}}}
		},
		"dates": certauthtest.Valid(time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)),
	} {
		t.Run(name, func(t *testing.T) {
			below := excluded.newCA(t, "Below", change)
			issuing := below.newCA(t, "Issuing")
			chain := certauth.Chain{Roots: certsFrom(root, excluded), Intermediates: certsFrom(below, issuing, root.again(t, issuing))}
			client := issuing.newClient(t, certauthtest.DNS("client.example")).Certificate
			isExcluded(t, chain, excluded, client)
			id, err := judge(t, chain, client)
			require.NoError(t, err)
			assert.Len(t, id.Chains, 1, "only the other one accepts the caller")
		})
	}
}

// finding C46: paths that did not reach a root yet took the places of those that do, so that of a few renewals of each CA
// no chain was found at all.
func TestChain_RenewalsOfEveryCARefuseNobody(t *testing.T) {
	for levels, renewals := range map[int]int{2: 15, 3: 6, 4: 5} {
		root := newRoot(t, "Root")
		issuing := root
		var cas []*party
		for level := range levels {
			upper := issuing
			issuing = upper.newCA(t, fmt.Sprint("CA ", level))
			cas = append(cas, issuing)
			for range renewals - 1 {
				cas = append(cas, upper.again(t, issuing))
			}
		}
		chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(cas...)}
		_, err := judge(t, chain, issuing.newClient(t).Certificate)
		assert.NoError(t, err, "%d levels of CAs with %d certificates each", levels, renewals)
	}
}
