package certauth_test

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// answer is a checker that always returns the same answer.
type answer struct {
	revocation certauth.Revocation
	err        error
}

func (a answer) CheckChain(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
	return a.revocation, a.err
}

// asked is a checker made from a function.
type asked func(context.Context, []*x509.Certificate) (certauth.Revocation, error)

func (f asked) CheckChain(ctx context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	return f(ctx, chain)
}

func TestNotRevoked_OnlyGoodEvidenceAccepts(t *testing.T) {
	w := newWorld(t)
	failure := errors.New("responder down")
	row := func(name string, status certauth.RevocationStatus, err error, want certauth.Reason) verdict {
		return verdict{name, w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: status}, err}}), w.leaf.Certificate, want}
	}
	runVerdicts(t, []verdict{
		row("good", certauth.RevocationGood, nil, certauth.ReasonNone),
		row("revoked", certauth.RevocationRevoked, nil, certauth.ReasonCertificateRevoked),
		row("unknown", certauth.RevocationUnknown, nil, certauth.ReasonRevocationUnknown),
		row("unavailable", certauth.RevocationUnavailable, nil, certauth.ReasonRevocationUnavailable),
		row("the zero status", 0, nil, certauth.ReasonRevocationUnavailable),
		row("a status nobody knows", 99, nil, certauth.ReasonRevocationUnavailable),
		row("a negative status", -1, nil, certauth.ReasonRevocationUnavailable),
		row("an error", 0, failure, certauth.ReasonRevocationUnavailable),
		row("good beside an error", certauth.RevocationGood, failure, certauth.ReasonRevocationUnavailable),
		row("unknown beside an error", certauth.RevocationUnknown, failure, certauth.ReasonRevocationUnavailable),
		row("revoked beside an error", certauth.RevocationRevoked, failure, certauth.ReasonCertificateRevoked),
		{"a panic", w.behind(certauth.NotRevoked{Checker: asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) { panic("checker") })}), w.leaf.Certificate, certauth.ReasonInternalError},
	})
	t.Run("the evidence is in the identity", func(t *testing.T) {
		evidence := certauth.Revocation{Status: certauth.RevocationGood, Source: "ocsp", ThisUpdate: noon}
		id, err := judge(t, w.behind(certauth.NotRevoked{Checker: answer{evidence, nil}}), w.leaf.Certificate)
		require.NoError(t, err)
		assert.Equal(t, evidence, id.Revocation)
	})
	t.Run("the error is behind the refusal", func(t *testing.T) {
		_, err := judge(t, w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{}, failure}}), w.leaf.Certificate)
		assert.ErrorIs(t, err, failure)
		assert.ErrorIs(t, err, certauth.ReasonRevocationUnavailable)
	})
}

// No certificate is checked unless its chain has verified, and then the verified chain is checked,
// including the root.
func TestNotRevoked_ChecksVerifiedChainsOnly(t *testing.T) {
	w := newWorld(t)
	var chains [][]*x509.Certificate
	checker := asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		chains = append(chains, chain)
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})
	policy := w.behind(certauth.NotRevoked{Checker: checker})
	_, err := judge(t, policy, certauthtest.NewCA(t, "Stranger").Issue(t, "client").Certificate)
	assert.Equal(t, certauth.ReasonChainUntrusted, reasonOf(err))
	assert.Empty(t, chains)
	_, err = judge(t, policy, w.leaf.Certificate)
	require.NoError(t, err)
	require.Len(t, chains, 1)
	assert.Equal(t, []*x509.Certificate{w.leaf.Certificate, w.ca.Certificate}, chains[0])
}

