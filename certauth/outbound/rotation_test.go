package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/outbound"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// Requests continue in several goroutines while the certificate is replaced ten times. None fails, and the first
// request after each Reload uses the new certificate. CERTAUTH_EXHAUSTIVE=1 makes it 10 000 requests.
func TestRotation_UnderLoadNoRequestFails(t *testing.T) {
	rotations, requests := 10, 400
	if os.Getenv("CERTAUTH_EXHAUSTIVE") == "1" {
		requests = 10_000
	}
	for _, tc := range []struct {
		name string
		base *http.Transport
	}{{"HTTP/1.1", http1()}, {"HTTP/2", nil}} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "orders")
			d := w.serve(t, nil, nil)
			own := open(t, w.config())
			c := client(t, own, tc.base)
			var begun, failed atomic.Int64
			var next sync.Cond
			next.L = &sync.Mutex{}
			allowed := int64(0) // requests that may begin, so that there is traffic during every rotation
			var workers sync.WaitGroup
			for range 8 {
				workers.Go(func() {
					for {
						n := begun.Add(1)
						if n > int64(requests) {
							return
						}
						next.L.Lock()
						for n > allowed {
							next.Wait()
						}
						next.L.Unlock()
						if body, _, err := get(t, c, d.URL); err != nil || body != "orders" {
							failed.Add(1)
							t.Errorf("request %d: %q, %v", n, body, err)
						}
					}
				})
			}
			for i := 1; i <= rotations; i++ {
				next.L.Lock()
				allowed = int64(requests * i / rotations)
				next.L.Unlock()
				next.Broadcast()
				leaf := w.put(t, "orders")
				require.NoError(t, own.Reload(t.Context()))
				_, response, err := get(t, c, d.URL)
				require.NoError(t, err)
				require.NotNil(t, response.TLS)
				seen := d.seen()
				assert.Contains(t, seen, fingerprint(leaf.Certificate), "rotation %d", i)
			}
			workers.Wait()
			assert.Zero(t, failed.Load())
			assert.Len(t, d.seen(), requests+rotations)
			assert.Len(t, w.journal.of(outbound.OutcomeLoaded), rotations+1)
			assert.Empty(t, w.journal.of(outbound.OutcomeRefused))
		})
	}
}

// CloseIdleConnections never affects a busy HTTP/2 connection. Here one request stays open during three rotations. The
// others move to new connections at once, and the old connection ends with its last request.
func TestRotation_BusyHTTP2ConnectionIsLeft(t *testing.T) {
	w := newWorld(t)
	first := w.put(t, "orders")
	release := make(chan struct{})
	var connections sync.Map // remote addresses
	d := w.serve(t, nil, func(rw http.ResponseWriter, r *http.Request) {
		connections.Store(r.RemoteAddr, fingerprint(r.TLS.PeerCertificates[0]))
		if r.URL.Path == "/stream" {
			rw.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(rw).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		fmt.Fprint(rw, fingerprint(r.TLS.PeerCertificates[0]), r.RemoteAddr)
	})
	own := open(t, w.config())
	c := client(t, own, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL+"/stream", http.NoBody)
	require.NoError(t, err)
	stream, err := c.Do(request)
	require.NoError(t, err)
	defer stream.Body.Close()
	before, _, err := get(t, c, d.URL)
	require.NoError(t, err)
	assert.Contains(t, before, fingerprint(first.Certificate))
	last := before
	for range 3 {
		leaf := w.put(t, "orders")
		require.NoError(t, own.Reload(t.Context()))
		for range 3 {
			now, _, err := get(t, c, d.URL)
			require.NoError(t, err)
			assert.Contains(t, now, fingerprint(leaf.Certificate))
			assert.NotEqual(t, last[64:], now[64:], "the request must have its own connection")
		}
		last, _, err = get(t, c, d.URL)
		require.NoError(t, err)
	}
	assert.Equal(t, 2, d.open(), "no intermediate connection is kept")
	close(release)
	rest, err := io.ReadAll(stream.Body)
	require.NoError(t, err)
	assert.Equal(t, before, string(rest), "the stream must end on the connection and with the certificate with which it began")
	count := 0
	connections.Range(func(_, _ any) bool { count++; return true })
	assert.Equal(t, 4, count)
	eventually(t, func() bool { return d.open() == 1 })
}

// An old key must become unreachable: no session, connection or closure may hold a reference to it.
func TestRotation_OldKeyIsDropped(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	own := open(t, w.config())
	c, config := client(t, own, nil), own.TLSConfig("127.0.0.1")
	dropped := make(chan struct{})
	watchKey(t, own, dropped)
	_, _, err := get(t, c, d.URL)
	require.NoError(t, err)
	require.NoError(t, dial(d, config))

	w.put(t, "orders")
	require.NoError(t, own.Reload(t.Context()))
	_, _, err = get(t, c, d.URL)
	require.NoError(t, err)
	eventually(t, func() bool {
		runtime.GC()
		select {
		case <-dropped:
			return true
		default:
			return false
		}
	})
}

// inBubble runs f in a bubble with the world's certificate in a Fetch.
func inBubble(t *testing.T, f func(t *testing.T, w *world, s *secret)) {
	t.Helper()
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := &secret{}
		s.set(bundle(t, issue(t, w.clients, "orders")), nil)
		f(t, w, s)
	})
}

