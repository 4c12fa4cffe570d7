package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

var ocspOnly = both(leafOnly, sources(revocation.OCSPOnly))

func at1(url string) change {
	return func(c *x509.Certificate) { c.OCSPServer = []string{url} }
}

// openBreaker makes the host fail until it is left alone. Each time another path is used, so that
// no back-off of a path interferes.
func (w *wired) openBreaker(t *testing.T, checker *revocation.Checker, failure error) {
	t.Helper()
	w.net.serve(ocspURL, failing(failure))
	for i := range 5 {
		require.Empty(t, checker.Stats().OpenBreakers, "after %d failures", i)
		client := w.issue(t, "unlucky", at1(fmt.Sprintf("%s/%d", ocspURL, i)))
		w.says(t, checker, client, isUnavailable, failure)
	}
	require.Equal(t, []string{"ocsp.partner.example:80"}, checker.Stats().OpenBreakers)
}

// Case 68.
func TestChecker_Breaker(t *testing.T) {
	for name, failure := range map[string]error{
		"no connection": revocation.ErrTransport, "too slow": revocation.ErrTimeout, "too slow, in a Fetcher's own words": context.DeadlineExceeded,
	} {
		inBubble(t, "case 68 opens after five failures in a row, "+name, func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, ocspOnly)
			w.openBreaker(t, checker, failure)
			asked := w.net.total()
			w.net.serve(ocspURL, hanging)
			began := time.Now()
			for i := range 20 {
				w.says(t, checker, w.issue(t, "late", at1(fmt.Sprintf("%s/late/%d", ocspURL, i))), isUnavailable, revocation.ErrBreakerOpen)
			}
			assert.Zero(t, time.Since(began), "at once")
			assert.Equal(t, asked, w.net.total())
		})
	}
	inBubble(t, "case 68 half open: one probe, however many come", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		w.openBreaker(t, checker, revocation.ErrTransport)
		asked := w.net.total()
		gate := make(chan struct{})
		w.net.serve(ocspURL, gated(gate, w.responder(t, ocsptest.StatusGood)))
		w.clock.advance(6 * time.Second)
		var refused, good atomic.Int64
		var all sync.WaitGroup
		for i := range 50 {
			client := w.issue(t, "probe", at1(fmt.Sprintf("%s/probe/%d", ocspURL, i)))
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(client))
				switch {
				case err == nil && found.Status == isGood:
					good.Add(1)
				case assert.ErrorIs(t, err, revocation.ErrBreakerOpen):
					refused.Add(1)
				}
			})
		}
		synctest.Wait()
		assert.Equal(t, asked+1, w.net.total())
		assert.Equal(t, int64(49), refused.Load(), "other requests do not wait for the probe")
		close(gate)
		all.Wait()
		assert.Equal(t, int64(1), good.Load())
		assert.Empty(t, checker.Stats().OpenBreakers, "closed by the probe")
		for i := range 10 {
			w.says(t, checker, w.issue(t, "after", at1(fmt.Sprintf("%s/after/%d", ocspURL, i))), isGood, nil)
		}
	})
	inBubble(t, "case 68 a probe that fails opens it for twice as long, five minutes at most", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		w.openBreaker(t, checker, revocation.ErrTransport)
		for n, seconds := range []int{5, 10, 20, 40, 80, 160, 300, 300, 300} {
			asked, pause := w.net.total(), time.Duration(seconds)*time.Second
			w.clock.advance(pause * 89 / 100)
			w.says(t, checker, w.issue(t, "early", at1(fmt.Sprintf("%s/early/%d", ocspURL, n))), isUnavailable, revocation.ErrBreakerOpen)
			require.Equal(t, asked, w.net.total(), "pause %d", n)
			w.clock.advance(pause * 22 / 100)
			w.says(t, checker, w.issue(t, "probe", at1(fmt.Sprintf("%s/probe/%d", ocspURL, n))), isUnavailable, revocation.ErrTransport)
			require.Equal(t, asked+1, w.net.total(), "pause %d", n)
		}
	})
	inBubble(t, "case 68 a probe that nobody waits for any more leaves room for the next", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		w.openBreaker(t, w.checker(t, ocspOnly), revocation.ErrTransport)
		const other = "http://other.partner.example"
		for i := range 5 {
			w.says(t, checker, w.issue(t, "unlucky", at1(fmt.Sprintf("%s/%d", ocspURL, i))), isGood, nil) // by CRL
		}
		require.NotEmpty(t, checker.Stats().OpenBreakers)
		w.clock.advance(6 * time.Second)
		w.net.serve(ocspURL, hanging)
		w.net.serve(other, w.responder(t, ocsptest.StatusGood))
		two := w.issue(t, "two", func(c *x509.Certificate) { c.OCSPServer = []string{ocspURL + "/x", other} })
		w.says(t, checker, two, isGood, nil) // the other one is faster, and the probe is cancelled
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, checker, w.issue(t, "next", at1(ocspURL+"/next")), isGood, nil)
		assert.Empty(t, checker.Stats().OpenBreakers)
	})
	for name, h := range map[string]func(*testing.T, *wired) handler{
		"malformed": as(body([]byte("<html>"))), "forged": forgedAnswer(ocsptest.StatusGood),
		"unauthorized": func(t *testing.T, _ *wired) handler { return refusing(t, 6) },
		"too large":    as(failing(revocation.ErrTooLarge)), "blocked": as(failing(revocation.ErrBlockedAddress)),
		"404": as(failing(fetch.HTTPStatusError{Status: 404})), "503": as(failing(fetch.HTTPStatusError{Status: 503})),
	} {
		inBubble(t, "case 68 does not open for what came and was wrong: "+name, func(t *testing.T) {
			w := wire(t)
			checker := w.checker(t, ocspOnly)
			w.net.serve(ocspURL, h(t, w))
			for i := range 20 {
				_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "wrong", at1(fmt.Sprintf("%s/%d", ocspURL, i)))))
				require.Error(t, err)
				require.NotErrorIs(t, err, revocation.ErrBreakerOpen)
			}
			assert.Empty(t, checker.Stats().OpenBreakers)
		})
	}
	inBubble(t, "case 68 an answer in between begins the count anew", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		for i := range 20 {
			w.net.serve(ocspURL, failing(revocation.ErrTransport))
			if i%4 == 3 {
				w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			}
			_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "now and then", at1(fmt.Sprintf("%s/%d", ocspURL, i)))))
		}
		assert.Empty(t, checker.Stats().OpenBreakers)
	})
	inBubble(t, "another host, and another port of the host, are not concerned", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		w.openBreaker(t, checker, revocation.ErrTransport)
		w.net.serve(ocspURL+":8080", w.responder(t, ocsptest.StatusGood))
		w.says(t, checker, w.issue(t, "port", at1(ocspURL+":8080")), isGood, nil)
		w.says(t, checker, w.issue(t, "case", at1("http://OCSP.partner.example:80/case")), isUnavailable, revocation.ErrBreakerOpen)
	})
}

