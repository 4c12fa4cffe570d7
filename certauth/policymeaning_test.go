package certauth_test

import (
	"context"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// finding T1: roles and routes relied on chains that revocation had excluded.
func TestNotRevoked_NothingRestsOnAChainThatWasTakenOut(t *testing.T) {
	w := newTwoWays(t)
	revoked := revokedUnder("Root A")
	admin := func(p certauth.Policy) certauth.Policy { return certauth.Named{Name: "admin", Policy: p} }
	user := func(p certauth.Policy) certauth.Policy { return certauth.Named{Name: "user", Policy: p} }
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   certauth.Reason
		roles  []string
	}{
		{"a role of the Chain in an Any", certauth.All{certauth.Any{admin(w.onlyA), user(w.onlyB)}, revoked}, certauth.ReasonNone, []string{"user"}},
		{"and asked for", certauth.All{certauth.Any{admin(w.onlyA), user(w.onlyB)}, revoked, certauth.Matched{"admin"}}, certauth.ReasonPolicyRefused, nil},
		{"beside one that stands", certauth.All{w.onlyA, w.onlyB, revoked}, certauth.ReasonCertificateRevoked, nil},
		{"after the NotRevoked", certauth.All{w.onlyB, revoked, w.onlyA}, certauth.ReasonCertificateRevoked, nil},
		{"a role after the NotRevoked", certauth.All{w.onlyB, revoked, admin(w.onlyA)}, certauth.ReasonCertificateRevoked, nil},
		{"a NotRevoked in each branch", certauth.Any{admin(certauth.All{w.onlyA, revoked}), user(certauth.All{w.onlyB, revoked})}, certauth.ReasonNone, []string{"user"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			auth := authOf(t, tc.policy, time.Time{}, w.leaf)
			for range 3 {
				id, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
				require.Equal(t, tc.want, reasonOf(err), "%v", err)
				if err == nil {
					assert.Equal(t, tc.roles, id.Matched)
					require.Len(t, id.Chains, 1)
					assert.Equal(t, "Root B", id.Chains[0][2].Subject.CommonName)
				}
			}
		})
	}
	t.Run("routes", func(t *testing.T) {
		for name, tc := range map[string]struct {
			handler, route certauth.Policy
		}{
			"a role":                           {certauth.All{certauth.Any{admin(w.onlyA), user(w.onlyB)}, revoked}, certauth.Matched{"admin"}},
			"a Chain":                          {certauth.All{w.onlyB, revoked}, w.onlyA},
			"a role, revocation on the route":  {certauth.Any{admin(w.onlyA), user(w.onlyB)}, certauth.All{revoked, certauth.Matched{"admin"}}},
			"a Chain, revocation on the route": {w.onlyB, certauth.All{w.onlyA, revoked}},
		} {
			assert.Equal(t, http.StatusForbidden, routed(authOf(t, tc.handler, time.Time{}, w.leaf), tc.route), name)
		}
	})
}

// finding T1: of more than four chains the longest was never checked, and its role remained.
func TestNotRevoked_ChainsBeyondTheFourGiveNoRole(t *testing.T) {
	issuing := certauthtest.NewCA(t, "Root").NewIntermediate(t, "Issuing CA")
	leaf := issuing.Issue(t, "client").Certificate
	var policy certauth.Any
	var all certauth.All
	for i := range 5 {
		root := certauthtest.NewCA(t, fmt.Sprintf("Root %d", i))
		chain := certauth.Chain{Roots: certsOf(root), Intermediates: certauth.Certificates(crossSign(t, issuing, root))}
		if i == 4 { // longer than the others by one CA
			between := root.NewIntermediate(t, "Between")
			chain.Intermediates = certauth.Certificates(between.Certificate, crossSign(t, issuing, between))
		}
		policy = append(policy, certauth.Named{Name: fmt.Sprintf("partner %d", i), Policy: chain})
		all = append(all, chain)
	}
	var asked []string
	checker := certauth.NotRevoked{Checker: asked5(func(chain []*x509.Certificate) {
		asked = append(asked, chain[len(chain)-1].Subject.CommonName)
	})}
	_, err := judge(t, append(slices.Clone(all), checker), leaf)
	assert.Equal(t, certauth.ReasonRevocationUnavailable, reasonOf(err), "a Chain has none of the four: %v", err)
	assert.Len(t, asked, 4)
	assert.NotContains(t, asked, "Root 4")
	id, err := judge(t, certauth.All{policy, checker}, leaf)
	require.NoError(t, err)
	assert.Len(t, id.Matched, len(id.Chains), "each role has its chain")
}

