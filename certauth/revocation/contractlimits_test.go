package revocation_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// fatOf returns a list of a CA that takes about that many bytes in memory and names a delta.
func (w *wired) fatOf(t testing.TB, ca *identity, entries []byte) []byte {
	t.Helper()
	l := w.listAt(now.Add(-time.Hour), now.Add(5*day))
	l.Issuer, l.Key, l.RawEntries = ca.cert.RawSubject, ca.key, entries
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(ca.cert.SubjectKeyId), ocsptest.CRLNumber(7), freshest("http://delta.hostile.example/d.crl")}
	return encode(t, l)
}

// finding K2: thirty CAs of one partner, each with lists whose delta hangs, held a gigabyte under a
// limit of 64 MiB.
func TestContract_ListsThatWaitForADeltaAreCounted(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		const budget = 4 << 20
		hostile, honest := w.partner(t, "hostile"), w.partner(t, "honest")
		entries := manyEntries(256<<10/20, 20)
		w.net.serve("http://delta.hostile.example", hanging)
		checker := w.checker(t, crlOnly, func(c *revocation.Config) { c.MaxListMemory, c.MaxListBytes = budget, 2<<20 })
		heap := func() int64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		type caller struct {
			client *identity
			chain  []*x509.Certificate
		}
		var callers []caller
		for n := range 30 {
			ca := makeCert(t, fmt.Sprintf("hostile CA %d", n), newKey(t), hostile.root, asCA)
			w.net.serve(fmt.Sprintf("http://crl%d.hostile.example", n), body(w.fatOf(t, ca, entries)))
			for i := range 4 {
				client := makeCert(t, "hostile client", newKey(t), ca, asClient, func(c *x509.Certificate) {
					c.CRLDistributionPoints = []string{fmt.Sprintf("http://crl%d.hostile.example/%d", n, i)}
				})
				callers = append(callers, caller{client, []*x509.Certificate{client.cert, ca.cert, hostile.root.cert}})
			}
		}
		before := heap()
		var all sync.WaitGroup
		for _, c := range callers {
			all.Go(func() { _, _ = checker.CheckChain(t.Context(), c.chain) })
		}
		synctest.Wait()
		assert.LessOrEqual(t, checker.Stats().ListBytes, budget)
		assert.Less(t, heap()-before, int64(budget+8<<20))

		// And no other partner's small list is refused because of that.
		l := w.listAt(now.Add(-time.Hour), now.Add(5*day))
		l.Issuer, l.Key = honest.ca.cert.RawSubject, honest.ca.key
		l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(honest.ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
		l.RawEntries = manyEntries(200<<10/20, 20)
		w.net.serve("http://crl.honest.example", body(encode(t, l)))
		client := honest.client(t, func(c *x509.Certificate) {
			c.OCSPServer, c.CRLDistributionPoints = nil, []string{"http://crl.honest.example/"}
		})
		began := time.Now()
		found, err := honest.check(t, checker, client)
		require.NoError(t, err)
		assert.Equal(t, isGood, found.Status)
		assert.Zero(t, time.Since(began))
		assert.LessOrEqual(t, checker.Stats().ListBytes, budget)
		all.Wait()
		runtime.KeepAlive(callers)
	})
}

// lessor is a store that should grant the right to fetch, but never does: this is what the
// directory store did on a full disk.
type lessor struct{ *shelf }

func (lessor) Lease(context.Context, string, time.Duration) (func(context.Context), bool, error) {
	return nil, false, nil
}

// finding K6: a store on a full disk refused clients, which waited for a lease that no instance
// held.
func TestContract_AFullDiskCostsTimeAlone(t *testing.T) {
	for name, config := range map[string]func(*revocation.Config){"OCSP": ocspOnly, "CRL": crlOnly} {
		inBubble(t, name, func(t *testing.T) {
			w, s := wire(t), newShelf()
			s.set = func(context.Context) error { return syscall.ENOSPC }
			for range 3 { // instances
				began := time.Now()
				w.says(t, w.checker(t, config, stored(lessor{s})), w.client, isGood, nil)
				assert.LessOrEqual(t, time.Since(began), time.Second)
			}
		})
	}
}