// Section 9: the back-off of a responder is 5 s * 2^n up to 5 min, with a spread of a tenth;
// Retry-After is respected up to 5 minutes.
func TestChecker_BacksOffFromAResponder(t *testing.T) {
	for _, c := range []struct {
		name   string
		with   func(*testing.T, *wired) handler
		pauses []int // seconds
	}{
		{"503", as(failing(fetch.HTTPStatusError{Status: 503})), []int{5, 10, 20, 40, 80, 160, 300, 300}},
		{"429", as(failing(fetch.HTTPStatusError{Status: 429})), []int{5, 10, 20}},
		{"tryLater", func(t *testing.T, _ *wired) handler { return refusing(t, 3) }, []int{5, 10, 20}},
		{"503 with Retry-After", as(failing(fetch.HTTPStatusError{Status: 503, RetryAfter: time.Minute})), []int{60, 60, 60}},
		{"503 with a Retry-After of a year", as(failing(fetch.HTTPStatusError{Status: 503, RetryAfter: 365 * day})), []int{300, 300}},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, c.with(t, w))
			checker := w.checker(t, ocspOnly)
			fresh := func() error { // no failure of a path interferes
				_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "fresh")))
				return err
			}
			require.NotErrorIs(t, fresh(), revocation.ErrBreakerOpen)
			for n, seconds := range c.pauses {
				asked, pause := w.net.total(), time.Duration(seconds)*time.Second
				w.clock.advance(pause * 89 / 100)
				require.ErrorIs(t, fresh(), revocation.ErrBreakerOpen, "pause %d", n)
				require.Equal(t, asked, w.net.total(), "pause %d", n)
				w.clock.advance(pause * 22 / 100)
				require.NotErrorIs(t, fresh(), revocation.ErrBreakerOpen, "pause %d", n)
				require.Greater(t, w.net.total(), asked)
			}
			w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
			w.clock.advance(6 * time.Minute)
			require.NoError(t, fresh())
			require.NoError(t, fresh(), "the count must start again")
		})
	}
}

