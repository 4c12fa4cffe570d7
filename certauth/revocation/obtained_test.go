package revocation_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// A responder that signs in advance confirms a hold by the same response, after which it is not queried for another quarter
// of an hour.
func TestChecker_AConfirmedHoldIsNotQueriedAtOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, w.dated(t, revokedAt(now.Add(-day), onHold), now.Add(-time.Hour), now.Add(7*day)))
		checker := w.checker(t, leafOnly, sources(revocation.OCSPOnly))
		for asked := 1; asked < 4; asked++ {
			for range 5 {
				w.says(t, checker, w.client, isRevoked, nil)
				assert.Equal(t, asked, w.net.count(ocspURL))
				w.clock.advance(time.Minute)
			}
			w.clock.advance(11 * time.Minute)
		}
	})
}

// If the list that has put a certificate on hold cannot be fetched, it is tried again soon, although the responder answers.
func TestChecker_AHoldIsQueriedAgainSoonIfTheListFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, soon(encode(t, w.listAt(now, now.Add(7*day), entryFor(w.client, ocsptest.ReasonCode(onHold))))))
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(-time.Hour), now.Add(7*day))) // older than the hold
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.clock.advance(20 * time.Minute)
		w.says(t, checker, w.client, isRevoked, nil)
		w.net.serve(crlURL, body(encode(t, w.listAt(now.Add(10*time.Minute), now.Add(7*day)))))
		w.clock.advance(20 * time.Second)
		w.says(t, checker, w.client, isRevoked, nil)
		w.says(t, checker, w.client, isGood, nil)
	})
}

// While a responder hangs, only the first request waits for it.
func TestChecker_AHangingResponderDelaysOneRequest(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, hanging)
		checker := w.checker(t, leafOnly)
		for _, want := range []time.Duration{5 * time.Second / 2, 0, 0} {
			began := time.Now()
			_, err := w.check(t, checker)
			require.NoError(t, err)
			assert.Equal(t, want, time.Since(began))
			w.clock.advance(time.Second)
		}
	})
}

// A list that does not verify is not fetched again for half a minute, whoever asks.
func TestChecker_AListThatDoesNotVerifyIsNotFetchedForEachClient(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(crlURL, body([]byte("no list")))
		checker := w.checker(t, crlOnly, leafOnly)
		for _, want := range []int{1, 1, 2} {
			_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "one more", noResponder)))
			require.ErrorIs(t, err, revocation.ErrMalformed)
			assert.Equal(t, want, w.net.count(crlURL))
			w.clock.advance(20 * time.Second)
		}
		w.net.serve(crlURL, body(encode(t, w.list())))
		w.clock.advance(20 * time.Second)
		w.says(t, checker, w.issue(t, "one more", noResponder), isGood, nil)
	})
}

// If one of two lists for some reasons fails, the other one is not fetched again at once.
func TestChecker_OnlyTheListThatFailedIsFetchedAgain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.twoPoints(t, someReasons, otherReasons)
		w.shard(t, shardA, now.Add(-time.Hour), now.Add(day))
		w.net.serve(shardB, failing(revocation.ErrTransport))
		checker := w.checker(t, crlOnly, leafOnly)
		for _, want := range []int{1, 2} {
			w.says(t, checker, client, isUnavailable, revocation.ErrTransport)
			assert.Equal(t, 1, w.net.count(shardA))
			assert.Equal(t, want, w.net.count(shardB))
			w.clock.advance(10 * time.Second)
		}
	})
}

// A list at a URL of Config.Lists counts before its delta has been fetched.
func TestChecker_AConfiguredListCountsBeforeItsDelta(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		w.net.serve(configuredURL, body(encode(t, w.numberedBase(10, now.Add(day)))))
		w.net.serve(deltaURL, hanging)
		checker := w.operated(t, revocation.List{URL: configuredURL}, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
		began := time.Now()
		_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "client", unpointed)))
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), time.Second)
		require.NoError(t, checker.Close())
		synctest.Wait()
	})
}