func TestRotation_LocalFilesAreSeenWithinFiveSeconds(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(t, "orders")
		config := w.config()
		config.Interval = 0
		own := open(t, config)
		for range 5 {
			leaf := w.put(t, "orders")
			time.Sleep(5 * time.Second) //nolint:forbidigo // in a bubble
			synctest.Wait()
			assert.Equal(t, fingerprint(leaf.Certificate), own.Status().Fingerprint)
		}
		assert.Len(t, w.journal.of(outbound.OutcomeLoaded), 6)
		require.NoError(t, own.Close())
	})
}

func TestRotation_AFailedFetchIsTriedAgainAndReported(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, s *secret) {
		own := open(t, outbound.Config{Source: outbound.Fetch(s.fetch), Observe: w.journal.observe})
		before := own.Status().Fingerprint
		down := errors.New("no route to the vault")
		s.set(nil, down)
		begun := s.count()
		time.Sleep(time.Hour) //nolint:forbidigo // in a bubble
		synctest.Wait()
		status := own.Status()
		assert.Equal(t, before, status.Fingerprint)
		assert.True(t, status.Usable)
		assert.Equal(t, outbound.ReasonSourceUnavailable, status.Reason)
		kept := w.journal.of(outbound.OutcomeKept)
		require.NotEmpty(t, kept)
		require.ErrorIs(t, kept[0].Err, down)
		assert.Equal(t, before, kept[0].Fingerprint)
		// First after a sixteenth of 15 minutes, then after twice as long each time: about 8 attempts
		// per hour, not 4 and not 60.
		assert.Greater(t, s.count()-begun, 5)
		assert.Less(t, s.count()-begun, 12)

		next := issue(t, w.clients, "orders")
		s.set(bundle(t, next), nil)
		time.Sleep(15 * time.Minute) //nolint:forbidigo // in a bubble
		synctest.Wait()
		assert.Equal(t, fingerprint(next.Certificate), own.Status().Fingerprint)
		assert.Empty(t, own.Status().Reason)
		require.NoError(t, own.Close())
	})
}

func TestRotation_AFetchThatPanicsOrHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, s *secret) {
		var behave atomic.Pointer[func(context.Context)]
		release := make(chan struct{})
		fetch := func(ctx context.Context) (string, []byte, error) {
			if f := behave.Load(); f != nil {
				(*f)(ctx)
			}
			return s.fetch(ctx)
		}
		own := open(t, outbound.Config{Source: outbound.Fetch(fetch), Observe: w.journal.observe})
		before := own.Status().Fingerprint
		s.set(bundle(t, issue(t, w.clients, "orders")), nil)

		panics := func(context.Context) { panic("the secret is hunter2") }
		behave.Store(&panics)
		err := own.Reload(t.Context())
		reasonIs(t, err, outbound.ReasonSourceUnavailable)
		assert.NotContains(t, err.Error(), "hunter2")
		bug := func(context.Context) { _ = []int{}[s.count()*0] }
		behave.Store(&bug)
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonSourceUnavailable)

		hangs := func(context.Context) { <-release } // ignoring the context
		behave.Store(&hangs)
		began := time.Now()
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonSourceUnavailable)
		assert.Equal(t, 30*time.Second, time.Since(began))
		began = time.Now()
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonSourceUnavailable)
		assert.Zero(t, time.Since(began), "a second read while another one hangs")
		assert.Equal(t, before, own.Status().Fingerprint)
		assert.True(t, own.Status().Usable)

		behave.Store(nil)
		close(release)
		synctest.Wait()
		require.NoError(t, own.Reload(t.Context()))
		assert.NotEqual(t, before, own.Status().Fingerprint)
		require.NoError(t, own.Close())
	})
}

// finding O60: of ServerRoots that hang, the error named Source, and the hint for any source that hangs was to look whether
// it exists.
func TestReload_NamesTheSourceThatHangs(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.put(t, "orders")
		release := make(chan struct{})
		var hangs atomic.Pointer[string]
		fetch := func(name string, data func() []byte) outbound.Fetch {
			return func(context.Context) (string, []byte, error) {
				if what := hangs.Load(); what != nil && *what == name {
					<-release // ignoring the context
				}
				return "", data(), nil
			}
		}
		own := open(t, outbound.Config{
			Source: outbound.File{Path: w.path("tls.pem")},
			Password: func(ctx context.Context) (string, error) {
				_, _, err := fetch("Password", func() []byte { return nil })(ctx)
				return "", err
			},
			ServerRoots: fetch("ServerRoots", w.servers.PEM),
		})
		for name, rule := range map[string]string{"Password": "Source.File", "ServerRoots": "ServerRoots.Fetch"} {
			hangs.Store(&name)
			for _, detail := range []string{"no answer in time", "the previous reading has not returned yet"} {
				e := reasonIs(t, own.Reload(t.Context()), outbound.ReasonSourceUnavailable)
				assert.Equal(t, rule, e.Rule)
				assert.Contains(t, e.Error(), detail)
				assert.Contains(t, e.Hint, "answer?")
			}
			hangs.Store(nil)
			release <- struct{}{}
			synctest.Wait()
			require.NoError(t, own.Reload(t.Context()))
		}
		require.NoError(t, own.Close())
	})
}

func TestOpen_GivesUpWithItsContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := outbound.Open(ctx, outbound.Config{Source: outbound.Fetch(func(context.Context) (string, []byte, error) {
			<-release
			return "", nil, nil
		})})
		reasonIs(t, err, outbound.ReasonSourceUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(release)
	})
}

// A bubble ends only when all goroutines in it have ended.
func TestClose_LeavesNoGoroutine(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *world, s *secret) {
		fetching := make(chan struct{}, 1)
		own, err := outbound.Open(t.Context(), outbound.Config{Source: outbound.Fetch(func(ctx context.Context) (string, []byte, error) {
			if own := len(fetching); own > 0 {
				<-ctx.Done() // until Close
				return "", nil, ctx.Err()
			}
			return s.fetch(ctx)
		}), Interval: time.Second})
		require.NoError(t, err)
		fetching <- struct{}{}
		time.Sleep(10 * time.Second) //nolint:forbidigo // in a bubble
		began := time.Now()
		require.NoError(t, own.Close())
		assert.Zero(t, time.Since(began), "Close waits for a source")
		require.NoError(t, own.Close())
		reasonIs(t, own.Reload(t.Context()), outbound.ReasonClosed)
	})
}

