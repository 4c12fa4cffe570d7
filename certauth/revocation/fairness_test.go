package revocation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// smallListOf returns an empty list of a CA.
func (w *wired) smallListOf(t testing.TB, ca *identity) []byte {
	t.Helper()
	l := w.listAt(now.Add(-time.Hour), now.Add(5*day))
	l.Issuer, l.Key, l.Entries = ca.cert.RawSubject, ca.key, nil
	l.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(ca.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
	return encode(t, l)
}

func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// caller is a certificate and its chain.
type caller struct {
	client *identity
	chain  []*x509.Certificate
}

// hangingFor is a host that sends nothing until the default Fetcher gives up.
func hangingFor(d time.Duration) handler {
	return func(ctx context.Context, _ revocation.Request) (revocation.Response, error) {
		select {
		case <-ctx.Done():
			return revocation.Response{}, ctx.Err()
		case <-time.After(d):
			return revocation.Response{}, revocation.ErrTimeout
		}
	}
}

// callers makes clients of a partner's CA.
func (p *partner) callers(t testing.TB, ca *identity, n int, names change) (all []caller) {
	t.Helper()
	for i := range n {
		client := makeCert(t, fmt.Sprintf("client %d of %s", i, p.name), newKey(t), ca, asClient, names)
		all = append(all, caller{client, []*x509.Certificate{client.cert, ca.cert, p.root.cert}})
	}
	return all
}

// One partner has thirty CAs, hanging hosts, lists of the maximum size, and hanging deltas. Meanwhile
// a hundred clients of two other partners arrive for the first time: none is refused, none waits
// longer than MaxWait, and memory stays within its limit. The eight concurrent fetches per partner are
// not configurable; the memory limits are small in some rows.
func TestFairness_AHostilePartnerCostsOthersNothing(t *testing.T) {
	for _, c := range []struct {
		name             string
		listMemory, list int
		records          int
		entries          int // of a hostile list, 55 bytes each at most
		exhaustive       bool
	}{
		{"a small MaxListMemory", 4 << 20, 2 << 20, 0, 25_000, false},
		{"room for one list", 1 << 20, 1 << 20, 0, 15_000, false},
		{"few records", 4 << 20, 2 << 20, 40, 25_000, false},
		{"the defaults, and lists of 26 MiB", 0, 0, 0, 26 << 20 / 52, true},
	} {
		if c.exhaustive && os.Getenv("CERTAUTH_EXHAUSTIVE") == "" {
			continue
		}
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			hostile := w.partner(t, "hostile")
			entries := manyEntries(c.entries, 20)
			w.net.serve("http://delta.hostile.example", hangingFor(fetch.DefaultCRLTimeout))
			w.net.serve("http://slow", hangingFor(fetch.DefaultOCSPTimeout))
			config := revocation.Config{}
			checker := w.checker(t, leafOnly, func(cfg *revocation.Config) {
				cfg.MaxListMemory, cfg.MaxListBytes, cfg.MaxRecords = c.listMemory, c.list, c.records
				config = *cfg
			})
			budget := int64(64 << 20)
			if config.MaxListMemory > 0 {
				budget = int64(config.MaxListMemory)
			}
			var theirs, ours []caller
			for n := range 30 {
				ca := makeCert(t, fmt.Sprintf("hostile CA %d", n), newKey(t), hostile.root, asCA)
				w.net.serve(fmt.Sprintf("http://crl%d.hostile.example", n), func(context.Context, revocation.Request) (revocation.Response, error) {
					return revocation.Response{Body: w.fatOf(t, ca, entries)}, nil
				})
				for i := range 4 {
					theirs = append(theirs, hostile.callers(t, ca, 1, func(c *x509.Certificate) {
						c.CRLDistributionPoints = []string{fmt.Sprintf("http://crl%d.hostile.example/%d", n, i)}
						if i == 0 {
							c.OCSPServer = []string{fmt.Sprintf("http://slow%d.example/%d", n, i)}
						}
					})...)
				}
			}
			for _, name := range []string{"honest", "upright"} {
				p := w.partner(t, name)
				w.net.serve(p.url(), p.answers(t, ocsptest.StatusGood))
				listURL := "http://crl." + name + ".example/ca.crl"
				w.net.serve(listURL, body(w.smallListOf(t, p.ca)))
				ours = append(ours, p.callers(t, p.ca, 25, func(c *x509.Certificate) { c.OCSPServer = []string{p.url()} })...)
				ours = append(ours, p.callers(t, p.ca, 25, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{listURL} })...)
			}
			before := liveHeap()
			done := make(chan struct{})
			var all sync.WaitGroup
			for _, one := range theirs {
				all.Go(func() {
					for {
						_, _ = checker.CheckChain(t.Context(), one.chain)
						select {
						case <-done:
							return
						case <-time.After(time.Second):
						}
					}
				})
			}
			synctest.Wait() // at this point they hold everything that they can
			var longest atomic.Int64
			var refused atomic.Int64
			var honest sync.WaitGroup
			for i, one := range ours {
				honest.Go(func() {
					time.Sleep(time.Duration(i) * 100 * time.Millisecond) //nolint:forbidigo // inside a bubble
					began := time.Now()
					found, err := checker.CheckChain(t.Context(), one.chain)
					if err != nil || found.Status != isGood {
						refused.Add(1)
						t.Errorf("refused: %v", err)
					}
					for known := longest.Load(); int64(time.Since(began)) > known && !longest.CompareAndSwap(known, int64(time.Since(began))); known = longest.Load() {
					}
					if i%25 == 24 {
						assert.Less(t, liveHeap()-before, budget+64<<20)
					}
				})
			}
			honest.Wait()
			stats := checker.Stats()
			t.Logf("of %d, %d refused; the longest call took %s; %d bytes of lists, %d lists and %d bytes read",
				len(ours), refused.Load(), time.Duration(longest.Load()), stats.ListBytes, stats.CRLFetched, stats.Bytes)
			assert.LessOrEqual(t, time.Duration(longest.Load()), 5*time.Second, "MaxWait")
			assert.Greater(t, checker.Stats().Bytes, uint64(20*c.entries), "of hostile lists were read")
			assert.LessOrEqual(t, int64(checker.Stats().ListBytes), budget)
			close(done)
			all.Wait()
			require.NoError(t, checker.Close())
			runtime.KeepAlive(theirs)
		})
	}
}

