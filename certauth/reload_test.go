package certauth_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

// clock is a clock that the test sets.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// replaceFile replaces a file as an operator should.
func replaceFile(t *testing.T, path string, content []byte) {
	t.Helper()
	next := path + ".next"
	require.NoError(t, os.WriteFile(next, content, 0o600))
	require.NoError(t, os.Rename(next, path))
}

func thumbprint(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return hex.EncodeToString(sum[:])
}

// rotation is a service whose roots are in a file, with one client for each of two CAs.
type rotation struct {
	oldCA, newCA         *certauthtest.CA
	oldClient, newClient *certauthtest.Certificate
	file                 string
	clock                *clock
	auth                 *certauth.Authenticator

	mutex  sync.Mutex
	events []certauth.Event
	client *certauthtest.Certificate // the current caller
}

func newRotation(t *testing.T) *rotation {
	t.Helper()
	s := &rotation{
		oldCA: certauthtest.NewCA(t, "Old CA"), newCA: certauthtest.NewCA(t, "New CA"),
		file: filepath.Join(t.TempDir(), "roots.pem"), clock: newClock(),
	}
	s.oldClient, s.newClient = s.oldCA.Issue(t, "client"), s.newCA.Issue(t, "client")
	require.NoError(t, os.WriteFile(s.file, s.oldCA.PEM(), 0o600))
	auth, err := certauth.New(certauth.Config{
		Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{s.client.Certificate}, nil
		}},
		Policy: certauth.Chain{Roots: certauth.PEMFile(s.file)},
		Now:    s.clock.now,
		Observe: func(_ context.Context, e certauth.Event) {
			s.mutex.Lock()
			s.events = append(s.events, e)
			s.mutex.Unlock()
		},
	})
	require.NoError(t, err)
	s.auth = auth
	return s
}

func (s *rotation) accepts(client *certauthtest.Certificate) bool {
	s.client = client
	_, err := s.auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	return err == nil
}

// outcomes returns the reported outcomes of reloads since the last call.
func (s *rotation) outcomes() []certauth.Outcome {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var list []certauth.Outcome
	for _, e := range s.events {
		list = append(list, e.Outcome)
	}
	s.events = nil
	return list
}

func TestReload_RemovedRootDeniesTheNextRequest(t *testing.T) {
	s := newRotation(t)
	require.True(t, s.accepts(s.oldClient))
	require.False(t, s.accepts(s.newClient))
	replaceFile(t, s.file, s.newCA.PEM())
	require.NoError(t, s.auth.Reload(t.Context()))
	assert.False(t, s.accepts(s.oldClient))
	assert.True(t, s.accepts(s.newClient))
	assert.Equal(t, []certauth.Outcome{"reloaded"}, s.outcomes())
}

func TestReload_OverlappingCAsBothAccepted(t *testing.T) {
	s := newRotation(t)
	replaceFile(t, s.file, append(s.oldCA.PEM(), s.newCA.PEM()...))
	require.NoError(t, s.auth.Reload(t.Context()))
	assert.True(t, s.accepts(s.oldClient))
	assert.True(t, s.accepts(s.newClient))
}