func TestExpiry_WarningsAhead(t *testing.T) {
	for _, tc := range []struct {
		name     string
		lifetime time.Duration
		want     []time.Duration // before NotAfter
	}{
		{"a year", 365 * day, []time.Duration{30 * day, 7 * day, day, 0}},
		{"a fortnight", 14 * day, []time.Duration{7 * day, day, 0}},
		{"a day, as for workloads", day, []time.Duration{6 * time.Hour, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, w *world, s *secret) {
				start := time.Now()
				leaf := issue(t, w.clients, "orders", certauthtest.Valid(start, start.Add(tc.lifetime)))
				s.set(bundle(t, leaf), nil)
				own := open(t, outbound.Config{Source: outbound.Fetch(s.fetch), Observe: w.journal.observe})
				time.Sleep(tc.lifetime + time.Hour) //nolint:forbidigo // in a bubble
				synctest.Wait()
				warnings := w.journal.of(outbound.OutcomeWarned)
				require.Len(t, warnings, len(tc.want))
				for i, ahead := range tc.want {
					due := leaf.NotAfter.Add(-ahead)
					assert.False(t, warnings[i].Time.Before(due), "%s: warned at %s", ahead, warnings[i].Time)
					assert.True(t, warnings[i].Time.Before(due.Add(16*time.Minute)), "%s: warned at %s", ahead, warnings[i].Time)
					want := outbound.ReasonExpiring
					if ahead == 0 {
						want = outbound.ReasonCertificateExpired
					}
					assert.Equal(t, want, warnings[i].Reason())
					assert.Contains(t, warnings[i].Err.Hint, "renew ", "finding O65: it asked a question") // and named no step
				}
				require.NoError(t, own.Close())
			})
		})
	}
}

// finding O43: no warning came before an intermediate expired, which is then no longer presented, so that a server that
// does not know it refuses the certificate.
func TestExpiry_WarnsOfTheIntermediateThatExpiresFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, s *secret) {
		start := time.Now()
		issuing := w.clients.NewIntermediate(t, "Issuing", certauthtest.Valid(start, start.Add(365*day)))
		short := w.clients.NewIntermediate(t, "Short", certauthtest.Valid(start, start.Add(40*day)))
		leaf := issue(t, issuing, "orders", certauthtest.Valid(start, start.Add(300*day)))
		s.set(bundle(t, issue(t, short, "orders", certauthtest.Valid(start, start.Add(100*day))), short.Certificate), nil)
		own := open(t, outbound.Config{Source: outbound.Fetch(s.fetch), Observe: w.journal.observe})
		time.Sleep(39*day + time.Hour) //nolint:forbidigo // in a bubble
		synctest.Wait()
		warnings := w.journal.of(outbound.OutcomeWarned)
		require.Len(t, warnings, 2, "its life is too short for a warning 30 days ahead")
		for i, ahead := range []time.Duration{7 * day, day} {
			assert.Equal(t, outbound.ReasonExpiring, warnings[i].Reason())
			assert.Contains(t, warnings[i].Err.Error(), `"CN=Short`)
			assert.Contains(t, warnings[i].Err.Hint, "next certificate")
			assert.WithinDuration(t, start.Add(40*day-ahead), warnings[i].Time, 16*time.Minute)
		}
		s.set(bundle(t, leaf, issuing.Certificate), nil)
		time.Sleep(2 * day) //nolint:forbidigo // in a bubble
		synctest.Wait()
		assert.Len(t, w.journal.of(outbound.OutcomeWarned), 2, "the renewed chain lasts")
		require.NoError(t, own.Close())
	})
}

// finding O7: after the clock had been ahead once, the warnings before the expiry did not come any more.
func TestExpiry_WarnsAgainAfterTheClockWasAhead(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, s *secret) {
		leaf := issue(t, w.clients, "orders", certauthtest.Valid(time.Now(), time.Now().Add(100*day)))
		s.set(bundle(t, leaf), nil)
		var ahead atomic.Int64
		own := open(t, outbound.Config{
			Source: outbound.Fetch(s.fetch), Observe: w.journal.observe,
			Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		})
		ahead.Store(int64(200 * day))
		time.Sleep(time.Hour) //nolint:forbidigo // in a bubble
		ahead.Store(0)
		time.Sleep(101 * day) //nolint:forbidigo // in a bubble
		synctest.Wait()
		var reasons []outbound.Reason
		for _, event := range w.journal.of(outbound.OutcomeWarned) {
			reasons = append(reasons, event.Reason())
		}
		assert.Equal(t, []outbound.Reason{
			outbound.ReasonCertificateExpired, outbound.ReasonExpiring, outbound.ReasonExpiring, outbound.ReasonExpiring, outbound.ReasonCertificateExpired,
		}, reasons)
		require.NoError(t, own.Close())
	})
}