type asked5 func(chain []*x509.Certificate)

func (f asked5) CheckChain(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	f(chain)
	return certauth.Revocation{Status: certauth.RevocationGood}, nil
}

// rewritten returns the certificate with its ECDSA signature (r, s) as (r, n-s): the same content,
// a valid signature, another hash.
func rewritten(t *testing.T, cert *x509.Certificate) *x509.Certificate {
	t.Helper()
	var outer struct {
		TBS, Algorithm asn1.RawValue
		Signature      asn1.BitString
	}
	_, err := asn1.Unmarshal(cert.Raw, &outer)
	require.NoError(t, err)
	var signature struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(outer.Signature.Bytes, &signature)
	require.NoError(t, err)
	signature.S.Sub(elliptic.P256().Params().N, signature.S)
	der, err := asn1.Marshal(signature)
	require.NoError(t, err)
	outer.Signature = asn1.BitString{Bytes: der, BitLength: 8 * len(der)}
	der, err = asn1.Marshal(outer)
	require.NoError(t, err)
	twin, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	require.NotEqual(t, cert.Raw, twin.Raw)
	return twin
}

// finding T2: a CA that was excluded by the hash of its certificate was accepted with the signature
// rewritten, or with a second certificate.
func TestNot_CAIsKeptOutByItsKeyAlone(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	bad := root.NewIntermediate(t, "Bad Issuing CA")
	leaf := bad.Issue(t, "client")
	behind := func(rule certauth.Policy) certauth.Policy {
		return certauth.All{certauth.Chain{Roots: certsOf(root)}, certauth.Not{Policy: rule}}
	}
	const why = ": cannot exclude a CA by its certificate"
	for name, policy := range map[string]certauth.IssuedBy{
		"thumbprint":  {Thumbprints: []string{thumbprint(bad.Certificate)}},
		"certificate": {Certificates: certsOf(bad)},
	} {
		for nesting, p := range map[string]certauth.Policy{
			"directly": behind(policy), "in an Any": behind(certauth.Any{certauth.CommonNames{"x"}, policy}),
			"under three": behind(certauth.Not{Policy: certauth.Not{Policy: policy}}),
		} {
			_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: p})
			if assert.Error(t, err, "%s, %s", name, nesting) {
				assert.Contains(t, err.Error(), ".IssuedBy"+why, "%s, %s", name, nesting)
			}
		}
		_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: behind(certauth.Not{Policy: policy})})
		assert.NoError(t, err, "%s under two Not accepts, and excludes nobody", name)
	}

	auth, err := certauth.New(certauth.Config{Source: certauth.TLS{}, Policy: behind(certauth.IssuedBy{PublicKeys: []string{spkiPin(bad.Certificate)}})})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(auth.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("let in") })))
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	defer server.Close()
	for name, ca := range map[string]*x509.Certificate{
		"as issued": bad.Certificate, "rewritten": rewritten(t, bad.Certificate), "a second certificate": crossSign(t, bad, root),
	} {
		transport := server.Client().Transport.(*http.Transport).Clone() //nolint:forcetypeassert // httptest's
		transport.TLSClientConfig.Certificates = []tls.Certificate{{Certificate: [][]byte{leaf.Raw, ca.Raw}, PrivateKey: leaf.Key}}
		response, err := (&http.Client{Transport: transport}).Get(server.URL)
		require.NoError(t, err, name)
		assert.Equal(t, http.StatusUnauthorized, response.StatusCode, name)
		assert.NoError(t, response.Body.Close())
		transport.CloseIdleConnections()
	}
}

