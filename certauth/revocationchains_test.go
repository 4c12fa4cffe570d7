package certauth_test

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// Cases 95 and 96: one issuing CA with two certificates, below two roots, of which one was revoked.
// A caller is accepted through the other, and no rule, wherever it is, relies on the revoked one.
func TestNotRevoked_ChainWithARevokedCADoesNotCount(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	byA, byB := issuing.Certificate, crossSign(t, issuing, rootB)
	chain := certauth.Chain{Roots: certsOf(rootA, rootB), Intermediates: certauth.Certificates(byA, byB)}
	leaf := issuing.Issue(t, "client").Certificate
	found := func(a, b certauth.Revocation) certauth.NotRevoked {
		return certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
			if chain[2].Subject.CommonName == "Root A" {
				return a, nil
			}
			return b, nil
		})}
	}
	good := certauth.Revocation{Status: certauth.RevocationGood}
	waived := certauth.Revocation{Status: certauth.RevocationWaived}
	unknown := certauth.Revocation{Status: certauth.RevocationUnknown, Depth: 1}
	silent := certauth.Revocation{}
	caRevoked := certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}
	leafRevoked := certauth.Revocation{Status: certauth.RevocationRevoked}
	fromA, fromB := certauth.IssuedBy{Certificates: certauth.Certificates(byA)}, certauth.IssuedBy{Certificates: certauth.Certificates(byB)}
	everybody := certauth.CommonNames{"client"}
	for _, tc := range []struct {
		name   string
		policy certauth.All
		want   certauth.Reason
		chains int
	}{
		{"both chains are good", certauth.All{chain, found(good, good)}, certauth.ReasonNone, 2},
		{"the CA of one is revoked", certauth.All{chain, found(caRevoked, good)}, certauth.ReasonNone, 1},
		{"the CA of one is revoked, the other is waived", certauth.All{chain, found(caRevoked, waived)}, certauth.ReasonNone, 1},
		{"one is not known", certauth.All{chain, found(unknown, good)}, certauth.ReasonNone, 1},
		{"nothing is known of one", certauth.All{chain, found(silent, good)}, certauth.ReasonNone, 1},
		{"the CA is revoked in both", certauth.All{chain, found(caRevoked, caRevoked)}, certauth.ReasonCertificateRevoked, 0},
		{"revoked weighs more than nothing known", certauth.All{chain, found(silent, caRevoked)}, certauth.ReasonCertificateRevoked, 0},
		{"the leaf is revoked in one", certauth.All{chain, found(leafRevoked, good)}, certauth.ReasonCertificateRevoked, 0},
		{"the leaf is revoked in the other", certauth.All{chain, found(good, leafRevoked)}, certauth.ReasonCertificateRevoked, 0},

		{"issued by the revoked one, afterwards", certauth.All{chain, found(caRevoked, good), fromA}, certauth.ReasonIssuerNotAllowed, 0},
		{"issued by the revoked one, before", certauth.All{chain, fromA, found(caRevoked, good)}, certauth.ReasonIssuerNotAllowed, 0},
		{"issued by the revoked one, in a branch", certauth.All{chain, certauth.Any{certauth.All{fromA, everybody}, certauth.CommonNames{"other"}}, found(caRevoked, good)}, certauth.ReasonIssuerNotAllowed, 0},
		{"revoked in a branch, issued by it afterwards", certauth.All{chain, certauth.Any{found(caRevoked, good), certauth.CommonNames{"other"}}, fromA}, certauth.ReasonIssuerNotAllowed, 0},
		{"issued by the good one, afterwards", certauth.All{chain, found(caRevoked, good), fromB}, certauth.ReasonNone, 1},
		{"issued by the good one, before", certauth.All{chain, fromB, found(caRevoked, good)}, certauth.ReasonNone, 1},
		{"issued by either, before", certauth.All{chain, certauth.IssuedBy{Certificates: certauth.Certificates(byA, byB)}, found(caRevoked, good)}, certauth.ReasonNone, 1},
		{"Not looks at every chain, also the one that was taken out", certauth.All{certauth.Chain{Roots: certsOf(rootA), Intermediates: certauth.Certificates(byA)}, certauth.Not{Policy: certauth.IssuedBy{PublicKeys: []string{spkiPin(byA)}}}, found(caRevoked, good)}, certauth.ReasonPolicyRefused, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := authOf(t, tc.policy, time.Time{}, leaf)
			for range 3 { // and again from what is remembered
				id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
				require.Equal(t, tc.want, reasonOf(err), "%v", err)
				if err != nil {
					continue
				}
				require.Len(t, id.Chains, tc.chains)
				if tc.chains == 1 {
					assert.Equal(t, "Root B", id.Chains[0][2].Subject.CommonName)
				}
			}
		})
	}
}