// CVE-2026-27586 Caddy; kubernetes #119483: after a bad file, trust was empty, or was kept without
// a report.
func TestReload_BadFileKeepsLastGoodAndReports(t *testing.T) {
	damaged := func(s *rotation) []byte {
		content := append(s.newCA.PEM(), s.oldCA.PEM()...)
		content[60] = '!'
		return content
	}
	for _, tc := range []struct {
		name    string
		content func(*rotation) []byte
	}{
		{"an empty file", func(*rotation) []byte { return nil }},
		{"text", func(*rotation) []byte { return []byte("not yet there") }},
		{"one damaged block of two", damaged},
		{"a truncated block", func(s *rotation) []byte { return s.newCA.PEM()[:200] }},
		{"a client certificate instead of a CA", func(s *rotation) []byte { return s.newClient.PEM() }},
		{"a private key beside the CA", func(s *rotation) []byte { return append(s.newCA.PEM(), s.newClient.KeyPEM(t)...) }},
		{"DER", func(s *rotation) []byte { return s.newCA.Certificate.Raw }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newRotation(t)
			replaceFile(t, s.file, tc.content(s))
			require.ErrorContains(t, s.auth.Reload(t.Context()), "Policy.Chain.Roots: ")
			assert.True(t, s.accepts(s.oldClient), "the last good set stays")
			assert.False(t, s.accepts(s.newClient))
			assert.Equal(t, []certauth.Outcome{"kept"}, s.outcomes())

			replaceFile(t, s.file, s.newCA.PEM())
			require.NoError(t, s.auth.Reload(t.Context()), "a good file after a bad one is used")
			assert.True(t, s.accepts(s.newClient))
			assert.False(t, s.accepts(s.oldClient))
		})
	}
	t.Run("a file that is gone", func(t *testing.T) {
		s := newRotation(t)
		require.NoError(t, os.Remove(s.file))
		require.ErrorIs(t, s.auth.Reload(t.Context()), os.ErrNotExist)
		assert.True(t, s.accepts(s.oldClient))
		assert.Equal(t, []certauth.Outcome{"kept"}, s.outcomes())
	})
}

// grpc-go's watcher; aerospike #644.
func TestReload_OneBadFileDoesNotBlockTheOthers(t *testing.T) {
	s := newRotation(t)
	second := filepath.Join(t.TempDir(), "pins.txt")
	require.NoError(t, os.WriteFile(second, []byte(thumbprint(s.oldClient.Certificate)+"\n"), 0o600))
	caller := s.oldClient
	auth, err := certauth.New(certauth.Config{
		Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) {
			return []*x509.Certificate{caller.Certificate}, nil
		}},
		Policy: certauth.Any{
			certauth.Chain{Roots: certauth.PEMFile(s.file)},
			certauth.ThumbprintsFrom(certauth.PinFile(second)),
		},
	})
	require.NoError(t, err)
	replaceFile(t, s.file, []byte("broken"))
	replaceFile(t, second, []byte(thumbprint(s.newClient.Certificate)+" # partner, 2026\n\n"))
	err = auth.Reload(t.Context())
	require.ErrorContains(t, err, "Policy.Any[0].Chain.Roots: ")
	require.NotContains(t, err.Error(), "Any[1]")
	caller = s.newClient
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	assert.NoError(t, err, "the good file is in use")
}

// grpc-go: configuration changed under a live object.
func TestReload_CallerMutationHasNoEffect(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	client := ca.Issue(t, "client", certauthtest.DNS("a.example"))
	roots := []*x509.Certificate{ca.Certificate}
	names := certauth.DNSNames{"a.example"}
	pins := certauth.Thumbprints{thumbprint(client.Certificate)}
	all := certauth.All{certauth.Chain{Roots: certauth.Certificates(roots...)}, names, certauth.Any{pins}}
	exclusions := []certauth.Exclusion{public("", "/health")}
	config := certauth.Config{Source: fixedSource("test", client.Certificate), Policy: all, Exclusions: exclusions}
	auth, err := certauth.New(config)
	require.NoError(t, err)

	roots[0], names[0], pins[0], all[0], all[1] = nil, "b.example", pinOfNobody, nil, nil
	exclusions[0].Path = "/admin"
	config.Policy, config.Source = nil, nil
	_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
	require.NoError(t, err)
	assert.Contains(t, auth.String(), "excluded: GET /health")
	assert.NotContains(t, auth.String(), "/admin")
}

