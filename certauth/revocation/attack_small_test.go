package revocation_test

import (
	"crypto/x509"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// Depth identifies the certificate that was accepted without evidence.
func TestAttack_WaivedNamesTheCertificateThatWas(t *testing.T) {
	w := wire(t)
	client := w.issue(t, "names nobody", nowhere)
	found, err := w.checker(t, allowNoSource).CheckChain(t.Context(), w.chain(client))
	require.NoError(t, err)
	assert.Equal(t, isWaived, found.Status)
	assert.Equal(t, "no source to ask", found.Why)
	assert.Zero(t, found.Depth, "the CA has evidence, the client has not")
}

// A store may contain Revoked. An instance that knows this must not replace it by a later Good.
func TestAttack_StoredRevocationIsNotReplacedByGood(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, s := wire(t), newShelf()
		w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(-day), keyCompromise)))
		checker := w.checker(t, ocspOnly, stored(s))
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(26 * time.Hour)
		w.says(t, checker, w.client, isRevoked, nil)
		w.says(t, checker, w.client, isRevoked, nil)
		_, der := s.only(t)
		result, err := revocation.VerifyOCSP(der, w.client.cert, w.ca.cert, revocation.VerifyOptions{Now: now})
		require.NoError(t, err)
		assert.Equal(t, revocation.Revoked.String(), result.Status.String())
	})
}

// A chain with a nil certificate is refused, even if the rest of it is known.
func TestAttack_ChainOfNil(t *testing.T) {
	w := wire(t)
	checker := w.checker(t, leafOnly)
	_, err := w.check(t, checker)
	require.NoError(t, err)
	for _, chain := range [][]*x509.Certificate{nil, {nil, w.ca.cert}, {w.client.cert, nil}, {{}, w.ca.cert}, {w.client.cert, w.ca.cert, nil}} {
		assert.NotPanics(t, func() {
			_, err := checker.CheckChain(t.Context(), chain)
			require.ErrorIs(t, err, revocation.ErrArgument)
		})
	}
}

// A Config with contradictory settings is an error of New.
func TestAttack_ConfigThatWeakensSilently(t *testing.T) {
	s := newScene(t)
	for name, c := range map[string]revocation.Config{
		"MinRSABits":          {Verify: revocation.VerifyOptions{MinRSABits: -1}},
		"Responders[0]":       {Responders: []revocation.Responder{{URL: ocspURL, Issuer: &x509.Certificate{}}}},
		"Lists: OCSPOnly":     {Sources: revocation.OCSPOnly, Lists: []revocation.List{{URL: crlURL}}, Issuers: certs(s.ca)},
		"Responders: CRLOnly": {Sources: revocation.CRLOnly, Responders: []revocation.Responder{{URL: ocspURL}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := revocation.New(c)
			require.ErrorContains(t, err, name)
		})
	}
}

// A clock that was ahead when evidence was fetched does not delay its refresh.
func TestAttack_ClockThatRanAheadPutsNoRefreshOff(t *testing.T) {
	for _, evidence := range []string{"OCSP", "CRL"} {
		inBubble(t, evidence, func(t *testing.T) {
			w := wire(t)
			if evidence == "CRL" {
				w.net.serve(ocspURL, failing(revocation.ErrTransport))
			}
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(20*day)))))
			if evidence == "OCSP" {
				w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(9*day)))
			}
			checker := w.checker(t, leafOnly)
			w.clock.advance(6 * day)
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(-6 * day)
			w.net.serve(crlURL, body(encode(t, w.listAt(now, now.Add(20*day), entryFor(w.client)))))
			if evidence == "OCSP" {
				w.net.serve(ocspURL, w.dated(t, revokedAt(now, keyCompromise), now, now.Add(9*day)))
			}
			w.clock.advance(7 * time.Hour)
			_, _ = w.check(t, checker)
			synctest.Wait()
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}
