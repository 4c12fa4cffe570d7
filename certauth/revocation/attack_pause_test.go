package revocation_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

const configuredURL = "http://lists.internal.example/ca.crl"

// MaxWait is how long one chain waits, for lists and responders together.
func TestAttack_MaxWaitCoversTheListsToo(t *testing.T) {
	inBubble(t, "small MaxWait", func(t *testing.T) {
		w := wire(t)
		w.net.serve(configuredURL, body(encode(t, w.listAt(now, now.Add(5*day)))))
		checker := w.operated(t, revocation.List{URL: configuredURL}, func(c *revocation.Config) { c.MaxWait = 100 * time.Millisecond })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(configuredURL, hanging)
		w.clock.advance(day)
		began := time.Now()
		_, err := w.check(t, checker)
		require.NoError(t, err)
		assert.LessOrEqual(t, time.Since(began), 100*time.Millisecond)
		require.NoError(t, checker.Close())
	})
	inBubble(t, "default MaxWait", func(t *testing.T) {
		w := wire(t)
		w.net.serve(configuredURL, body(encode(t, w.listAt(now, now.Add(5*day)))))
		checker := w.operated(t, revocation.List{URL: configuredURL}, func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(configuredURL, hanging)
		w.net.serve(ocspURL, hanging)
		w.net.serve(crlURL, hanging)
		w.clock.advance(2 * day)
		began := time.Now()
		_, _ = w.check(t, checker)
		assert.LessOrEqual(t, time.Since(began), 5*time.Second)
		require.NoError(t, checker.Close())
	})
}

// besideURL returns a checker with the scene's list in a file and another partner's at a URL, and
// the path of the file. Both have been read.
func (w *wired) besideURL(t *testing.T) (*revocation.Checker, string) {
	t.Helper()
	p := w.partner(t, "slow")
	path := filepath.Join(t.TempDir(), "ca.crl")
	write(t, path, encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(5*day))))
	theirs := w.listAt(now, now.Add(5*day))
	theirs.Issuer, theirs.Key = p.ca.cert.RawSubject, p.ca.key
	theirs.Extensions = []ocsptest.Extension{ocsptest.AuthorityKeyID(p.ca.cert.SubjectKeyId), ocsptest.CRLNumber(1)}
	w.net.serve(configuredURL, body(encode(t, theirs)))
	checker := w.checker(t, leafOnly, func(c *revocation.Config) {
		c.Lists, c.Issuers, c.IgnoreCertificateURLs = []revocation.List{{URL: configuredURL}, {File: path}}, certs(w.ca, p.ca), true
	})
	w.says(t, checker, w.client, isGood, nil)
	return checker, path
}

// A hanging URL does not hide an existing file.
func TestAttack_HangingURLHidesNoFile(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		checker, path := w.besideURL(t)
		w.net.serve(configuredURL, func(ctx context.Context, _ revocation.Request) (revocation.Response, error) {
			select { // CRLTimeout
			case <-time.After(30 * time.Second):
			case <-ctx.Done():
			}
			return revocation.Response{}, revocation.ErrTimeout
		})
		w.clock.advance(10 * time.Hour)
		write(t, path, encode(t, w.listAt(now.Add(9*time.Hour), now.Add(5*day), entryFor(w.client)))) // an hour ago
		found, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Equal(t, isRevoked, found.Status)
		require.NoError(t, checker.Close())
	})
}

// A delay between reading the clock and looking up the lists is not a clock that went back: the
// request does not wait, because there was no pause.
func TestAttack_RequestThatIsHeldUpIsNoClockThatWentBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		publish := func() handler {
			return func(context.Context, revocation.Request) (revocation.Response, error) {
				at := w.clock.now()
				return revocation.Response{Body: encode(t, w.listAt(at, at.Add(4*time.Minute)))}, nil
			}
		}
		w.net.serve(configuredURL, publish())
		var mu sync.Mutex
		var hold, held chan struct{}
		checker := w.operated(t, revocation.List{URL: configuredURL}, func(c *revocation.Config) {
			c.Now = func() time.Time {
				at := w.clock.now()
				mu.Lock()
				h, g := hold, held
				hold, held = nil, nil
				mu.Unlock()
				if h != nil {
					close(g)
					<-h
				}
				return at
			}
		})
		for range 12 { // never a pause
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(10 * time.Second)
		}
		w.net.serve(configuredURL, hanging) // a renewal is due by now, nothing has expired
		w.clock.advance(time.Second)
		h, g := make(chan struct{}), make(chan struct{})
		mu.Lock()
		hold, held = h, g
		mu.Unlock()
		began := time.Now()
		var all sync.WaitGroup
		all.Go(func() {
			_, err := w.check(t, checker)
			assert.NoError(t, err)
		})
		<-g
		w.clock.advance(time.Microsecond)
		_, err := w.check(t, checker) // B
		require.NoError(t, err)
		assert.Zero(t, time.Since(began), "B")
		close(h)
		synctest.Wait()
		for range 5 {
			all.Go(func() {
				_, err := w.check(t, checker)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		assert.Zero(t, time.Since(began), "no request has to wait, because there was no pause")
		require.NoError(t, checker.Close())
	})
}

// finding K234: a Fetcher that panicked counted as an answer of the host, and ended its outage and its pauses.
func TestChecker_APanicOfTheFetcherIsNoAnswer(t *testing.T) {
	for url, source := range map[string]revocation.Sources{ocspURL: revocation.OCSPOnly, crlURL: revocation.CRLOnly} {
		inBubble(t, url, func(t *testing.T) {
			w, ends := wire(t), 0
			checker := w.checker(t, leafOnly, sources(source), func(c *revocation.Config) {
				c.Observe = func(_ context.Context, e revocation.Event) {
					if e.Over {
						ends++
					}
				}
			})
			for n := range 8 {
				w.net.serve(url, failing(revocation.ErrTransport))
				if n == 6 {
					w.net.serve(url, func(context.Context, revocation.Request) (revocation.Response, error) { panic("odd") })
				}
				_, err := checker.CheckChain(t.Context(), w.chain(w.issue(t, "another")))
				require.Error(t, err)
				synctest.Wait()
				w.clock.advance(6 * time.Minute)
			}
			assert.Zero(t, ends)
			assert.Len(t, checker.Stats().OpenBreakers, 1)
		})
	}
}