// A responder refuses for 50 ms while 200 new clients arrive. Each retries after half a second
// until it is accepted: all are accepted within ten seconds.
func TestFairness_ABlipKeepsNobodyOutForLong(t *testing.T) {
	for name, failure := range map[string]error{
		"refused": revocation.ErrTransport, "429": fetch.HTTPStatusError{Status: 429}, "503": fetch.HTTPStatusError{Status: 503},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			began := time.Now()
			good := w.responder(t, ocsptest.StatusGood)
			w.net.serve(ocspURL, func(ctx context.Context, r revocation.Request) (revocation.Response, error) {
				if time.Since(began) < 50*time.Millisecond {
					time.Sleep(5 * time.Millisecond) //nolint:forbidigo // inside a bubble
					return revocation.Response{}, failure
				}
				return good(ctx, r)
			})
			checker := w.checker(t, ocspOnly, func(c *revocation.Config) {
				c.Now = func() time.Time { return now.Add(time.Since(began)) }
			})
			var all sync.WaitGroup
			for i := range 200 {
				client := w.issue(t, "client")
				all.Go(func() {
					time.Sleep(time.Duration(i%50) * time.Millisecond) //nolint:forbidigo // inside a bubble
					for {
						found, err := checker.CheckChain(t.Context(), w.chain(client))
						if err == nil && found.Status == isGood {
							break
						}
						if !errors.Is(err, failure) && !errors.Is(err, revocation.ErrBreakerOpen) {
							t.Errorf("refused for %v", err)
							return
						}
						time.Sleep(500 * time.Millisecond) //nolint:forbidigo // inside a bubble
					}
					assert.LessOrEqual(t, time.Since(began), 10*time.Second)
				})
			}
			all.Wait()
			t.Logf("all were let in after %s, with %d fetches", time.Since(began), w.net.total())
		})
	}
}

// finding K47: a partner could issue as many certificates, or name as many lists in them, as all
// partners together may have in memory, so that what was known of another partner was forgotten. Its
// clients then had to wait for their sources, and were refused while those failed.
func TestFairness_AHostilePartnerDisplacesNothingOfOthers(t *testing.T) {
	inBubble(t, "records", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.MaxRecords = 160 })
		hostile := w.partner(t, "hostile")
		var ours []*identity
		for range 10 {
			one := w.issue(t, "honest")
			w.says(t, checker, one, isGood, nil)
			ours = append(ours, one)
		}
		w.net.serve(hostile.url(), hostile.answers(t, ocsptest.StatusGood))
		w.clock.advance(time.Minute)
		for i := range 800 {
			if i == 400 { // from now on what the hostile partner has is what should stay
				w.net.serve(hostile.url(), hostile.answers(t, revokedAt(now, keyCompromise)))
			}
			_, err := hostile.check(t, checker, hostile.client(t))
			require.NoError(t, err)
		}
		w.outage()
		for _, one := range ours {
			w.says(t, checker, one, isGood, nil)
		}
	})
	inBubble(t, "lists", func(t *testing.T) {
		w := wire(t)
		checker := w.checker(t, crlOnly)
		w.says(t, checker, w.client, isGood, nil)
		hostile := w.partner(t, "hostile")
		w.net.serve("http://crl.hostile.example", body(w.smallListOf(t, hostile.ca)))
		w.clock.advance(time.Minute)
		for i := range 1100 {
			one := hostile.client(t, noResponder, func(c *x509.Certificate) {
				c.CRLDistributionPoints = []string{fmt.Sprintf("http://crl.hostile.example/%d", i)}
			})
			_, err := hostile.check(t, checker, one)
			require.NoError(t, err)
		}
		w.outage()
		w.says(t, checker, w.issue(t, "another"), isGood, nil)
	})
}
