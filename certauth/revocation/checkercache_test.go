package revocation_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// findingOf returns what the Checker knows about the client, for audit.
func (w *wired) findingOf(t testing.TB, c *revocation.Checker, about *identity) revocation.Result {
	t.Helper()
	all, err := c.Check(t.Context(), w.chain(about))
	require.NoError(t, err)
	synctest.Wait()
	return all.Certificates[0].Result
}

// finding K84: a result from a file said that newer evidence would be looked for in a hundred years. A
// file is read again when it changes, so there is no such time.
func TestChecker_EvidenceFromAFileHasNoTimeForItsRenewal(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.operated(t, revocation.List{File: fileOf(t, encode(t, w.list()))})
		found := w.findingOf(t, checker, w.client)
		assert.Equal(t, revocation.Good, found.Status)
		assert.Zero(t, found.RefreshAfter)
	})
}

// Section 9: the hard and the soft deadline of every kind of evidence. The soft one may vary by a
// tenth.
func TestChecker_Deadlines(t *testing.T) {
	ends := now.Add(60 * day) // of the client's certificate
	delegateEnds := now.Add(90 * time.Minute)
	nothing := time.Time{}
	good, hold := ocsptest.StatusGood, revokedAt(now.Add(-day), evidence.ReasonCertificateHold)
	ocsp := func(status []byte, this, next time.Time) func(*testing.T, *wired) {
		return func(t *testing.T, w *wired) { w.net.serve(ocspURL, w.dated(t, status, this, next)) }
	}
	list := func(this, next time.Time, maxAge time.Duration) func(*testing.T, *wired) {
		return func(t *testing.T, w *wired) {
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			der := encode(t, w.listAt(this, next))
			w.net.serve(crlURL, answered(revocation.Response{Body: der, MaxAge: maxAge}))
		}
	}
	for _, c := range []struct {
		name  string
		serve func(*testing.T, *wired)
		hard  time.Time
		soft  time.Duration // from now
	}{
		{"OCSP Good: nextUpdate, and an hour at most", ocsp(good, now, now.Add(day)), now.Add(day), time.Hour},
		{"OCSP Good: half of a short life", ocsp(good, now, now.Add(40*time.Minute)), now.Add(40 * time.Minute), 20 * time.Minute},
		{"OCSP Good: half of what is left past the half", ocsp(good, now.Add(-30*time.Minute), now.Add(10*time.Minute)), now.Add(10 * time.Minute), 5 * time.Minute},
		{"OCSP Good: a minute at least", ocsp(good, now.Add(-time.Hour), now.Add(100*time.Second)), now.Add(100 * time.Second), time.Minute},
		{"OCSP Good: MaxAge before nextUpdate", ocsp(good, now.Add(-9*day), now.Add(30*day)), now.Add(day), time.Hour},
		{"OCSP Good: the certificate ends before", ocsp(good, now, now.Add(400*day)), now.Add(10 * day), time.Hour},
		{"OCSP Good: without nextUpdate five minutes", ocsp(good, now, nothing), now.Add(5 * time.Minute), 150 * time.Second},
		{"OCSP Good: without nextUpdate an hour after thisUpdate", ocsp(good, now.Add(-58*time.Minute), nothing), now.Add(2 * time.Minute), 150 * time.Second},
		{"OCSP Good: the delegate ends before", func(t *testing.T, w *wired) {
			delegate := w.delegate(t, valid(now.Add(-day), delegateEnds))
			w.net.serve(ocspURL, w.answering(t, good, func(_ revocation.Request, r *ocsptest.Response) {
				r.Responder, r.Key, r.Certificates = ocsptest.ByName(delegate.cert.RawSubject), delegate.key, [][]byte{delegate.cert.Raw}
			}))
		}, delegateEnds, time.Hour},
		{"Revoked: the end of the certificate, and a day", ocsp(revokedAt(now.Add(-day), 1), now, now.Add(time.Hour)), ends, 24 * time.Hour},
		{"Revoked, hold: a quarter of an hour", ocsp(hold, now, now.Add(time.Hour)), ends, 15 * time.Minute},
		{"CRL: nextUpdate, and six hours at most", list(now, now.Add(5*day), 0), now.Add(5 * day), 6 * time.Hour},
		{"CRL: half of a short life", list(now, now.Add(4*time.Hour), 0), now.Add(4 * time.Hour), 2 * time.Hour},
		{"CRL: HTTP may shorten it", list(now, now.Add(5*day), 30*time.Minute), now.Add(5 * day), 30 * time.Minute},
		{"CRL: HTTP cannot prolong it", list(now, now.Add(4*time.Hour), 1000*time.Hour), now.Add(4 * time.Hour), 2 * time.Hour},
		{"CRL: MaxAge before nextUpdate", list(now.Add(-29*day), now.Add(30*day), 0), now.Add(day), 6 * time.Hour},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			c.serve(t, w)
			found := w.findingOf(t, w.checker(t, leafOnly), w.client)
			assert.WithinDuration(t, c.hard, found.UsableUntil, time.Second)
			assert.InDelta(t, c.soft.Seconds(), found.RefreshAfter.Sub(now).Seconds(), c.soft.Seconds()/10+1)
		})
	}
}

