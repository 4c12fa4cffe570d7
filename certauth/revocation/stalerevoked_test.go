package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K79: an expired OCSP response that says permanently revoked, as the Store has it after a
// restart, was outweighed by a list from before the revocation, so that a revoked client was good
// again while the responder was down.
func TestChecker_AnOlderListDoesNotOutweighANewerResponseThatHasExpired(t *testing.T) {
	reason := func(code int) handlerFor {
		return func(w *wired) handler {
			return w.dated(t, revokedAt(now.Add(-3*day), code), now.Add(-time.Hour), now.Add(day))
		}
	}
	for name, c := range map[string]struct {
		mode revocation.Mode
		says handlerFor
		list time.Time // thisUpdate
		want certauth.RevocationStatus
		why  error
	}{
		"revoked, and the list is older":           {revocation.HardFail, reason(1), now.Add(-5 * day), isUnavailable, revocation.ErrTransport},
		"revoked, and the list is older, SoftFail": {revocation.SoftFail, reason(1), now.Add(-5 * day), isUnavailable, revocation.ErrTransport},
		"revoked, and the list is newer":           {revocation.HardFail, reason(1), now.Add(time.Hour), isGood, nil},
		"a hold, which may have been lifted since": {revocation.HardFail, reason(onHold), now.Add(-5 * day), isGood, nil},
		"good, and the list is older":              {revocation.HardFail, func(w *wired) handler { return w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(day)) }, now.Add(-5 * day), isGood, nil},
	} {
		inBubble(t, name, func(t *testing.T) {
			w, kept := wire(t), newShelf()
			config := func(config *revocation.Config) { config.Store, config.Mode = kept, c.mode }
			w.net.serve(ocspURL, c.says(w))
			_, err := w.check(t, w.checker(t, leafOnly, config))
			assert.NoError(t, err)
			synctest.Wait() // it is stored by now
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			w.net.serve(crlURL, body(encode(t, w.listAt(c.list, now.Add(7*day)))))
			w.clock.advance(2 * day)
			restarted := w.checker(t, leafOnly, config)
			for range 3 {
				w.says(t, restarted, w.client, c.want, c.why)
				w.clock.advance(time.Minute)
			}
			w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(2*day), now.Add(7*day)))))
			w.clock.advance(7 * time.Hour)
			w.says(t, restarted, w.client, isGood, nil) // the CA has removed it again
		})
	}
	inBubble(t, "lists first, and the list comes later", func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-3*day), 1), now.Add(-2*day), now.Add(-day)))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly, sources(revocation.PreferCRL))
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-5*day), now.Add(7*day)))))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.issue(t, "another"), isGood, nil)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isGood, nil)
	})
}

type handlerFor func(*wired) handler

// What an expired list says against a certificate is not forgotten with the list.
func TestChecker_AnExpiredListIsRememberedAfterItWasUnloaded(t *testing.T) {
	const otherURL = "http://crl.partner.example/other.crl"
	inBubble(t, "SoftFail", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-3*day), now.Add(-day), entryFor(w.client)))))
		w.net.serve(otherURL, body(w.fat(t, 80<<10, 7)))
		checker := w.checker(t, crlOnly, softFail, func(c *revocation.Config) { c.MaxListMemory = 84 << 10 })
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, w.issue(t, "elsewhere", noPoints, point(uri(otherURL))), isGood, nil)
		require.Equal(t, uint64(1), checker.Stats().ListsUnloaded)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
		w.clock.advance(time.Minute)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrTransport)
	})
}

// finding K165: an OCSP response from before a revocation did not outweigh the expired list with the revocation, but
// once that was unloaded, it made the revoked client good.
func TestChecker_AnOlderResponseDoesNotOutweighAnExpiredListThatWasUnloaded(t *testing.T) {
	const otherURL = "http://crl.partner.example/other.crl"
	inBubble(t, "HardFail", func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(-3*day), now.Add(-day), entryFor(w.client)))))
		w.net.serve(otherURL, body(w.fat(t, 80<<10, 7)))
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.MaxListMemory = 84 << 10 })
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-4*day), now.Add(5*day)))
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
		w.clock.advance(2 * time.Hour)
		w.says(t, checker, w.issue(t, "elsewhere", noResponder, noPoints, point(uri(otherURL))), isGood, nil)
		require.Equal(t, uint64(1), checker.Stats().ListsUnloaded)
		for range 2 {
			w.says(t, checker, w.client, isUnavailable, revocation.ErrNotFresh)
			w.clock.advance(time.Minute)
		}
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(time.Hour)
		w.says(t, checker, w.client, isGood, nil) // the CA has removed it again
	})
}

// finding K85: an expired response in the Store that says permanently revoked was forgotten when the
// responder, asked next, did not know the certificate, so that SoftFail with AllowUnknown accepted it.
func TestChecker_UnknownDoesNotHideAnExpiredResponseOfTheStore(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, kept := wire(t), newShelf()
		config := func(config *revocation.Config) {
			config.Store, config.Mode, config.AllowUnknown, config.Sources = kept, revocation.SoftFail, true, revocation.OCSPOnly
		}
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-3*day), 1), now.Add(-time.Hour), now.Add(day)))
		w.says(t, w.checker(t, leafOnly, config), w.client, isRevoked, nil)
		synctest.Wait() // it is stored by now
		w.clock.advance(2 * day)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusUnknown, w.clock.now(), w.clock.now().Add(day)))
		restarted := w.checker(t, leafOnly, config)
		for range 2 {
			found, err := w.check(t, restarted)
			require.ErrorContains(t, err, "expired evidence said revoked")
			// finding K144: it said that there is no evidence yet.
			require.ErrorContains(t, err, "the authority does not know the certificate")
			assert.Equal(t, isUnavailable.String(), found.Status.String())
		}
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(time.Hour)
		w.says(t, restarted, w.client, isGood, nil)
	})
}

// finding K147: the same response said nothing after the certificate of the responder had expired, so that SoftFail
// accepted the client after a restart in an outage.
func TestChecker_AStoredRevocationOutlivesTheCertificateOfItsResponder(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, kept := wire(t), newShelf()
		config := both(ocspOnly, softFail, stored(kept))
		delegate := w.delegate(t, valid(now.Add(-13*day), now.Add(day)))
		w.net.serve(ocspURL, w.answering(t, revokedAt(now.Add(-3*day), 1), func(_ revocation.Request, r *ocsptest.Response) {
			r.Responder, r.Key, r.Certificates = ocsptest.ByName(delegate.cert.RawSubject), delegate.key, [][]byte{delegate.cert.Raw}
		}))
		w.says(t, w.checker(t, config), w.client, isRevoked, nil)
		synctest.Wait() // it is stored by now
		w.outage()
		w.clock.advance(2 * day)
		found, err := w.check(t, w.checker(t, config))
		require.ErrorContains(t, err, "expired evidence said revoked")
		assert.Equal(t, isUnavailable.String(), found.Status.String())
	})
}