// Requests trigger the reload, at most once per interval, and the first request after a quiet
// period is judged by the current files.
func TestReload_TrafficTriggersItOnceAnInterval(t *testing.T) {
	var calls atomic.Int32
	s := newRotation(t)
	bubble.Test(t, func(t *testing.T) {
		caller := s.oldClient
		answered := make(chan struct{}) // the request that triggers the reload; nothing else orders the two
		auth, err := certauth.New(certauth.Config{
			Source: certauth.SourceFunc{Name: "test", Func: func(*http.Request) ([]*x509.Certificate, error) {
				return []*x509.Certificate{caller.Certificate}, nil
			}},
			Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
				if calls.Add(1) == 1 {
					return []*x509.Certificate{s.oldCA.Certificate}, nil
				}
				<-answered
				return []*x509.Certificate{s.newCA.Certificate}, nil
			})},
			Now: s.clock.now, ReloadInterval: time.Minute,
		})
		require.NoError(t, err)
		check := func() error {
			_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			return err
		}
		for range 5 {
			require.NoError(t, check())
		}
		s.clock.advance(time.Minute - time.Nanosecond)
		require.NoError(t, check())
		synctest.Wait()
		assert.EqualValues(t, 1, calls.Load(), "nothing is read within the interval")

		s.clock.advance(time.Nanosecond)
		require.NoError(t, check(), "the request that triggers the reload does not wait")
		close(answered)
		synctest.Wait()
		assert.EqualValues(t, 2, calls.Load())
		require.ErrorIs(t, check(), certauth.ReasonChainUntrusted, "the next one is judged by the new roots")

		s.clock.advance(-time.Hour)
		_ = check()
		synctest.Wait()
		assert.EqualValues(t, 3, calls.Load(), "a clock that goes back makes a reload due")
	})
}

func TestReload_FirstRequestAfterAQuietNightSeesTheNewRoots(t *testing.T) {
	s := newRotation(t)
	require.True(t, s.accepts(s.oldClient))
	replaceFile(t, s.file, s.newCA.PEM())
	s.clock.advance(time.Minute)
	bubble.Test(t, func(t *testing.T) { // where no time passes while the file is read, however slow the machine
		assert.False(t, s.accepts(s.oldClient), "the old root is no longer on the disk")
	})
}

// etcd reads and parses its CRL for each connection.
func TestReload_NoFileIsOpenedDuringARequest(t *testing.T) {
	s := newRotation(t)
	bubble.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		first := true
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("test", s.oldClient.Certificate),
			Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
				if !first {
					<-hang // a share that does not answer, and ignores the context
				}
				first = false
				return []*x509.Certificate{s.oldCA.Certificate}, nil
			})},
			Now: s.clock.now,
		})
		require.NoError(t, err)
		start := time.Now()
		for range 100 {
			s.clock.advance(time.Hour)
			_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			require.NoError(t, err)
		}
		// Inside the bubble, time passes only while all goroutines wait.
		assert.LessOrEqual(t, time.Since(start), 100*25*time.Millisecond, "a hanging reload delays no request for longer than its limit")
		close(hang)
		synctest.Wait()
	})
}

func TestReload_CloseEndsEveryGoroutine(t *testing.T) {
	s := newRotation(t)
	// bubble.Test fails if a goroutine of the bubble is left when it ends.
	bubble.Test(t, func(t *testing.T) {
		auth, err := certauth.New(certauth.Config{
			Source: fixedSource("test", s.oldClient.Certificate),
			Policy: certauth.Chain{Roots: certauth.PEMFile(s.file)}, Now: s.clock.now,
		})
		require.NoError(t, err)
		for range 10 {
			s.clock.advance(time.Hour)
			_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
			require.NoError(t, err)
		}
	})
}

func TestReload_PanicInAFunctionKeepsTheLastGoodSet(t *testing.T) {
	s := newRotation(t)
	calls := 0
	auth, err := certauth.New(certauth.Config{
		Source: fixedSource("test", s.oldClient.Certificate),
		Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
			calls++
			switch calls {
			case 1:
				return []*x509.Certificate{s.oldCA.Certificate}, nil
			case 2:
				panic("vault client")
			case 3:
				return nil, nil
			}
			return nil, errors.New("vault is sealed")
		})},
	})
	require.NoError(t, err)
	for _, want := range []string{"panic: vault client", "no certificate", "vault is sealed"} {
		require.ErrorContains(t, auth.Reload(t.Context()), want)
		_, err = auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
		require.NoError(t, err)
	}
}

func TestReload_ConcurrentRequestsAndReloadsAreSafe(t *testing.T) {
	s := newRotation(t)
	auth, err := certauth.New(certauth.Config{
		Source: fixedSource("test", s.oldClient.Certificate),
		Policy: certauth.Chain{Roots: certauth.PEMFile(s.file)}, ReloadInterval: 10 * time.Millisecond,
	})
	require.NoError(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				_, err := auth.Check(httptest.NewRequest(http.MethodGet, "/", nil))
				assert.NoError(t, err)
			}
		})
	}
	for range 20 {
		replaceFile(t, s.file, append(s.oldCA.PEM(), s.newCA.PEM()...))
		require.NoError(t, auth.Reload(t.Context()), "even if a request began one")
		replaceFile(t, s.file, s.oldCA.PEM())
	}
	group.Wait()
}

