package revocation_test

import (
	"context"
	"crypto/x509"
	"sync"
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

// gated answers once the gate is open, unless the fetch is abandoned before.
func gated(gate <-chan struct{}, h handler) handler {
	return func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
		select {
		case <-gate:
			return h(ctx, r)
		case <-ctx.Done():
			return revocation.Response{}, ctx.Err()
		}
	}
}

// Case 66.
func TestSingleFlight_TenThousandFirstCallersMakeOneFetch(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		gate := make(chan struct{})
		w.net.serve(ocspURL, gated(gate, w.responder(t, ocsptest.StatusGood)))
		checker := w.checker(t, leafOnly)
		const callers = 10_000
		var waiting sync.WaitGroup
		statuses := make([]certauth.RevocationStatus, callers)
		for i := range callers {
			waiting.Go(func() {
				found, err := w.check(t, checker)
				assert.NoError(t, err)
				statuses[i] = found.Status
			})
		}
		synctest.Wait()
		require.Equal(t, 1, w.net.total())
		close(gate)
		waiting.Wait()
		assert.Equal(t, 1, w.net.total())
		for _, status := range statuses {
			require.Equal(t, certauth.RevocationGood, status)
		}
	})
}

// Case 67.
func TestChecker_CallerThatGivesUpCancelsNoOther(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		gate := make(chan struct{})
		w.net.serve(ocspURL, gated(gate, w.responder(t, ocsptest.StatusGood)))
		checker := w.checker(t, leafOnly)
		ctx, giveUp := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := checker.CheckChain(ctx, w.chain(w.client))
			first <- err
		}()
		synctest.Wait()
		go func() {
			found, err := w.check(t, checker)
			assert.Equal(t, certauth.RevocationGood, found.Status)
			second <- err
		}()
		synctest.Wait()
		giveUp()
		require.ErrorIs(t, <-first, context.Canceled)
		close(gate)
		require.NoError(t, <-second)
		assert.Equal(t, 1, w.net.total())
	})
}

// A hanging responder: no request waits longer than the responder's deadline or MaxWait, and stored
// results are still used.
func TestChecker_HangingResponderHoldsNobodyUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		w.net.serve(ocspURL, hanging)
		w.net.serve(crlURL, hanging)
		w.clock.advance(62 * time.Minute) // a refresh is due

		began := time.Now()
		for range 100 {
			found, err := w.check(t, checker)
			require.NoError(t, err)
			require.Equal(t, certauth.RevocationGood, found.Status)
		}
		assert.Zero(t, time.Since(began), "a known client waited")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = checker.CheckChain(ctx, w.chain(w.other))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(began), "its own deadline")

		began = time.Now()
		_, err = checker.CheckChain(t.Context(), w.chain(w.other))
		require.ErrorIs(t, err, revocation.ErrTimeout)
		assert.Equal(t, 5*time.Second, time.Since(began), "MaxWait")

		w.clock.advance(22 * time.Hour)
		found, err := w.check(t, checker)
		require.Error(t, err)
		assert.Equal(t, certauth.RevocationUnavailable, found.Status, "after the hard deadline")
	})
}

// After a quiet time much may have happened: the first request briefly waits for newer evidence.
func TestChecker_FirstRequestAfterAQuietTimeAsks(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		w.net.serve(ocspURL, w.responder(t, revokedAt(now.Add(time.Hour), 1)))
		w.clock.advance(10 * time.Hour)
		found, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Equal(t, certauth.RevocationRevoked, found.Status)
	})
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		w.net.serve(ocspURL, hanging)
		w.net.serve(crlURL, hanging)
		w.clock.advance(10 * time.Hour)
		began := time.Now()
		for range 100 {
			found, err := w.check(t, checker)
			require.NoError(t, err)
			require.Equal(t, certauth.RevocationGood, found.Status, "the stored result still counts")
		}
		assert.Equal(t, time.Second, time.Since(began), "for all requests together")
	})
}

// However long the chain is, MaxWait bounds the wait of one request.
func TestChecker_MaxWaitIsForTheWholeChain(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		for _, url := range []string{ocspURL, crlURL, rootsURL} {
			w.net.serve(url, hanging)
		}
		checker := w.checker(t)
		began := time.Now()
		_, err := w.check(t, checker)
		require.ErrorIs(t, err, revocation.ErrTimeout)
		assert.Equal(t, 5*time.Second, time.Since(began))
	})
}

// Case 71.
func TestChecker_CloseEndsWhatIsUnderWay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		_, err := w.check(t, checker)
		require.NoError(t, err)
		w.net.serve(ocspURL, hanging)
		waiting := make(chan error, 1)
		go func() {
			_, err := checker.CheckChain(t.Context(), w.chain(w.other))
			waiting <- err
		}()
		synctest.Wait()
		require.NoError(t, checker.Close())
		require.Error(t, <-waiting)

		found, err := w.check(t, checker)
		require.NoError(t, err, "stored results are still returned")
		assert.Equal(t, certauth.RevocationGood, found.Status)
		_, err = checker.CheckChain(t.Context(), w.chain(w.other))
		require.ErrorIs(t, err, revocation.ErrClosed)
		require.ErrorIs(t, checker.Ready(), revocation.ErrClosed)
		require.NoError(t, checker.Close(), "twice")
	})
}

// The next responder is asked if the first keeps the request waiting.
func TestChecker_HedgesBetweenResponders(t *testing.T) {
	const slow, quick = "http://slow.partner.example", "http://quick.partner.example"
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		client := w.issue(t, "two responders", func(c *x509.Certificate) { c.OCSPServer = []string{slow, quick} })
		w.net.serve(slow, hanging)
		w.net.serve(quick, w.responder(t, ocsptest.StatusGood))
		checker := w.checker(t, leafOnly)
		began := time.Now()
		found, err := checker.CheckChain(t.Context(), w.chain(client))
		require.NoError(t, err)
		assert.Equal(t, certauth.RevocationGood, found.Status)
		assert.Equal(t, 700*time.Millisecond, time.Since(began))
		assert.Empty(t, checker.Stats().OpenBreakers, "the slower one did nothing wrong")
	})
}