// answered returns a handler that answers with the whole Response.
func answered(response revocation.Response) handler {
	return func(context.Context, revocation.Request) (revocation.Response, error) { return response, nil }
}

// Two clients are not refreshed at the same time.
func TestChecker_RefreshesAreSpread(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		seen := map[time.Duration]bool{}
		for range 20 {
			found := w.findingOf(t, checker, w.issue(t, "one of many"))
			wait := found.RefreshAfter.Sub(now)
			seen[wait] = true
			assert.InDelta(t, 57, wait.Minutes(), 3)
		}
		assert.Greater(t, len(seen), 10)
	})
}

// After the soft deadline and before the hard one no request waits, and one fetch is made.
func TestChecker_RefreshesInTheBackground(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(50 * time.Minute)
		w.says(t, checker, w.client, isGood, nil)
		require.Equal(t, 1, w.net.total(), "not due yet")
		gate := make(chan struct{})
		w.net.serve(ocspURL, gated(gate, w.responder(t, revokedAt(now, 1))))
		w.clock.advance(12 * time.Minute)
		began := time.Now()
		for range 100 {
			w.says(t, checker, w.client, isGood, nil)
		}
		assert.Zero(t, time.Since(began))
		assert.Equal(t, 2, w.net.total())
		assert.Equal(t, uint64(1), checker.Stats().Refreshes)
		close(gate)
		synctest.Wait()
		w.says(t, checker, w.client, isRevoked, nil)
		assert.Equal(t, 2, w.net.total())
	})
}

// The published bound: with one request per minute, a revocation that the responder knows takes
// effect within an hour plus its jitter.
func TestChecker_TimeToEffectiveRevocation(t *testing.T) {
	for _, life := range []time.Duration{30 * time.Minute, 23 * time.Hour, 7 * day} {
		inBubble(t, fmt.Sprint("answers valid for ", life), func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, leafOnly)
			revoked := now.Add(3 * time.Hour)
			w.net.serve(ocspURL, w.answering(t, ocsptest.StatusGood, func(_ revocation.Request, r *ocsptest.Response) {
				at := w.clock.now()
				r.Answers[0].ThisUpdate, r.Answers[0].NextUpdate = ocsptest.At(at), ocsptest.At(at.Add(life))
				r.ProducedAt = ocsptest.At(at)
				if !at.Before(revoked) {
					r.Answers[0].Status = revokedAt(revoked, 1)
				}
			}))
			for w.clock.now().Before(revoked.Add(66*time.Minute + time.Minute)) {
				_, err := w.check(t, checker)
				require.NoError(t, err)
				synctest.Wait()
				w.clock.advance(time.Minute)
			}
			w.says(t, checker, w.client, isRevoked, nil)
			assert.LessOrEqual(t, w.net.total(), 3+int(4*time.Hour/min(life/2, time.Hour))*5/4, "not more often than necessary")
		})
	}
}

