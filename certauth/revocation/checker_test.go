package revocation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// The outcome model of a whole chain: what the sources say, and what the Config makes of it.
func TestChecker_Decides(t *testing.T) {
	good := ocsptest.StatusGood
	gone := revokedAt(now.Add(-day), 1)
	down := failing(revocation.ErrTransport)
	for _, c := range []struct {
		name    string
		ocsp    func(*testing.T, *wired) handler
		crl     func(*testing.T, *wired) handler
		config  func(*revocation.Config)
		want    certauth.RevocationStatus
		err     error
		fetched int // of OCSP
	}{
		{name: "OCSP says good", want: certauth.RevocationGood, fetched: 1},
		{name: "OCSP says revoked", ocsp: says(gone), want: certauth.RevocationRevoked, fetched: 1},
		{name: "OCSP does not know, the CRL says good", ocsp: says(ocsptest.StatusUnknown), want: certauth.RevocationGood, fetched: 1},
		{name: "OCSP does not know and there is no CRL", ocsp: says(ocsptest.StatusUnknown), crl: as(down), want: certauth.RevocationUnknown, fetched: 1},
		{name: "OCSP is down, the CRL says good", ocsp: as(down), want: certauth.RevocationGood, fetched: 1},
		{name: "OCSP is down, the CRL says revoked", ocsp: as(down), crl: listsClient, want: certauth.RevocationRevoked, fetched: 1},
		{name: "everything is down", ocsp: as(down), crl: as(down), want: certauth.RevocationUnavailable, err: revocation.ErrTransport, fetched: 1},
		{name: "CRL first, good", config: sources(revocation.PreferCRL), want: certauth.RevocationGood},
		{name: "CRL first, revoked", crl: listsClient, config: sources(revocation.PreferCRL), want: certauth.RevocationRevoked},
		{name: "CRL first, down, then OCSP", crl: as(down), config: sources(revocation.PreferCRL), want: certauth.RevocationGood, fetched: 1},
		{name: "OCSP only, and it is down", ocsp: as(down), config: both(leafOnly, sources(revocation.OCSPOnly)), want: certauth.RevocationUnavailable, err: revocation.ErrTransport, fetched: 1},
		{name: "OCSP only, the CRL is not looked at", crl: listsClient, config: both(leafOnly, sources(revocation.OCSPOnly)), want: certauth.RevocationGood, fetched: 1},
		{name: "CRL only", config: sources(revocation.CRLOnly), want: certauth.RevocationGood},
		{name: "soft fail, everything is down", ocsp: as(down), crl: as(down), config: softFail, want: certauth.RevocationWaived, fetched: 1},
		{name: "soft fail, revoked", ocsp: says(gone), config: softFail, want: certauth.RevocationRevoked, fetched: 1},
		{name: "soft fail, unknown", ocsp: says(ocsptest.StatusUnknown), crl: as(down), config: softFail, want: certauth.RevocationUnknown, fetched: 1},
		{name: "soft fail that allows unknown", ocsp: says(ocsptest.StatusUnknown), crl: as(down), config: both(softFail, allowUnknown), want: certauth.RevocationWaived, fetched: 1},
		{name: "soft fail, good", ocsp: says(good), config: softFail, want: certauth.RevocationGood, fetched: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			if c.ocsp != nil {
				w.net.serve(ocspURL, c.ocsp(t, w))
			}
			if c.crl != nil {
				w.net.serve(crlURL, c.crl(t, w))
			}
			config := c.config
			if config == nil {
				config = func(*revocation.Config) {}
			}
			checker := w.checker(t, config)
			for range 2 { // and again from memory
				found, err := w.check(t, checker)
				assert.Equal(t, c.want.String(), found.Status.String())
				if c.err == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, c.err)
				}
			}
			assert.Equal(t, c.fetched, w.net.count(ocspURL), "OCSP requests")

			found, err := w.check(t, checker)
			whole, wholeErr := checker.Check(t.Context(), w.chain(w.client))
			assert.Equal(t, whole.Revocation, found)
			assert.Equal(t, wholeErr == nil, err == nil)
			assert.Equal(t, c.fetched, w.net.count(ocspURL), "OCSP requests")
		})
	}
}

func says(status []byte) func(*testing.T, *wired) handler {
	return func(t *testing.T, w *wired) handler { return w.responder(t, status) }
}

func as(h handler) func(*testing.T, *wired) handler {
	return func(*testing.T, *wired) handler { return h }
}

func listsClient(t *testing.T, w *wired) handler {
	return body(encode(t, w.list(entryFor(w.client))))
}

func both(changes ...func(*revocation.Config)) func(*revocation.Config) {
	return func(c *revocation.Config) {
		for _, change := range changes {
			change(c)
		}
	}
}

func softFail(c *revocation.Config)     { c.Mode = revocation.SoftFail }
func allowUnknown(c *revocation.Config) { c.AllowUnknown = true }

// The revoked certificate is the CA's: "every certificate below the anchor is judged".
func TestRevocation_RevokedIntermediateDenies(t *testing.T) {
	w := wire(t)
	w.net.serve(rootsURL, body(encode(t, w.rootList(entryFor(w.ca)))))
	found, err := w.check(t, w.checker(t))
	require.NoError(t, err)
	assert.Equal(t, certauth.RevocationRevoked, found.Status)
	assert.Equal(t, 1, found.Depth)
	found, err = w.check(t, w.checker(t, leafOnly))
	require.NoError(t, err)
	assert.Equal(t, certauth.RevocationGood, found.Status)
}

func TestChecker_RemembersUntilTheEvidenceRunsOut(t *testing.T) {
	w := wire(t)
	checker := w.checker(t, leafOnly)
	for range 5 {
		found, err := w.check(t, checker)
		require.NoError(t, err)
		require.Equal(t, certauth.RevocationGood, found.Status)
	}
	require.Equal(t, 1, w.net.count(ocspURL))
	w.net.serve(ocspURL, failing(revocation.ErrTransport))
	w.net.serve(crlURL, failing(revocation.ErrTransport))
	w.clock.advance(22 * time.Hour)
	found, err := w.check(t, checker)
	require.NoError(t, err)
	assert.Equal(t, certauth.RevocationGood, found.Status, "until nextUpdate")
	w.clock.advance(time.Hour + time.Second)
	found, err = w.check(t, checker)
	require.Error(t, err)
	assert.Equal(t, certauth.RevocationUnavailable, found.Status, "after nextUpdate")
}