// finding S5: a request that had read the clock slightly before another one began a reload took
// this for a clock that went back, began a second reload, and reported it as failed.
func TestReload_RequestsThatOvertakeOneAnotherBeginOne(t *testing.T) {
	s := newRotation(t)
	for _, tc := range []struct {
		name  string
		steps []time.Duration // from one request to the next
		ended bool            // whether the read ends before the next request
		want  int32           // readings
	}{
		{"one that is late by an instant", []time.Duration{time.Minute, -50 * time.Microsecond}, false, 1},
		{"one that is late by an instant when the reading has ended", []time.Duration{time.Minute, -50 * time.Microsecond}, true, 1},
		{"several that are late by up to a second", []time.Duration{time.Minute, -time.Second, 400 * time.Millisecond, -300 * time.Millisecond}, false, 1},
		{"a clock that went back by more while it is read", []time.Duration{time.Minute, -time.Second - time.Nanosecond}, false, 1},
		{"a clock that went back by more", []time.Duration{time.Minute, -time.Second - time.Nanosecond}, true, 2},
		{"a clock that went back an hour, and goes on", []time.Duration{time.Minute, -time.Hour, time.Second}, true, 2},
		{"a clock that went back an hour, and an interval later", []time.Duration{time.Minute, -time.Hour, time.Minute}, true, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			clock := newClock()
			bubble.Test(t, func(t *testing.T) {
				var calls, kept atomic.Int32
				auth := must(t, certauth.Config{
					Source: fixedSource("s", s.oldClient.Certificate), Now: clock.now, ReloadInterval: time.Minute,
					Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
						if calls.Add(1) > 1 {
							time.Sleep(50 * time.Millisecond) //nolint:forbidigo // the bubble's clock: a source that takes its time
						}
						return []*x509.Certificate{s.oldCA.Certificate}, nil
					})},
					Observe: func(_ context.Context, e certauth.Event) {
						if e.Outcome == "kept" {
							kept.Add(1)
						}
					},
				})
				for _, step := range tc.steps {
					clock.advance(step)
					_, err := auth.Check(request())
					require.NoError(t, err)
					if tc.ended {
						time.Sleep(time.Second) //nolint:forbidigo // the bubble's clock: longer than a read takes
					}
				}
				time.Sleep(time.Second) //nolint:forbidigo // as above
				assert.Equal(t, tc.want, calls.Load()-1)
				assert.Zero(t, kept.Load(), "nothing failed")
			})
		})
	}
}

// finding S5: two concurrent reloads are ordinary. A reload that a request triggers leaves the read
// to the running one. Reload waits for it and reads again, because it promises to read the current
// state.
func TestReload_TwoAtOneTimeAreNoFailure(t *testing.T) {
	s := newRotation(t)
	clock := newClock()
	bubble.Test(t, func(t *testing.T) {
		var calls, kept, reading atomic.Int32
		auth := must(t, certauth.Config{
			Source: fixedSource("s", s.oldClient.Certificate), Now: clock.now, ReloadInterval: 10 * time.Millisecond,
			Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
				calls.Add(1)
				assert.EqualValues(t, 1, reading.Add(1), "one at a time")
				defer reading.Add(-1)
				time.Sleep(100 * time.Millisecond) //nolint:forbidigo // the bubble's clock: slower than the interval
				return []*x509.Certificate{s.oldCA.Certificate}, nil
			})},
			Observe: func(_ context.Context, e certauth.Event) {
				if e.Outcome == "kept" {
					kept.Add(1)
				}
			},
		})
		for range 20 {
			clock.advance(time.Hour)
			_, err := auth.Check(request())
			require.NoError(t, err)
		}
		time.Sleep(time.Second) //nolint:forbidigo // as above: the last read has ended
		began := calls.Load()
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() { assert.NoError(t, auth.Reload(t.Context())) })
		}
		group.Wait()
		assert.EqualValues(t, 3, calls.Load()-began, "each Reload must read")
		assert.Zero(t, kept.Load(), "nothing failed")
	})
}