// Case 70: a failed refresh keeps the stored result until it expires, and bad evidence never
// replaces good evidence.
func TestChecker_KeepsGoodUntilItsHardDeadline(t *testing.T) {
	for _, c := range []struct {
		name string
		then func(*testing.T, *wired) handler
		err  error
	}{
		{"the network is down", as(failing(revocation.ErrTransport)), revocation.ErrTransport},
		{"500", as(failing(fetch.HTTPStatusError{Status: 500})), revocation.ErrHTTPStatus},
		{"tryLater", func(t *testing.T, _ *wired) handler { return refusing(t, 3) }, revocation.ErrResponderStatus},
		{"unauthorized", func(t *testing.T, _ *wired) handler { return refusing(t, 6) }, revocation.ErrResponderStatus},
		{"HTML", as(body([]byte("<html>"))), revocation.ErrMalformed},
		{"forged Good", forgedAnswer(ocsptest.StatusGood), revocation.ErrBadSignature},
		{"forged Revoked", forgedAnswer(revokedAt(now, 1)), revocation.ErrBadSignature},
		{"forged Unknown", forgedAnswer(ocsptest.StatusUnknown), revocation.ErrBadSignature},
		{"an older Good, replayed", func(t *testing.T, w *wired) handler {
			return w.dated(t, ocsptest.StatusGood, now.Add(-2*time.Hour), now.Add(22*time.Hour))
		}, evidence.ErrRollback},
		{"an older Unknown, replayed", func(t *testing.T, w *wired) handler {
			return w.dated(t, ocsptest.StatusUnknown, now.Add(-2*time.Hour), now.Add(22*time.Hour))
		}, evidence.ErrRollback},
	} {
		inBubble(t, "case 70 "+c.name, func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly))
			w.says(t, checker, w.client, isGood, nil)
			ends := w.findingOf(t, checker, w.client).UsableUntil
			w.net.serve(ocspURL, c.then(t, w))
			for w.clock.now().Before(ends.Add(-10 * time.Minute)) {
				w.clock.advance(10 * time.Minute)
				w.says(t, checker, w.client, isGood, nil)
			}
			assert.Greater(t, w.net.total(), 20, "a refresh was attempted")
			assert.Equal(t, ends, w.findingOf(t, checker, w.client).UsableUntil)
			w.clock.advance(10 * time.Minute)
			_, err := w.check(t, checker)
			require.Error(t, err, "after the hard deadline")
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.clock.advance(6 * time.Minute)
			w.says(t, checker, w.client, isGood, nil)
		})
	}
}

func forgedAnswer(status []byte) func(*testing.T, *wired) handler {
	return func(t *testing.T, w *wired) handler {
		return w.answering(t, status, func(_ revocation.Request, r *ocsptest.Response) { r.Key = w.other.key })
	}
}

// Failures are remembered for as long as section 9 says, so that a client that returns repeatedly
// does not make the service overload the responder.
func TestChecker_RemembersFailures(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*testing.T, *wired) handler
		keep time.Duration
		want certauth.RevocationStatus
		err  error
	}{
		{"a bad signature, 30 seconds", forgedAnswer(ocsptest.StatusGood), 30 * time.Second, isUnavailable, revocation.ErrBadSignature},
		{"malformed, 30 seconds", as(body([]byte("<html>"))), 30 * time.Second, isUnavailable, revocation.ErrMalformed},
		{"404, 30 seconds", as(failing(fetch.HTTPStatusError{Status: 404})), 30 * time.Second, isUnavailable, revocation.ErrHTTPStatus},
		{"case 46 unauthorized, 5 minutes", func(t *testing.T, _ *wired) handler { return refusing(t, 6) }, 5 * time.Minute, isUnavailable, revocation.ErrResponderStatus},
		{"case 45 unknown, 2 minutes", says(ocsptest.StatusUnknown), 2 * time.Minute, isUnknown, nil},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, c.with(t, w))
			checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly))
			w.says(t, checker, w.client, c.want, c.err)
			asked := w.net.total()
			w.clock.advance(c.keep - time.Second)
			for range 10 {
				w.says(t, checker, w.client, c.want, c.err)
			}
			assert.Equal(t, asked, w.net.total(), "remembered")
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.clock.advance(2 * time.Second)
			w.says(t, checker, w.client, isGood, nil)
			assert.Equal(t, asked+1, w.net.total())
		})
	}
}
