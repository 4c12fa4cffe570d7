package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// twoWays is a client below an issuing CA that two roots have certified.
type twoWays struct {
	byA, byB     *x509.Certificate // the issuing CA, as each root has it
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

// revokedUnder finds the issuing CA revoked in chains of one root, and all else good.
func revokedUnder(root string) certauth.NotRevoked {
	return certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[len(chain)-1].Subject.CommonName == root {
			return certauth.Revocation{Status: certauth.RevocationRevoked, Depth: 1}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
}

// Two checkers that each find another chain revoked leave none: neither may rest on the
// chain that the other one took out. In two members of an Any each has its own chain.
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

// routed is the status of a request to a route with this policy.
func routed(auth *certauth.Authenticator, policy certauth.Policy) int {
	recorder := httptest.NewRecorder()
	h := auth.Handler(auth.Require(policy)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	return recorder.Code
}

// What NotRevoked took out is not shown to a function behind it.
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

// One of several issuers is enough, wherever the one that was taken out stands in the list.
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

// A Chain that stands twice must not make a later chain look as if it had been judged.
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

// What a hook writes into the error of one request does not reach the next one's, also if
// the source returns the same error each time.
func TestPolicy_HooksCannotChangeTheErrorOfASource(t *testing.T) {
	w := newWorld(t)
	broken := &certauth.Error{Reason: certauth.ReasonCertificateMalformed, Rule: "Source.mine", Hint: "look at the front end", Err: errors.New("broken")}
	auth, err := certauth.New(certauth.Config{
		Source: certauth.SourceFunc{Name: "mine", Func: func(*http.Request) ([]*x509.Certificate, error) { return nil, broken }},
		Policy: w.chain(), Optional: true,
		Deny: func(w http.ResponseWriter, _ *http.Request, err *certauth.Error) {
			err.Reason = certauth.ReasonCertificateMissing
			http.Error(w, "no", http.StatusUnauthorized)
		},
	})
	require.NoError(t, err)
	h := auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") }))
	for range 3 {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, http.StatusUnauthorized, recorder.Code)
	}
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NotSame(t, broken, err)
	assert.Equal(t, certauth.ReasonCertificateMalformed, reasonOf(err))
}
