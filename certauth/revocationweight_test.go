package certauth_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// underA returns a rule that answers with this status for chains below Root A, and good for all
// others.
func underA(status certauth.RevocationStatus, depth int) certauth.NotRevoked {
	return certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
		if chain[len(chain)-1].Subject.CommonName == "Root A" {
			return certauth.Revocation{Status: status, Depth: depth}, nil
		}
		return certauth.Revocation{Status: certauth.RevocationGood}, nil
	})}
}

// The doc of NotRevoked: if a Checker finds the caller's own certificate revoked, through any
// chain, the caller is refused, whatever another Checker answers about the same chain or another
// one. A revocation takes precedence over missing evidence.
func TestNotRevoked_GravestAnswerOfSeveralCheckersCounts(t *testing.T) {
	w := newTwoWays(t)
	leaf, ca := underA(certauth.RevocationRevoked, 0), underA(certauth.RevocationRevoked, 1)
	unknown, missing := underA(certauth.RevocationUnknown, 0), underA(certauth.RevocationUnavailable, 0)
	fine := underA(certauth.RevocationGood, 0)
	const revoked, none = certauth.ReasonCertificateRevoked, certauth.ReasonNone
	for _, tc := range []struct {
		name       string
		a, b       certauth.NotRevoked
		only, both certauth.Reason // with only the chain below Root A, and with an additional good one
	}{
		{"the leaf and a CA", leaf, ca, revoked, revoked},
		{"the leaf and no evidence", leaf, missing, revoked, revoked},
		{"the leaf and unknown", leaf, unknown, revoked, revoked},
		{"the leaf and good", leaf, fine, revoked, revoked},
		{"a CA and no evidence", ca, missing, revoked, none},
		{"a CA and unknown", ca, unknown, revoked, none},
		{"no evidence and good", missing, fine, certauth.ReasonRevocationUnavailable, none},
	} {
		for _, rules := range [][2]certauth.Policy{{tc.a, tc.b}, {tc.b, tc.a}} {
			_, err := judge(t, certauth.All{w.onlyA, rules[0], rules[1]}, w.leaf)
			assert.Equal(t, tc.only, reasonOf(err), "%s: %v", tc.name, err)
			id, err := judge(t, certauth.All{w.both, rules[0], rules[1]}, w.leaf)
			assert.Equal(t, tc.both, reasonOf(err), "%s, with an additional good chain: %v", tc.name, err)
			if err == nil {
				require.Len(t, id.Chains, 1)
				assert.Equal(t, "Root B", id.Chains[0][2].Subject.CommonName, tc.name)
			}
		}
	}
}

// Identity.Revocation is the best status of the chains that admit the caller. For a single chain,
// it does not hide that one of several Checkers waived the check.
func TestNotRevoked_EvidenceOfTheIdentity(t *testing.T) {
	w := newTwoWays(t)
	only := func(root string) certauth.NotRevoked {
		return certauth.NotRevoked{Checker: asked(func(_ context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
			if chain[len(chain)-1].Subject.CommonName == root {
				return certauth.Revocation{Status: certauth.RevocationGood}, nil
			}
			return certauth.Revocation{Status: certauth.RevocationWaived}, nil
		})}
	}
	always := func(status certauth.RevocationStatus) certauth.NotRevoked {
		return certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: status}, nil}}
	}
	for _, tc := range []struct {
		name   string
		policy certauth.Policy
		want   certauth.RevocationStatus
	}{
		{"good under Root A", certauth.All{w.both, only("Root A")}, certauth.RevocationGood},
		{"good under Root B", certauth.All{w.both, only("Root B")}, certauth.RevocationGood},
		{"waived under both", certauth.All{w.both, always(certauth.RevocationWaived)}, certauth.RevocationWaived},
		{"one Checker waives", certauth.All{w.onlyA, always(certauth.RevocationWaived), always(certauth.RevocationGood)}, certauth.RevocationWaived},
		{"the other one does", certauth.All{w.onlyA, always(certauth.RevocationGood), always(certauth.RevocationWaived)}, certauth.RevocationWaived},
		{"neither does", certauth.All{w.onlyA, always(certauth.RevocationGood), always(certauth.RevocationGood)}, certauth.RevocationGood},
	} {
		id, err := judge(t, tc.policy, w.leaf)
		require.NoError(t, err, tc.name)
		assert.Equal(t, tc.want, id.Revocation.Status, tc.name)
	}
}

// The doc of RevocationChecker: if the error is an *Error, its Hint and its Err become those of the
// refusal. Fields that it lacks never make it an acceptance.
func TestNotRevoked_HintOfTheCheckersErrorIsThatOfTheRefusal(t *testing.T) {
	w := newWorld(t)
	cause := errors.New("no route to the responder")
	_, err := judge(t, w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{}, cause}}), w.leaf.Certificate)
	usual := refusedAs(t, err).Hint
	for _, tc := range []struct {
		name string
		err  error
		hint string
		err2 error // nil: the checker's own, wrapped
	}{
		{"hint and cause", &certauth.Error{Hint: "open the firewall", Err: cause}, "open the firewall", cause},
		{"no hint", &certauth.Error{Err: cause}, usual, nil},
		{"no cause", &certauth.Error{Hint: "open the firewall"}, usual, nil},
		{"a typed nil", (*certauth.Error)(nil), usual, nil},
		{"another error", cause, usual, nil},
	} {
		_, err := judge(t, w.behind(certauth.NotRevoked{Checker: answer{certauth.Revocation{Status: certauth.RevocationGood}, tc.err}}), w.leaf.Certificate)
		refused := refusedAs(t, err)
		assert.Equal(t, certauth.ReasonRevocationUnavailable, refused.Reason, tc.name)
		assert.Equal(t, tc.hint, refused.Hint, tc.name)
		if tc.err2 != nil {
			assert.Same(t, tc.err2, refused.Err, tc.name)
		} else {
			assert.Error(t, refused.Err, tc.name)
			assert.NotPanics(t, func() { _ = refused.Error() }, tc.name)
		}
	}
}

func refusedAs(t *testing.T, err error) *certauth.Error {
	t.Helper()
	var refused *certauth.Error
	require.ErrorAs(t, err, &refused)
	return refused
}