// finding O8: a clock that panicked ended the process, because loads and handshakes run in goroutines of their own.
func TestNow_AClockThatPanicsEndsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, w *world, s *secret) {
		s.set(bundle(t, issue(t, w.clients, "orders", certauthtest.Valid(time.Now(), time.Now().Add(day)))), nil)
		own := open(t, outbound.Config{Source: outbound.Fetch(s.fetch), Now: func() time.Time { panic("clock") }})
		time.Sleep(time.Hour) //nolint:forbidigo // in a bubble
		synctest.Wait()
		assert.Positive(t, s.count())
		_, err := own.GetClientCertificate(asking())
		require.NoError(t, err)
		time.Sleep(day) //nolint:forbidigo // in a bubble
		_, err = own.GetClientCertificate(asking())
		reasonIs(t, err, outbound.ReasonCertificateExpired)
		require.NoError(t, own.Close())
	})
}

// A clock that jumps ahead makes a reload choose a certificate that is not yet valid. After the clock is corrected,
// it must choose again although no file has changed.
func TestRotation_ClockSteps(t *testing.T) {
	w := newWorld(t)
	start := time.Now()
	older := issue(t, w.clients, "orders", certauthtest.Valid(start.Add(-day), start.Add(50*day)))
	newer := issue(t, w.clients, "orders", certauthtest.Valid(start.Add(20*day), start.Add(90*day)))
	require.NoError(t, os.Mkdir(w.path("certs"), 0o700))
	write(t, filepath.Join(w.path("certs"), "a.pem"), bundle(t, older))
	write(t, filepath.Join(w.path("certs"), "b.pem"), bundle(t, newer))
	var offset atomic.Int64
	own := open(t, outbound.Config{
		Source: outbound.Directory{Path: w.path("certs")}, Interval: time.Hour,
		Now: func() time.Time { return start.Add(time.Duration(offset.Load())) },
	})
	for _, tc := range []struct {
		name   string
		ahead  time.Duration
		want   *certauthtest.Certificate
		usable bool
	}{
		{"now", 0, older, true},
		{"the second is valid too", 20 * day, newer, true},
		{"set back", time.Hour, older, true},
		{"far ahead, all have expired", 1000 * day, older, false},
		{"set back again", 2 * time.Hour, older, true},
		{"ahead, into the time of the second alone", 60 * day, newer, true},
		{"back before all of them", -10 * day, newer, true}, // nothing else is better; it stays
		{"right again", 3 * time.Hour, older, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			offset.Store(int64(tc.ahead))
			_ = own.Reload(t.Context())
			assert.Equal(t, fingerprint(tc.want.Certificate), own.Status().Fingerprint)
			assert.Equal(t, tc.usable, own.Status().Usable)
		})
	}
}

func TestReload_ReportsRepeatedFailuresEverMoreRarely(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	config := w.config()
	records := &records{}
	config.Logger = records.logger()
	own := open(t, config)
	replace(t, w.path("tls.pem"), []byte("nothing"))
	for range 100 {
		require.Error(t, own.Reload(t.Context()))
	}
	assert.Len(t, w.journal.of(outbound.OutcomeKept), 100)
	assert.Equal(t, 7, records.count("outbound: kept"), "at 1, 2, 4, 8, 16, 32, 64")
}

