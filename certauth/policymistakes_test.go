package certauth_test

import (
	"context"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// hollow is a struct that is a Policy only because it embeds one.
type hollow struct{ certauth.Policy }

// Checkers with a nil value that is not a nil pointer.
type (
	mapChecker  map[string]certauth.Revocation
	chanChecker chan certauth.Revocation
)

func (mapChecker) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

func (chanChecker) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// New reports each mistake once, with its place, and nothing that merely follows from one.
func TestNew_NamesEachMistakeOnce(t *testing.T) {
	w := newWorld(t)
	chain := certauth.Policy(w.chain())
	deep := chain
	for range 32 {
		deep = certauth.All{deep}
	}
	other := w.issue(t)
	const path = "Policy.Chain.Roots: certificate "
	notCA := ` ("CN=client,O=certauthtest") is not a CA certificate; to trust that certificate alone, pin it`
	isNil := func(checker certauth.RevocationChecker) certauth.Policy {
		return w.behind(certauth.NotRevoked{Checker: checker})
	}
	runMisconfigured(t, []misconfigured{
		{"two certificates of one source", certauth.Chain{Roots: certauth.Certificates(w.leaf.Certificate, other)}, []string{path + "0" + notCA, path + "1" + notCA}},
		{"a struct that embeds nil, and a name after it", certauth.All{chain, hollow{}, certauth.CommonNames{"x"}}, []string{"Policy.All[1]: cannot be compiled; does a struct embed a nil Policy?"}},
		{"a member without an anchor within All", certauth.All{certauth.Any{chain, certauth.Validity{MaxLifetime: time.Hour}}}, []string{"Policy.All[0].Any[1]: accepts without an anchor; add a Chain or a pin"}},
		{"a nil map", isNil(mapChecker(nil)), []string{"Policy.All[1].NotRevoked.Checker: nil"}},
		{"a nil channel", isNil(chanChecker(nil)), []string{"Policy.All[1].NotRevoked.Checker: nil"}},
	})
	lines := mistakesOf(t, certauth.Any{deep, deep})
	require.Len(t, lines, 1, "two members that are too deep")
	assert.Contains(t, lines[0], "nested deeper than 32 or more than 10000 policies")
}

// A policy has at most 10000 parts, including itself and its combinators.
func TestNew_PolicyOfTenThousandParts(t *testing.T) {
	w := newWorld(t)
	policy := certauth.All{w.chain()}
	for len(policy) < 9999 {
		policy = append(policy, certauth.CommonNames{"client"})
	}
	_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: policy})
	assert.NoError(t, err)
	_, err = certauth.New(certauth.Config{Source: fixedSource("test"), Policy: append(policy, certauth.CommonNames{"client"})})
	assert.ErrorContains(t, err, "more than 10000 policies")
}

// A chain to any public CA says nothing about the caller: New requires a rule that does, on every
// path. IssuedBy is such a rule, as the text of the mistake says.
//
// finding T146: that an extension is present, whatever its value, counted as such a rule, and so did IPs with every address.
func TestNew_PublicCAsNeedARuleThatTellsCallersApart(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	public, chain, pin := certauth.Chain{Roots: certauth.InsecureSystemRoots()}, chainOf(ca), certauth.Thumbprints{pinOfNobody}
	const everybody = "Policy: accepts a certificate of every public CA; add a rule on names or IssuedBy"
	runMisconfigured(t, []misconfigured{
		{"alone", certauth.All{public}, []string{everybody}},
		{"after a pin or a private CA", certauth.All{certauth.Any{pin, chain}, public}, []string{everybody}},
		{"after a private CA or a pin", certauth.All{certauth.Any{chain, pin}, public}, []string{everybody}},
		{"finding T146: with any address", certauth.All{public, certauth.IPs{"10.1.2.3", "::/0"}}, []string{everybody}},
		{"finding T146: with an extension that all of them write", certauth.All{public, certauth.Extension{OID: "2.5.29.17", Present: true}}, []string{everybody}},
	})
	for name, policy := range map[string]certauth.Policy{
		"after one of two pins":          certauth.All{certauth.Any{pin, certauth.Certificates(ca.Issue(t, "client").Certificate)}, public},
		"before IssuedBy":                certauth.All{public, certauth.IssuedBy{Certificates: certsOf(ca)}},
		"before a value of an extension": certauth.All{public, certauth.Extension{OID: "1.2.3", Text: []string{"a"}}},
		"before IssuedBy by key":         certauth.All{public, certauth.IssuedBy{PublicKeys: []string{pinOfNobody}}},
	} {
		_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: policy})
		assert.NoError(t, err, name)
	}
}
