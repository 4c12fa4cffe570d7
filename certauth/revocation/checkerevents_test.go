package revocation_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// witness records events.
type witness struct {
	mu     sync.Mutex
	events []revocation.Event
}

func (o *witness) observe(_ context.Context, e revocation.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.events = append(o.events, e)
}

func (o *witness) take() []revocation.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	taken := o.events
	o.events = nil
	return taken
}

// Every fetch, and the beginning and the end of every outage, is an event. From the certificate it
// contains only the serial number.
func TestChecker_Observe(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		var seen witness
		var out lines
		slow := w.responder(t, ocsptest.StatusGood)
		w.net.serve(ocspURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
			w.clock.advance(40 * time.Millisecond)
			return slow(ctx, r)
		})
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Observe, c.Logger = seen.observe, slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		w.says(t, checker, w.client, isGood, nil)
		events := seen.take()
		require.Len(t, events, 1)
		e := events[0]
		assert.Equal(t, revocation.SourceOCSP, e.Kind)
		assert.Equal(t, "ocsp.partner.example:80", e.Host)
		assert.Equal(t, w.client.cert.SerialNumber.Text(16), e.Serial)
		assert.Equal(t, revocation.Good, e.Status)
		assert.Equal(t, 40*time.Millisecond, e.Latency)
		assert.Positive(t, e.Bytes)
		assert.True(t, now.Add(-time.Hour+40*time.Millisecond).Truncate(time.Second).Equal(e.ThisUpdate))
		require.NoError(t, e.Err)
		w.says(t, checker, w.client, isGood, nil)
		assert.Empty(t, seen.take(), "an answer from memory is not an event here")

		w.outage()
		w.says(t, checker, w.other, isUnavailable, revocation.ErrTransport)
		kinds := map[string]int{}
		for _, e := range seen.take() {
			require.ErrorIs(t, e.Err, revocation.ErrTransport)
			kinds[e.Kind.String()]++
		}
		assert.Equal(t, map[string]int{"ocsp": 1, "crl": 1, "none": 2}, kinds, "two fetches, and the outages of two hosts")

		for i := range 5 { // the host of the responders
			_, _ = checker.CheckChain(t.Context(), w.chain(w.issue(t, "unlucky", at1(fmt.Sprintf("%s/%d", ocspURL, i)))))
		}
		w.clock.advance(10 * time.Second)
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.says(t, checker, w.issue(t, "probe", at1(ocspURL+"/probe")), isGood, nil)
		var outage []revocation.Event
		for _, e := range seen.take() {
			if e.Host == "ocsp.partner.example:80" && !e.Since.IsZero() {
				outage = append(outage, e)
			}
		}
		require.Len(t, outage, 1, "it began before")
		assert.True(t, outage[0].Over)
		assert.Positive(t, outage[0].Refused)
		require.NoError(t, outage[0].Err)

		for _, secret := range []string{"CN=client", "BEGIN CERTIFICATE", ocspURL + "/M"} {
			assert.NotContains(t, out.text(), secret)
		}
	})
}

// Messages that no honest responder sends are counted separately and logged as an error.
func TestChecker_TellsForgeriesFromOutages(t *testing.T) {
	for _, c := range []struct {
		name       string
		with       func(*testing.T, *wired) handler
		suspicious bool
	}{
		{"forged", forgedAnswer(ocsptest.StatusGood), true},
		{"HTML", as(body([]byte("<html>"))), true},
		{"no connection", as(failing(revocation.ErrTransport)), false},
		{"tryLater", func(t *testing.T, _ *wired) handler { return refusing(t, 3) }, false},
		{"503", as(failing(fetch.HTTPStatusError{Status: 503})), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, c.with(t, w))
			var out lines
			checker := w.checker(t, ocspOnly, func(config *revocation.Config) { config.Logger = slog.New(slog.NewTextHandler(&out, nil)) })
			_, err := w.check(t, checker)
			require.Error(t, err)
			assert.Equal(t, c.suspicious, checker.Stats().Suspicious > 0)
			assert.Equal(t, c.suspicious, strings.Contains(out.text(), "level=ERROR"))
			assert.Equal(t, !c.suspicious, strings.Contains(out.text(), "level=WARN"))
		})
	}
}

// finding K22: a wrong local clock looked like an attack, and then like a wrong clock of the
// signer.
func TestChecker_SaysThatTheClockIsWrong(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const another = "http://another.partner.example"
		w := wire(t)
		var out lines
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(time.Hour), now.Add(day)))
		w.net.serve(another, w.dated(t, ocsptest.StatusGood, now.Add(time.Hour), now.Add(day)))
		checker := w.checker(t, ocspOnly, logging(&out))
		w.says(t, checker, w.client, isUnavailable, evidence.ErrProducedAt)
		assert.Contains(t, out.text(), "or that of the signer is wrong")
		assert.NotContains(t, out.text(), "level=ERROR")
		w.says(t, checker, w.issue(t, "elsewhere", at1(another)), isUnavailable, evidence.ErrProducedAt)
		assert.Contains(t, out.text(), "level=ERROR msg=\"revocation: evidence of several signers is from the future: the clock of this machine is wrong\"")
	})
}

// An attacker's text cannot write its own lines into the log.
func TestChecker_LogsTextOfOthersAsText(t *testing.T) {
	w := wire(t)
	long := strings.Repeat("x", 100_000)
	w.net.serve(ocspURL, failing(fmt.Errorf("%w: \nlevel=INFO msg=\"all is well\" %s", revocation.ErrTransport, long)))
	w.net.serve(crlURL, failing(revocation.ErrTransport))
	var out lines
	_, err := w.check(t, w.checker(t, both(leafOnly, softFail), func(c *revocation.Config) { c.Logger = slog.New(slog.NewTextHandler(&out, nil)) }))
	require.NoError(t, err)
	for line := range strings.Lines(out.text()) {
		assert.True(t, strings.HasPrefix(line, "time="), line)
		assert.Less(t, len(line), 2000)
	}
}

func TestChecker_StatsAddUp(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, both(leafOnly, softFail))
		assert.Equal(t, revocation.Stats{}, checker.Stats())
		w.says(t, checker, w.client, isGood, nil)
		for range 4 {
			w.says(t, checker, w.client, isGood, nil)
		}
		s := checker.Stats()
		assert.Equal(t, [...]uint64{1, 4, 1, 0}, [...]uint64{s.Waited, s.Remembered, s.OCSPFetched, s.OCSPFailed})
		assert.Equal(t, 1, s.Records)
		assert.Positive(t, s.Bytes)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		w.says(t, checker, w.other, isRevoked, nil) // by CRL
		s = checker.Stats()
		assert.Equal(t, [...]uint64{1, 1, 1, 0}, [...]uint64{s.OCSPFetched, s.OCSPFailed, s.CRLFetched, s.CRLFailed})
		assert.Equal(t, 1, s.Lists)
		assert.Positive(t, s.ListBytes)
		assert.Positive(t, s.ListEntries)
		const elsewhere = "http://down.partner.example/ca.crl"
		w.says(t, checker, w.issue(t, "down", at1(elsewhere), noPoints), isWaived, nil)
		s = checker.Stats()
		assert.Equal(t, uint64(1), s.SoftFailed)
		assert.Equal(t, 3, s.Records)
		assert.Equal(t, uint64(w.net.total()), s.OCSPFetched+s.OCSPFailed+s.CRLFetched+s.CRLFailed)
		assert.Equal(t, uint64(7), s.Waited+s.Remembered, "one event per certificate and check")
	})
}