// At most four chains are checked, the shortest. Each chain may wait for evidence, so their number
// limits the duration of a request.
func TestNotRevoked_FewChainsAreAskedAbout(t *testing.T) {
	issuing := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing CA")
	var intermediates, roots []*x509.Certificate
	for range 7 {
		root := certauthtest.NewCA(t, "Root")
		roots = append(roots, root.Certificate)
		intermediates = append(intermediates, crossSign(t, issuing, root))
	}
	leaf := issuing.Issue(t, "client").Certificate
	calls := 0
	checker := asked(func(context.Context, []*x509.Certificate) (certauth.Revocation, error) {
		calls++
		return certauth.Revocation{}, nil
	})
	chain := certauth.Chain{Roots: certauth.Certificates(roots...), Intermediates: certauth.Certificates(intermediates...)}
	_, err := judge(t, certauth.All{chain, certauth.NotRevoked{Checker: checker}}, leaf)
	assert.Equal(t, certauth.ReasonRevocationUnavailable, reasonOf(err))
	assert.LessOrEqual(t, calls, 4)
}

// A route that verifies its own chains does not restore the excluded one: the chains that it adds
// are judged as well.
func TestNotRevoked_RouteDoesNotBringTheSpoiledChainBack(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	byA, byB := issuing.Certificate, crossSign(t, issuing, rootB)
	leaf := issuing.Issue(t, "client").Certificate
	checker := asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[2].Subject.CommonName == "Root A" {
			return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})
	both := certauth.Chain{Roots: certsOf(rootA, rootB), Intermediates: certauth.Certificates(byA, byB)}
	auth := authOf(t, certauth.All{both, certauth.NotRevoked{Checker: checker}}, time.Time{}, leaf)
	for _, tc := range []struct {
		name   string
		route  certauth.Policy
		status int
	}{
		{"issued by the revoked one", certauth.IssuedBy{Certificates: certauth.Certificates(byA)}, http.StatusForbidden},
		{"verified again, by both, issued by the revoked one", certauth.All{both, certauth.IssuedBy{Certificates: certauth.Certificates(byA)}}, http.StatusForbidden},
		{
			"verified again, by the revoked one alone, issued by it",
			certauth.All{
				certauth.Chain{Roots: certsOf(rootA), Intermediates: certauth.Certificates(byA)},
				certauth.IssuedBy{Certificates: certauth.Certificates(byA)},
			},
			http.StatusForbidden,
		},
		{"verified again, issued by the good one", certauth.All{both, certauth.IssuedBy{Certificates: certauth.Certificates(byB)}}, http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			route := auth.Handler(auth.Require(tc.route)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				id, ok := certauth.FromContext(r.Context())
				assert.True(t, ok)
				for _, chain := range id.Chains {
					assert.Equal(t, "Root B", chain[2].Subject.CommonName)
				}
			})))
			for range 3 {
				w := httptest.NewRecorder()
				route.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
				assert.Equal(t, tc.status, w.Code)
			}
		})
	}
}

// twoWays is a client below an issuing CA that two roots have certified.
type twoWays struct {
	byA, byB     *x509.Certificate // the issuing CA, as certified by each root
	leaf         *x509.Certificate
	onlyA, onlyB certauth.Chain
	both         certauth.Chain
}

func newTwoWays(t *testing.T) twoWays {
	t.Helper()
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	w := twoWays{byA: issuing.Certificate, byB: crossSign(t, issuing, rootB), leaf: issuing.Issue(t, "client").Certificate}
	w.onlyA = certauth.Chain{Roots: certsOf(rootA), Intermediates: certauth.Certificates(w.byA)}
	w.onlyB = certauth.Chain{Roots: certsOf(rootB), Intermediates: certauth.Certificates(w.byB)}
	w.both = certauth.Chain{Roots: certsOf(rootA, rootB), Intermediates: certauth.Certificates(w.byA, w.byB)}
	return w
}