// A read that no caller waits for any more is reported repeatedly until it ends.
func TestReload_OneThatHangsIsReported(t *testing.T) {
	s := newRotation(t)
	clock := newClock()
	bubble.Test(t, func(t *testing.T) {
		var calls, kept atomic.Int32
		hang := make(chan struct{})
		auth := must(t, certauth.Config{
			Source: fixedSource("s", s.oldClient.Certificate), Now: clock.now,
			Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
				if calls.Add(1) == 2 {
					<-hang
				}
				return []*x509.Certificate{s.oldCA.Certificate}, nil
			})},
			Observe: func(_ context.Context, e certauth.Event) {
				if e.Outcome == "kept" {
					kept.Add(1)
				}
			},
		})
		for want := range int32(4) {
			clock.advance(time.Hour)
			_, err := auth.Check(request())
			require.NoError(t, err)
			time.Sleep(time.Minute) //nolint:forbidigo // the bubble's clock: longer than a read may take
			assert.Equal(t, want+1, kept.Load())
		}
		close(hang)
		synctest.Wait()
		require.NoError(t, auth.Reload(t.Context()))
	})
}

// screening passes the leaf to the screen, as the presets do, and is slow afterwards.
type screening struct {
	texts          textSource
	leaf           *x509.Certificate
	screened, goOn chan struct{}
}

func (s *screening) Prepare(source.Environment) (*source.Reader, error) {
	return &source.Reader{Name: "screening", Offer: s.texts.offer, Decode: s.decode}, nil
}

func (s *screening) decode(_ source.Offer, screen func([]byte) error) ([]*x509.Certificate, error) {
	err := screen(s.leaf.Raw)
	s.screened <- struct{}{}
	<-s.goOn
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{s.leaf}, nil
}

// Reloaded pins apply to the next request, even if it waits for one that the previous pins have
// refused.
func TestReload_PinsActOnRequestsThatWaitForAnOlderReading(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		now := time.Now()
		w := newWorld(t)
		pins := []string{pinOfNobody}
		s := &screening{leaf: w.leaf.Certificate, screened: make(chan struct{}, 4), goOn: make(chan struct{})}
		auth, err := certauth.New(certauth.Config{
			Source: s, Now: func() time.Time { return now },
			Policy: certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) { return pins, nil })),
		})
		require.NoError(t, err)
		before, after := make(chan error, 1), make(chan error, 1)
		go func() { _, err := auth.Check(offering("a")); before <- err }()
		<-s.screened
		pins = []string{w.leaf.Thumbprint()}
		require.NoError(t, auth.Reload(t.Context()))
		go func() { _, err := auth.Check(offering("a")); after <- err }()
		synctest.Wait() // it waits for the read of the first
		close(s.goOn)
		assert.Equal(t, certauth.ReasonPinMismatch, reasonOf(<-before))
		assert.Equal(t, certauth.ReasonNone, reasonOf(<-after))
	})
}

func TestReload_KeepsTheCallersDeadline(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	bubble.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		calls := 0
		auth := must(t, certauth.Config{Source: fixedSource("s"), Policy: certauth.Chain{Roots: certauth.CertFunc(func(context.Context) ([]*x509.Certificate, error) {
			if calls++; calls > 1 {
				<-hang
			}
			return []*x509.Certificate{ca.Certificate}, nil
		})}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, auth.Reload(ctx), context.DeadlineExceeded)
		require.ErrorContains(t, auth.Reload(t.Context()), "the previous reload is still running")
		close(hang)
		synctest.Wait()
		require.NoError(t, auth.Reload(t.Context()))
	})
}