// finding T6: under an even number of Not an IssuedBy accepts, so it must rely on a chain that was
// not excluded.
func TestNot_IssuedByUnderTwoRestsOnAChainThatStands(t *testing.T) {
	w := newTwoWays(t)
	byA := certauth.IssuedBy{Certificates: certauth.Certificates(w.byA)}
	not := func(p certauth.Policy) certauth.Policy { return certauth.Not{Policy: p} }
	for _, rule := range []certauth.Policy{
		byA, not(not(byA)), not(certauth.All{not(byA)}), certauth.Any{not(not(byA)), certauth.CommonNames{"evil"}},
	} {
		for _, policy := range []certauth.All{
			{w.both, rule, revokedUnder("Root A")}, {w.both, revokedUnder("Root A"), rule},
		} {
			_, err := judge(t, policy, w.leaf)
			assert.NotEqual(t, certauth.ReasonNone, reasonOf(err), "%#v", rule)
		}
		_, err := judge(t, certauth.All{w.both, rule, revokedUnder("Root B")}, w.leaf)
		assert.NoError(t, err, "%#v", rule)
	}
}

// finding T8: a refused branch was not forgotten.
func TestAny_RefusedBranchIsForgotten(t *testing.T) {
	w := newTwoWays(t)
	revoked := revokedUnder("Root B")
	branch := certauth.Named{Name: "x", Policy: certauth.All{w.onlyB, certauth.IssuedBy{Certificates: certauth.Certificates(w.byB)}}}
	for _, policy := range []certauth.All{
		{certauth.Any{w.onlyA}, revoked}, {certauth.Any{w.onlyA, branch}, revoked}, {certauth.Any{branch, w.onlyA}, revoked},
	} {
		id, err := judge(t, policy, w.leaf)
		require.NoError(t, err)
		assert.Empty(t, id.Matched)
		assert.Len(t, id.Chains, 1)
	}
}

// finding T9: a NotRevoked within one branch refused the whole Any.
func TestAny_NotRevokedOfOneBranchRefusesNoOther(t *testing.T) {
	w := newTwoWays(t)
	inBranch := certauth.All{w.both, certauth.IssuedBy{Certificates: certauth.Certificates(w.byA)}, revokedUnder("Root A")}
	for _, policy := range []certauth.Any{
		{inBranch, w.onlyB},
		{certauth.Named{Name: "x", Policy: inBranch}, w.onlyB},
		{certauth.Thumbprints{thumbprint(w.leaf)}, certauth.Named{Name: "x", Policy: inBranch}},
	} {
		id, err := judge(t, policy, w.leaf)
		require.NoError(t, err)
		assert.Empty(t, id.Matched)
	}
}

// finding T10: a route did not see the chains that the Handler's policy had excluded.
func TestRequire_DeniedSeesChainsThatWereExcluded(t *testing.T) {
	rootA, rootB := certauthtest.NewCA(t, "Root A"), certauthtest.NewCA(t, "Root B")
	issuing := rootA.NewIntermediate(t, "Issuing CA")
	leaf := issuing.Issue(t, "client").Certificate
	both := certauth.Chain{Roots: certsOf(rootA, rootB), Intermediates: certauth.Certificates(issuing.Certificate, crossSign(t, issuing, rootB))}
	denied := certauth.Denied{PublicKeys: []string{spkiPin(rootA.Certificate)}}
	auth := authOf(t, certauth.All{both, revokedUnder("Root A")}, time.Time{}, leaf)
	assert.Equal(t, http.StatusForbidden, routed(auth, denied))
	_, err := judge(t, certauth.All{both, revokedUnder("Root A"), denied}, leaf)
	assert.Equal(t, certauth.ReasonCertificateDenied, reasonOf(err))
	assert.Equal(t, http.StatusOK, routed(auth, certauth.Denied{PublicKeys: []string{pinOfNobody}}), "another key")
}