// revokedUnder finds the issuing CA revoked in chains of one root, and everything else good.
func revokedUnder(root string) certauth.NotRevoked {
	return certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[len(chain)-1].Subject.CommonName == root {
			return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
}

// Two checkers that each find a different chain revoked leave none: neither may rely on the chain
// that the other one excluded. In two members of an Any each has its own chain.
func TestRevocation_ChecksTakeOutEveryChainTogether(t *testing.T) {
	w := newTwoWays(t)
	underA, underB := revokedUnder("Root A"), revokedUnder("Root B")
	for _, c := range []struct {
		name   string
		policy certauth.Policy
		want   certauth.Reason
	}{
		{"one after the other", certauth.All{w.both, underA, underB}, certauth.ReasonCertificateRevoked},
		{
			"in branches of one Any",
			certauth.All{w.both, certauth.Any{certauth.Named{Name: "x", Policy: underA}, certauth.Named{Name: "y", Policy: underB}}},
			certauth.ReasonNone,
		},
		{"one before the other's chain", certauth.All{w.onlyA, certauth.Any{underB}, w.onlyB, underA}, certauth.ReasonCertificateRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth := authOf(t, c.policy, time.Time{}, w.leaf)
			for range 3 {
				_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
				assert.Equal(t, c.want, reasonOf(err))
			}
		})
	}
	t.Run("one of them in a route", func(t *testing.T) {
		auth := authOf(t, certauth.All{w.both, underA}, time.Time{}, w.leaf)
		for _, route := range []certauth.Policy{underB, certauth.All{w.both, underB}, certauth.All{underB, w.both}} {
			assert.Equal(t, http.StatusForbidden, routed(auth, route))
		}
		assert.Equal(t, http.StatusOK, routed(auth, certauth.All{w.both, underA}))
	})
}

// routed returns the status of a request to a route with this policy.
func routed(auth *certauth.Authenticator, policy certauth.Policy) int {
	recorder := httptest.NewRecorder()
	h := auth.Handler(auth.Require(policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	return recorder.Code
}

// Chains that NotRevoked excluded are not passed to a function after it.
func TestRevocation_FunctionsSeeNoChainThatWasTakenOut(t *testing.T) {
	w := newTwoWays(t)
	var seen []string
	look := certauth.PolicyFunc{Name: "look", Func: func(_ context.Context, id *certauth.Identity) error {
		for _, chain := range id.Chains {
			seen = append(seen, chain[len(chain)-1].Subject.CommonName)
		}
		return nil
	}}
	auth := authOf(t, certauth.All{w.both, revokedUnder("Root A"), look}, time.Time{}, w.leaf)
	id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	require.NoError(t, err)
	assert.Equal(t, []string{"Root B"}, seen)
	assert.Len(t, id.Chains, 1)
}

// One of several issuers is sufficient, wherever the excluded one is in the list.
func TestRevocation_AnyIssuerOfAChainThatIsLeft(t *testing.T) {
	w := newTwoWays(t)
	fromA, fromB := certauth.IssuedBy{Certificates: certauth.Certificates(w.byA)}, certauth.IssuedBy{Certificates: certauth.Certificates(w.byB)}
	for _, c := range []struct {
		issuers certauth.Any
		want    certauth.Reason
	}{
		{certauth.Any{fromA, fromB}, certauth.ReasonNone},
		{certauth.Any{fromB, fromA}, certauth.ReasonNone},
		{certauth.Any{fromA}, certauth.ReasonIssuerNotAllowed},
	} {
		auth := authOf(t, certauth.All{w.both, revokedUnder("Root A"), c.issuers}, time.Time{}, w.leaf)
		_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, c.want, reasonOf(err))
	}
}

// A repeated Chain must not make a later chain look as if it had been judged.
func TestRevocation_ChainsThatStandTwiceCountOnce(t *testing.T) {
	w := newTwoWays(t)
	for name, branch := range map[string]certauth.All{
		"once":  {w.onlyA, revokedUnder("Root B")},
		"twice": {w.onlyA, w.onlyA, revokedUnder("Root B")},
	} {
		t.Run(name, func(t *testing.T) {
			later := certauth.All{w.onlyB, certauth.IssuedBy{Certificates: certauth.Certificates(w.byB)}}
			named := certauth.Any{certauth.Named{Name: "x", Policy: branch}}
			assert.Equal(t, http.StatusForbidden, routed(authOf(t, named, time.Time{}, w.leaf), later))
			_, err := authOf(t, certauth.All{named, later}, time.Time{}, w.leaf).Check(httptest.NewRequest(http.MethodGet, "/", nil))
			assert.Equal(t, certauth.ReasonIssuerNotAllowed, reasonOf(err))
		})
	}
}