// All requests after a quiet night wait for the reload, not only the first.
func TestReload_EveryRequestAfterAQuietNightWaits(t *testing.T) {
	s := newRotation(t)
	bubble.Test(t, func(t *testing.T) {
		calls := 0
		auth := must(t, certauth.Config{
			Source: fixedSource("s", s.oldClient.Certificate), Now: s.clock.now,
			Policy: certauth.ThumbprintsFrom(certauth.PinFunc(func(context.Context) ([]string, error) {
				if calls++; calls == 1 {
					return []string{s.oldClient.Thumbprint()}, nil
				}
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // the bubble's clock: a source that takes its time
				return []string{pinOfNobody}, nil
			})),
		})
		s.clock.advance(10 * time.Hour)
		results := make(chan error, 5)
		for range cap(results) {
			go func() {
				_, err := auth.Check(request())
				results <- err
			}()
		}
		for range cap(results) {
			assertReason(t, certauth.ReasonPinMismatch, <-results)
		}
		synctest.Wait()
	})
}

// finding N73: a file that stays broken wrote a record at level Error every 30 seconds while requests arrived.
func TestReload_AFailureThatLastsIsLoggedOnceAnHour(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pins")
	require.NoError(t, os.WriteFile(file, []byte(pinOfNobody), 0o600))
	at := newClock()
	var log bytes.Buffer
	events := 0
	auth := must(t, certauth.Config{
		Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(certauth.PinFile(file)), Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Now: at.now, Observe: func(context.Context, certauth.Event) { events++ },
	})
	records := func() int {
		defer log.Reset()
		return strings.Count(log.String(), "reload failed")
	}
	for _, step := range []struct {
		name    string
		after   time.Duration
		content string // none if the file is not there
		want    int
	}{
		{"the file is removed", 0, "", 1},
		{"half a minute later", 30 * time.Second, "", 0},
		{"just before an hour has passed", time.Hour - 31*time.Second, "", 0},
		{"an hour", time.Second, "", 1},
		{"again", time.Minute, "", 0},
		{"another failure", time.Minute, "not a pin", 1},
		{"the clock goes back", -time.Hour, "not a pin", 1},
	} {
		at.advance(step.after)
		require.NoError(t, os.RemoveAll(file))
		if step.content != "" {
			require.NoError(t, os.WriteFile(file, []byte(step.content), 0o600))
		}
		before := events
		require.Error(t, auth.Reload(t.Context()), step.name)
		assert.Equal(t, step.want, records(), step.name)
		assert.Equal(t, 1, events-before, "Observe receives each one")
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("cd", 32)), 0o600))
	require.NoError(t, auth.Reload(t.Context()))
	require.NoError(t, os.WriteFile(file, []byte("not a pin"), 0o600))
	require.Error(t, auth.Reload(t.Context()))
	assert.Equal(t, 1, records(), "a failure after new pins came into use is another one")

	// finding N172: that the file was repaired was not in the log if its content is the one in use, as after a rollback, and
	// neither was the same failure after that.
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("cd", 32)), 0o600))
	require.NoError(t, auth.Reload(t.Context()))
	require.Contains(t, log.String(), "certauth: reloaded")
	require.NoError(t, os.WriteFile(file, []byte("not a pin"), 0o600))
	require.Error(t, auth.Reload(t.Context()))
	assert.Equal(t, 1, records(), "a failure after a rollback is another one")
}

// finding N191: so did a function whose error has another text each time, such as that of a connection.
func TestReload_AFunctionThatFailsInOtherWordsIsLoggedOnceAnHour(t *testing.T) {
	at := newClock()
	var log bytes.Buffer
	calls := 0
	function := certauth.PinFunc(func(context.Context) ([]string, error) {
		if calls++; calls == 1 {
			return []string{pinOfNobody}, nil
		}
		if calls%2 == 0 { // finding N193
			panic(fmt.Sprintf("request %d", calls))
		}
		return nil, fmt.Errorf("read tcp 10.0.0.1:%d->10.0.0.2:443: connection reset", 40_000+calls)
	})
	auth := must(t, certauth.Config{
		Source: fixedSource("s"), Policy: certauth.ThumbprintsFrom(function), Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: at.now,
	})
	for _, want := range []int{1, 1, 2} { // at once, half an hour later, an hour later
		require.Error(t, auth.Reload(t.Context()))
		assert.Equal(t, want, strings.Count(log.String(), "reload failed"))
		at.advance(30 * time.Minute)
	}
}