// A route behind another route is judged by all three policies.
func TestRequire_RoutesAddUp(t *testing.T) {
	w := newTwoWays(t)
	auth := authOf(t, w.both, time.Time{}, w.leaf)
	ok := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, known := certauth.FromContext(r.Context())
		assert.True(t, known)
		assert.Equal(t, []string{"first"}, id.Matched)
		assert.Len(t, id.Chains, 1)
	})
	first := certauth.All{certauth.Named{Name: "first", Policy: w.both}, revokedUnder("Root A")}
	for _, tc := range []struct {
		second certauth.Policy
		status int
	}{
		{w.onlyB, http.StatusOK},
		{certauth.IssuedBy{Certificates: certauth.Certificates(w.byB)}, http.StatusOK},
		{w.onlyA, http.StatusForbidden},
		{certauth.IssuedBy{Certificates: certauth.Certificates(w.byA)}, http.StatusForbidden},
	} {
		recorder := httptest.NewRecorder()
		auth.Handler(auth.Require(first)(auth.Require(tc.second)(ok))).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
		assert.Equal(t, tc.status, recorder.Code, "%#v", tc.second)
	}
}

// If the order of a policy would matter, New refuses it.
func TestMatched_LaterNamedIsRefused(t *testing.T) {
	w := newWorld(t)
	named := certauth.Named{Name: "role", Policy: w.chain()}
	_, err := certauth.New(certauth.Config{Source: fixedSource("test"), Policy: certauth.All{
		certauth.Any{named, w.chain()}, certauth.Matched{"role"}, named,
	}})
	assert.ErrorContains(t, err, `Policy.All[2].Named("role"): comes after a Matched that refers to it`)
	_, err = certauth.New(certauth.Config{Source: fixedSource("test"), Policy: certauth.Any{
		certauth.All{named, certauth.Matched{"role"}}, named,
	}})
	assert.NoError(t, err, "members of an Any do not see each other")
}

// All roles of a caller count, whichever branch assigned them.
func TestMatched_SeesTheRolesOfAllBranches(t *testing.T) {
	w := newWorld(t)
	roles := certauth.Any{certauth.Named{Name: "a", Policy: w.chain()}, certauth.Named{Name: "b", Policy: w.chain()}, certauth.Named{Name: "c", Policy: w.behind(certauth.CommonNames{"nobody"})}}
	for _, tc := range []struct {
		want  certauth.Reason
		rules []certauth.Policy
	}{
		{certauth.ReasonNone, []certauth.Policy{certauth.Matched{"a"}}},
		{certauth.ReasonNone, []certauth.Policy{certauth.Matched{"a"}, certauth.Matched{"b"}}},
		{certauth.ReasonPolicyRefused, []certauth.Policy{certauth.Matched{"a"}, certauth.Matched{"c"}}},
	} {
		id, err := judge(t, append(certauth.All{roles}, tc.rules...), w.leaf.Certificate)
		assert.Equal(t, tc.want, reasonOf(err), "%v", err)
		if err == nil {
			assert.Equal(t, []string{"a", "b"}, id.Matched)
		}
	}
}

// A policy with too many paths terminates, and accepts nobody because of that.
func TestAny_PathsThatAreTooManyToWalkRefuse(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf.Certificate
	var policy certauth.All
	for range 20 { // 2^20 paths, on each of which the last rule refuses
		policy = append(policy, certauth.Any{certauth.Thumbprints{thumbprint(leaf)}, certauth.Certificates(leaf)})
	}
	_, err := judge(t, policy, leaf)
	assert.NoError(t, err, "the first path accepts")
	_, err = judge(t, append(policy, certauth.CommonNames{"nobody"}), leaf)
	assert.Equal(t, certauth.ReasonOverloaded, reasonOf(err), "%v", err)
}
