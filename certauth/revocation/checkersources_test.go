package revocation_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// ranOut answers with evidence that expired a second more than the permitted clock difference ago.
func (w *wired) ranOut(t testing.TB, status []byte) handler {
	t.Helper()
	return w.dated(t, status, w.clock.now().Add(-5*time.Hour), w.clock.now().Add(-skew-time.Second))
}

// Case 99: authentic Revoked evidence that is only too old denies if nothing else is known, even
// under SoftFail.
func TestChecker_SoftFailDoesNotPassOverStaleRevocations(t *testing.T) {
	gone, down := revokedAt(now.Add(-day), 1), as(failing(revocation.ErrTransport))
	held := revokedAt(now.Add(-day), evidence.ReasonCertificateHold)
	ocspStale := func(status []byte) func(*testing.T, *wired) handler {
		return func(t *testing.T, w *wired) handler { return w.ranOut(t, status) }
	}
	listStale := func(entries func(*wired) []ocsptest.Entry) func(*testing.T, *wired) handler {
		return func(t *testing.T, w *wired) handler {
			return body(encode(t, w.listAt(now.Add(-day), now.Add(-skew-time.Second), entries(w)...)))
		}
	}
	onList := func(w *wired) []ocsptest.Entry { return []ocsptest.Entry{entryFor(w.client)} }
	onHold := func(w *wired) []ocsptest.Entry { return []ocsptest.Entry{entryFor(w.client, ocsptest.ReasonCode(6))} }
	offList := func(*wired) []ocsptest.Entry { return nil }
	for _, c := range []struct {
		name      string
		ocsp, crl func(*testing.T, *wired) handler
		change    func(*revocation.Config)
		want      certauth.RevocationStatus
		err       error
	}{
		{"case 99 OCSP, revoked", ocspStale(gone), down, nil, isUnavailable, revocation.ErrNotFresh},
		{"case 99 OCSP alone, revoked", ocspStale(gone), down, sources(revocation.OCSPOnly), isUnavailable, revocation.ErrNotFresh},
		{"case 99 OCSP, hold", ocspStale(held), down, nil, isWaived, nil},
		{"case 99 OCSP, good", ocspStale(ocsptest.StatusGood), down, nil, isWaived, nil},
		{"case 99 CRL, revoked", down, listStale(onList), nil, isUnavailable, revocation.ErrNotFresh},
		{"case 99 CRL alone, revoked", down, listStale(onList), sources(revocation.CRLOnly), isUnavailable, revocation.ErrNotFresh},
		{"case 99 CRL, hold", down, listStale(onHold), nil, isWaived, nil},
		{"case 99 CRL, not on it", down, listStale(offList), nil, isWaived, nil},
		{"case 99 unknown besides, and allowed", says(ocsptest.StatusUnknown), listStale(onList), allowUnknown, isUnavailable, nil},
		{"case 99 good besides", ocspStale(gone), as(nil), nil, isGood, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, c.ocsp(t, w))
			if h := c.crl(t, w); h != nil {
				w.net.serve(crlURL, h)
			}
			config := c.change
			if config == nil {
				config = func(*revocation.Config) {}
			}
			checker := w.checker(t, leafOnly, softFail, config)
			for range 2 { // and from memory
				found, err := w.check(t, checker)
				assert.Equal(t, c.want.String(), found.Status.String())
				if c.want != isUnavailable {
					require.NoError(t, err)
				} else {
					require.Error(t, err)
				}
				if c.err != nil {
					require.ErrorIs(t, err, c.err)
				}
			}
		})
	}
}

// bomb is a slog.Handler that panics.
type bomb struct{ slog.Handler }

func (bomb) Enabled(context.Context, slog.Level) bool  { return true }
func (bomb) Handle(context.Context, slog.Record) error { panic("handler") }

// Code outside of this package may panic: the request is denied for lack of evidence, or is
// unaffected, and the next one works. No place of the host gate is lost.
func TestChecker_SurvivesPanics(t *testing.T) {
	exploding := func(context.Context, revocation.Request) (revocation.Response, error) {
		panic("fetcher\nforged log line")
	}
	inBubble(t, "the Fetcher, for OCSP and for CRLs", func(t *testing.T) {
		w := wire(t)
		w.net.serve(ocspURL, exploding)
		w.net.serve(crlURL, exploding)
		checker := w.checker(t, leafOnly)
		for i := range 40 { // more than there are places
			client := w.issue(t, fmt.Sprint("client ", i))
			found, err := checker.CheckChain(t.Context(), w.chain(client))
			require.ErrorContains(t, err, "panic")
			require.NotContains(t, err.Error(), "\nforged")
			require.Equal(t, certauth.RevocationUnavailable, found.Status)
			w.clock.advance(time.Minute)
		}
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.net.serve(crlURL, body(encode(t, w.list())))
		began := time.Now()
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, w.checker(t, leafOnly, sources(revocation.CRLOnly)), w.client, isGood, nil)
		assert.Zero(t, time.Since(began), "no request had to wait for a place")
	})
	inBubble(t, "Observe", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, func(c *revocation.Config) { c.Observe = func(context.Context, revocation.Event) { panic("observe") } })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		w.says(t, checker, w.other, isUnavailable, revocation.ErrTransport)
	})
	inBubble(t, "the Logger's handler", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, softFail, func(c *revocation.Config) { c.Logger = slog.New(bomb{slog.DiscardHandler}) })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.net.serve(crlURL, failing(revocation.ErrTransport))
		for range 8 { // the breaker logs as well
			assert.NotPanics(t, func() { w.says(t, checker, w.issue(t, "down"), isWaived, nil) })
			w.clock.advance(10 * time.Minute)
		}
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, checker, w.other, isGood, nil)
	})
	inBubble(t, "the Logger's handler and Observe", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, func(c *revocation.Config) {
			c.Logger, c.Observe = slog.New(bomb{slog.DiscardHandler}), func(context.Context, revocation.Event) { panic("observe") }
		})
		w.says(t, checker, w.client, isGood, nil)
	})
}