func TestNotRevoked_OneRevokedChainOfSeveralRefuses(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	chain := certauth.Chain{Roots: certsOf(rootA, rootB), Intermediates: certauth.Certificates(issuing.Certificate, crossSign(t, issuing, rootB))}
	leaf := issuing.Issue(t, "client").Certificate
	const (
		none, good = certauth.RevocationUnavailable, certauth.RevocationGood
		revoked    = certauth.RevocationRevoked
		unknown    = certauth.RevocationUnknown
	)
	for _, tc := range []struct {
		name string
		a, b certauth.RevocationStatus
		want certauth.Reason
	}{
		{"both good", good, good, certauth.ReasonNone},
		{"one good, no evidence for the other", good, none, certauth.ReasonNone},
		{"one good, the other revoked", good, revoked, certauth.ReasonCertificateRevoked},
		{"one unknown, the other revoked", unknown, revoked, certauth.ReasonCertificateRevoked},
		{"no evidence at all", none, none, certauth.ReasonRevocationUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, swap := range []bool{false, true} {
				byRoot := map[string]certauth.RevocationStatus{"Root A": tc.a, "Root B": tc.b}
				if swap {
					byRoot = map[string]certauth.RevocationStatus{"Root A": tc.b, "Root B": tc.a}
				}
				checker := asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
					return certauth.Revocation{Status: byRoot[chain[2].Subject.CommonName]}, nil
				})
				_, err := judge(t, certauth.All{chain, certauth.NotRevoked{Checker: checker}}, leaf)
				assert.Equal(t, tc.want, reasonOf(err), "%v", err)
			}
		})
	}
}

func TestNotRevoked_StaticErrors(t *testing.T) {
	w := newWorld(t)
	const before = ": comes before any Chain; put a Chain before it, because only a verified chain can be checked for revocation"
	rule := certauth.NotRevoked{Checker: answer{}}
	pin := certauth.Thumbprints{pinOfNobody}
	runMisconfigured(t, []misconfigured{
		{"no checker", w.behind(certauth.NotRevoked{}), []string{"Policy.All[1].NotRevoked.Checker: nil"}},
		{"a typed-nil checker", w.behind(certauth.NotRevoked{Checker: asked(nil)}), []string{"Policy.All[1].NotRevoked.Checker: nil"}},
		{"alone", rule, []string{"Policy.NotRevoked" + before}},
		{"before the chain", certauth.All{rule, w.chain()}, []string{"Policy.All[0].NotRevoked" + before}},
		{"behind a pin", certauth.All{pin, rule}, []string{"Policy.All[1].NotRevoked" + before}},
		{"after a chain in one branch only", certauth.All{certauth.Any{w.chain(), pin}, rule}, []string{"Policy.All[1].NotRevoked" + before}},
	})
	for status, want := range map[certauth.RevocationStatus]string{
		certauth.RevocationUnavailable: "unavailable", certauth.RevocationGood: "good",
		certauth.RevocationRevoked: "revoked", certauth.RevocationUnknown: "unknown", 99: "unavailable",
	} {
		assert.Equal(t, want, status.String())
	}
}

// A chain that is verified after NotRevoked is still checked for revocation.
func TestNotRevoked_HoldsForChainsThatVerifyLater(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing")
	leaf := issuing.Issue(t, "client")
	chainA := certauth.Chain{Roots: certauth.Certificates(rootA.Certificate), Intermediates: certauth.Certificates(issuing.Certificate)}
	chainB := certauth.Chain{Roots: certauth.Certificates(rootB.Certificate), Intermediates: certauth.Certificates(rootB.CrossSign(t, issuing))}
	good := certauth.NotRevoked{Checker: revokedBelow{rootB.Certificate}}
	runVerdicts(t, []verdict{
		{"the chain before it", certauth.All{chainA, good}, leaf.Certificate, certauth.ReasonNone},
		{"both before it", certauth.All{chainA, chainB, good}, leaf.Certificate, certauth.ReasonCertificateRevoked},
		{"one after it", certauth.All{chainA, good, chainB}, leaf.Certificate, certauth.ReasonCertificateRevoked},
	})
	auth := must(t, certauth.Config{Source: fixedSource("s", leaf.Certificate), Policy: certauth.All{chainA, good}})
	g := through(t, func(h http.Handler) http.Handler { return auth.Handler(auth.Require(chainB)(h)) }, request())
	assert.Equal(t, 403, g.status, "one that only a route verifies")
}