// finding N172: after a failure nothing said that the certificate in use can be read again, as after a rollback.
func TestReload_ReportsThatAFailureIsRepaired(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	own := open(t, w.config())
	good, err := os.ReadFile(w.path("tls.pem"))
	require.NoError(t, err)
	for range 2 {
		replace(t, w.path("tls.pem"), []byte("nothing"))
		require.Error(t, own.Reload(t.Context()))
		replace(t, w.path("tls.pem"), good)
		require.NoError(t, own.Reload(t.Context()))
		require.NoError(t, own.Reload(t.Context()))
	}
	assert.Len(t, w.journal.of(outbound.OutcomeKept), 2)
	assert.Len(t, w.journal.of(outbound.OutcomeLoaded), 1+2, "that of Open, and one after each failure")
}

// Idle connections are closed when the certificate is replaced, and not only with the next request.
func TestRotation_IdleConnectionsEndAtOnce(t *testing.T) {
	for name, base := range map[string]*http.Transport{"HTTP/1.1": http1(), "HTTP/2": nil} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.put(t, "orders")
			d := w.serve(t, nil, nil)
			own := open(t, w.config())
			_, _, err := get(t, client(t, own, base), d.URL)
			require.NoError(t, err)
			assert.Equal(t, 1, d.open())
			require.NoError(t, own.Reload(t.Context()))
			assert.Equal(t, 1, d.open(), "nothing was replaced")
			w.put(t, "orders")
			require.NoError(t, own.Reload(t.Context()))
			eventually(t, func() bool { return d.open() == 0 })
		})
	}
}

// After 101 Switching Protocols the body is the connection. It survives a rotation, and one direction may end before the
// other.
func TestRotation_UpgradedConnectionGoesOn(t *testing.T) {
	w := newWorld(t)
	first := w.put(t, "orders")
	d := w.serve(t, nil, func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			return
		}
		conn, both, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = both.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = both.Flush()
		_, _ = io.Copy(conn, both)
	})
	own := open(t, w.config())
	c := client(t, own, http1())
	c.Timeout = 0 // http.Client with a timeout hides the writer
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.URL, http.NoBody)
	require.NoError(t, err)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "echo")
	response, err := c.Do(request)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	stream, ok := response.Body.(io.ReadWriteCloser)
	require.True(t, ok, "%T", response.Body)
	echo := func(text string) {
		_, err := io.WriteString(stream, text)
		require.NoError(t, err)
		answer := make([]byte, len(text))
		_, err = io.ReadFull(stream, answer)
		require.NoError(t, err)
		assert.Equal(t, text, string(answer))
	}
	echo("before")
	second := w.put(t, "orders")
	require.NoError(t, own.Reload(t.Context()))
	_, _, err = get(t, c, d.URL)
	require.NoError(t, err)
	echo("after")
	require.NoError(t, stream.Close())
	assert.Equal(t, []string{fingerprint(first.Certificate), fingerprint(second.Certificate)}, d.seen())
}

func TestClose_DropsTheKey(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	own := open(t, w.config())
	c, config := client(t, own, nil), own.TLSConfig("127.0.0.1")
	dropped := make(chan struct{})
	watchKey(t, own, dropped)
	_, _, err := get(t, c, d.URL)
	require.NoError(t, err)
	require.NoError(t, own.Close())
	eventually(t, func() bool {
		runtime.GC()
		select {
		case <-dropped:
			return true
		default:
			return false
		}
	})
	runtime.KeepAlive(own)
	runtime.KeepAlive(c)
	runtime.KeepAlive(config)
}

func TestObserve_APanicStaysThere(t *testing.T) {
	w := newWorld(t)
	w.put(t, "orders")
	d := w.serve(t, nil, nil)
	config := w.config()
	config.Observe = func(outbound.Event) { panic("observer") }
	logged := &records{}
	config.Logger = logged.logger()
	own := open(t, config)
	w.put(t, "orders")
	require.NoError(t, own.Reload(t.Context()))
	body, _, err := get(t, client(t, own, nil), d.URL)
	require.NoError(t, err)
	assert.Equal(t, "orders", body)
	assert.Equal(t, 2, logged.count("outbound: loaded"), "the logger must be informed all the same")
}