// Rule F9: 4 concurrent fetches per host, 8 per partner, 1024 waiting per partner, and the rest are
// refused.
func TestChecker_BoundsFetches(t *testing.T) {
	type scene struct {
		*wired
		checker         *revocation.Checker
		gate            chan struct{}
		inside, most    atomic.Int64
		good, overload  atomic.Int64
		all             sync.WaitGroup
		mostOfOne       atomic.Int64
		responderBehind handler
	}
	set := func(t *testing.T) *scene {
		s := &scene{wired: wire(t), gate: make(chan struct{})}
		s.checker = s.wired.checker(t, ocspOnly)
		s.responderBehind = gated(s.gate, s.responder(t, ocsptest.StatusGood))
		return s
	}
	serve := func(s *scene, url string) {
		var here atomic.Int64
		s.net.serve(url, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
			s.most.Store(max(s.most.Load(), s.inside.Add(1)))
			s.mostOfOne.Store(max(s.mostOfOne.Load(), here.Add(1)))
			defer s.inside.Add(-1)
			defer here.Add(-1)
			return s.responderBehind(ctx, r)
		})
	}
	ask := func(t *testing.T, s *scene, url string) {
		client := s.issue(t, "one of many", at1(url))
		s.all.Go(func() {
			found, err := s.checker.CheckChain(t.Context(), s.chain(client))
			switch {
			case err == nil && found.Status == isGood:
				s.good.Add(1)
			case assert.ErrorIs(t, err, revocation.ErrOverloaded):
				s.overload.Add(1)
			}
		})
	}
	inBubble(t, "one host", func(t *testing.T) {
		s := set(t)
		serve(s, ocspURL)
		for range 1100 {
			ask(t, s, ocspURL)
		}
		synctest.Wait()
		assert.Equal(t, int64(4), s.inside.Load())
		assert.Equal(t, int64(1100-4-1024), s.overload.Load(), "refused at once")
		close(s.gate)
		s.all.Wait()
		assert.Equal(t, int64(4+1024), s.good.Load())
		assert.Equal(t, int64(4), s.most.Load())
		for range 10 { // no places are lost, and refused clients may retry at once
			s.says(t, s.checker, s.issue(t, "after"), isGood, nil)
		}
	})
	inBubble(t, "many hosts of one partner", func(t *testing.T) {
		s := set(t)
		for i := range 10 {
			serve(s, fmt.Sprintf("http://host%d.partner.example", i))
		}
		for i := range 70 {
			ask(t, s, fmt.Sprintf("http://host%d.partner.example/x", i%10))
		}
		synctest.Wait()
		assert.Equal(t, int64(8), s.inside.Load())
		close(s.gate)
		s.all.Wait()
		assert.Equal(t, int64(8), s.most.Load())
		assert.LessOrEqual(t, s.mostOfOne.Load(), int64(4))
		assert.Equal(t, int64(70), s.good.Load())
	})
	inBubble(t, "who waits in the queue leaves with the request, and the place is free again", func(t *testing.T) {
		s := set(t)
		serve(s, ocspURL)
		for range 20 {
			client := s.issue(t, "impatient")
			s.all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := s.checker.CheckChain(ctx, s.chain(client))
				assert.ErrorIs(t, err, revocation.ErrTimeout)
			})
		}
		s.all.Wait()
		close(s.gate)
		synctest.Wait()
		for range 10 {
			s.says(t, s.checker, s.issue(t, "after"), isGood, nil)
		}
		assert.Empty(t, s.checker.Stats().OpenBreakers)
	})
}

// Case 71: Close while many requests wait, fetch and refresh; stored results are still returned.
func TestChecker_CloseWhileMuchIsUnderWay(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly)
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, hanging)
		w.net.serve(crlURL, hanging)
		w.clock.advance(2 * time.Hour)
		var all sync.WaitGroup
		for range 50 {
			client := w.issue(t, "new")
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(client))
				assert.Error(t, err)
				assert.Equal(t, certauth.RevocationUnavailable, found.Status)
			})
		}
		w.says(t, checker, w.client, isGood, nil)
		time.Sleep(1100 * time.Millisecond) //nolint:forbidigo // inside a bubble
		var closing sync.WaitGroup
		for range 3 {
			closing.Go(func() { assert.NoError(t, checker.Close()) })
		}
		closing.Wait()
		all.Wait()
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, w.other, isUnavailable, revocation.ErrClosed)
		require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrClosed)
		w.clock.advance(30 * day)
		w.says(t, checker, w.client, isUnavailable, revocation.ErrClosed)
	})
}