// finding K22: an outage wrote the same record for every request, and named neither the host nor
// the partner nor its beginning; a failing store wrote none.
func TestContract_RecordsOfAnOutage(t *testing.T) {
	count := func(log *lines, text string) int { return strings.Count(log.text(), text) }
	inBubble(t, "one when it begins, one when it ends", func(t *testing.T) {
		w := wire(t)
		var log lines
		checker := w.checker(t, ocspOnly, logging(&log))
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		for range 1000 {
			_, err := checker.CheckChain(t.Context(), w.chain(w.client))
			require.Error(t, err)
			synctest.Wait()
			w.clock.advance(100 * time.Millisecond)
		}
		assert.Equal(t, 1, strings.Count(log.text(), "\n"), log.text())
		for _, text := range []string{"level=WARN", "ocsp.partner.example:80", "CN=Root", "since=2026-03-02T12:00:00"} {
			assert.Contains(t, log.text(), text)
		}
		w.net.serve(ocspURL, w.responder(t, ocsptest.StatusGood))
		w.clock.advance(6 * time.Minute)
		w.says(t, checker, w.client, isGood, nil)
		assert.Equal(t, 2, strings.Count(log.text(), "\n"), log.text())
		assert.Contains(t, log.text(), "answers again")
		assert.Regexp(t, `callers_refused=1000\b`, log.text())
	})
	inBubble(t, "a refusal names the CA, and the host that is left alone", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, ocspOnly)
		w.net.serve(ocspURL, failing(revocation.ErrTransport))
		_, _ = w.check(t, checker)
		_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "next")))
		for _, text := range []string{"certificate 0 of the chain", "Clients CA", "ocsp.partner.example:80", "since 2026-03-02T12:00:00Z"} {
			assert.ErrorContains(t, err, text)
		}
	})
	inBubble(t, "a clock that is wrong is called so, and not an attack", func(t *testing.T) {
		w := wire(t)
		var log lines
		checker := w.checker(t, ocspOnly, logging(&log))
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now.Add(time.Hour), now.Add(day)))
		for range 50 {
			_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "client")))
			require.Error(t, err)
			synctest.Wait()
		}
		assert.Equal(t, 1, count(&log, "clock"), log.text())
		assert.NotContains(t, log.text(), "someone may be tampering")
	})
	inBubble(t, "a store that fails, once a minute", func(t *testing.T) {
		w, s := wire(t), newShelf()
		var log lines
		s.get = func(context.Context) error { return syscall.ECONNREFUSED }
		checker := w.checker(t, ocspOnly, stored(s), logging(&log))
		for range 50 {
			w.says(t, checker, w.issue(t, "client"), isGood, nil)
		}
		assert.Equal(t, 1, count(&log, "the store fails"), log.text())
		w.clock.advance(time.Minute)
		w.says(t, checker, w.issue(t, "client"), isGood, nil)
		assert.Equal(t, 2, count(&log, "the store fails"), log.text())
	})
}

// A responder that is left alone is distinguished from one that is busy: a GET answered with 429 or
// 503 is not followed by a POST, but one with any other status is.
func TestContract_ABusyResponderIsNotAskedTwice(t *testing.T) {
	for status, want := range map[int]int{http.StatusTooManyRequests: 1, http.StatusServiceUnavailable: 1, http.StatusNotFound: 2, http.StatusBadGateway: 2} {
		inBubble(t, fmt.Sprint(status), func(t *testing.T) {
			w := wire(t)
			w.net.serve(ocspURL, failing(fetch.HTTPStatusError{Status: status}))
			_, err := w.check(t, w.checker(t, ocspOnly))
			require.Error(t, err)
			assert.Equal(t, want, w.net.total())
		})
	}
}