// revokedBelow returns revoked for chains that end in a root.
type revokedBelow struct{ root *x509.Certificate }

func (c revokedBelow) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	if chain[len(chain)-1].Equal(c.root) {
		return certauth.Revocation{Status: certauth.RevocationRevoked}, nil
	}
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// RFC 5280, section 6.3.3 (f): a CA may sign its CRLs with another key, whose certificate callers may
// send along. The checker gets what was sent along if there is one of that name, and only then.
func TestNotRevoked_CheckerGetsTheOtherCertificatesOfItsCAs(t *testing.T) {
	root := newRoot(t, "Root")
	issuing := root.newCA(t, "Issuing")
	leaf := issuing.newClient(t).Certificate
	unrelated := newRoot(t, "Elsewhere").Certificate
	ofList := root.newCA(t, "Issuing").Certificate // another key
	spelled := root.newCA(t, "", func(c *x509.Certificate) {
		c.RawSubject = nameOf(t, nameValue{oidO, asn1.TagUTF8String, "partner  LTD"}, nameValue{oidCN, asn1.TagPrintableString, "issuing"})
	}).Certificate
	ofRoot := newRoot(t, "Root").Certificate
	ofLeaf := root.newCA(t, "client").Certificate
	for name, tc := range map[string]struct{ along, want []*x509.Certificate }{
		"nothing":                           {},
		"the CA itself":                     {along: []*x509.Certificate{issuing.Certificate}},
		"CA and root":                       {along: []*x509.Certificate{issuing.Certificate, root.Certificate}},
		"another CA":                        {along: []*x509.Certificate{unrelated}},
		"a CA of the leaf's name":           {along: []*x509.Certificate{ofLeaf}},
		"a second key":                      {along: []*x509.Certificate{ofList}, want: []*x509.Certificate{ofList}},
		"a second key in another spelling":  {along: []*x509.Certificate{spelled}, want: []*x509.Certificate{spelled}},
		"a second key of the root":          {along: []*x509.Certificate{ofRoot}, want: []*x509.Certificate{ofRoot}},
		"a second key behind CA and others": {along: []*x509.Certificate{issuing.Certificate, unrelated, ofList}, want: []*x509.Certificate{issuing.Certificate, unrelated, ofList}},
	} {
		t.Run(name, func(t *testing.T) {
			asks := 0
			checker := asked(func(ctx context.Context, _ []*x509.Certificate) (certauth.Revocation, error) {
				asks++
				assert.Equal(t, tc.want, presented.Beside(ctx))
				return certauth.Revocation{Status: certauth.RevocationGood}, nil
			})
			chain := certauth.Chain{Roots: certsFrom(root), Intermediates: certsFrom(issuing)}
			auth := authOf(t, certauth.All{chain, certauth.NotRevoked{Checker: checker}}, time.Time{}, append([]*x509.Certificate{leaf}, tc.along...)...)
			for range 2 { // the certificate is new, and known
				_, err := auth.Check(request())
				require.NoError(t, err)
			}
			assert.Equal(t, 2, asks)
		})
	}
}

// The context may end while the checker is asked, also for a caller who is known.
func TestNotRevoked_EndedContextRefuses(t *testing.T) {
	w := newWorld(t)
	var end context.CancelFunc = func() {}
	auth := authOf(t, w.behind(certauth.NotRevoked{Checker: asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
		end()
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}), time.Time{}, w.leaf.Certificate)
	for range 2 {
		_, err := auth.Check(request())
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	end = cancel
	_, err := auth.Check(request().WithContext(ctx))
	assert.Equal(t, certauth.ReasonRequestCanceled, reasonOf(err), "%v", err)
}
