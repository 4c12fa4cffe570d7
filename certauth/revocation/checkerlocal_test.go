package revocation_test

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
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

// write creates a file as a careful operator does: under another name, then renamed.
func write(t testing.TB, path string, content []byte) {
	t.Helper()
	beside := filepath.Join(filepath.Dir(path), ".new")
	require.NoError(t, os.WriteFile(beside, content, 0o600))
	require.NoError(t, os.Rename(beside, path))
}

// operated returns a checker whose only source is the operator's lists.
func (w *wired) operated(t testing.TB, list revocation.List, changes ...func(*revocation.Config)) *revocation.Checker {
	t.Helper()
	return w.checker(t, append([]func(*revocation.Config){leafOnly, func(c *revocation.Config) {
		c.Lists, c.Issuers, c.IgnoreCertificateURLs = []revocation.List{list}, certs(w.ca), true
	}}, changes...)...)
}

// CVE-2022-41316 (Vault): a list was loaded only after its first use.
func TestRevocation_ListsAreReadyBeforeTheFirstRequest(t *testing.T) {
	for _, c := range []struct {
		name    string
		preload bool
		sources revocation.Sources
	}{
		{"lists first", false, revocation.PreferCRL},
		{"OCSP first, and it says Good", false, revocation.PreferOCSP},
		{"OCSP first, preloaded", true, revocation.PreferOCSP},
		{"lists first, preloaded", true, revocation.PreferCRL},
		{"lists alone", false, revocation.CRLOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, encode(t, w.list(entryFor(w.client))))
			checker := w.operated(t, revocation.List{File: path}, sources(c.sources), func(config *revocation.Config) {
				config.IgnoreCertificateURLs = false
			})
			require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
			if c.preload {
				require.NoError(t, checker.Preload(t.Context()))
				require.NoError(t, checker.Ready())
			}
			found, err := w.check(t, checker)
			require.NoError(t, err)
			assert.Equal(t, isRevoked, found.Status, "the very first request")
			require.NoError(t, checker.Ready())
		})
	}
	t.Run("a list that cannot be read denies", func(t *testing.T) {
		w := wire(t)
		checker := w.operated(t, revocation.List{File: filepath.Join(t.TempDir(), "missing.crl")})
		require.ErrorIs(t, checker.Preload(t.Context()), os.ErrNotExist)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		found, err := w.check(t, checker)
		require.ErrorIs(t, err, os.ErrNotExist)
		assert.Equal(t, isUnavailable, found.Status)
	})
}

func TestChecker_FilesOfTheOperator(t *testing.T) {
	asPEM := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}) }
	for _, c := range []struct {
		name    string
		content func(*testing.T, *wired) []byte
		err     error
	}{
		{"case 88 DER", func(t *testing.T, w *wired) []byte { return encode(t, w.list()) }, nil},
		{"case 88 PEM", func(t *testing.T, w *wired) []byte { return asPEM(encode(t, w.list())) }, nil},
		{"case 88 two PEM blocks", func(t *testing.T, w *wired) []byte {
			return append(asPEM(encode(t, w.list())), asPEM(encode(t, w.list()))...)
		}, revocation.ErrMalformed},
		{"case 88 HTML", func(*testing.T, *wired) []byte { return []byte("<html>") }, revocation.ErrMalformed},
		{"an empty file", func(*testing.T, *wired) []byte { return nil }, revocation.ErrMalformed},
		{"case 87 trailing bytes", func(t *testing.T, w *wired) []byte { return append(encode(t, w.list()), 0) }, revocation.ErrMalformed},
		{"of a CA that is not among Issuers", func(t *testing.T, w *wired) []byte { return encode(t, w.rootList()) }, revocation.ErrCRLIssuer},
		{"of the name of one and the key of another", func(t *testing.T, w *wired) []byte {
			l := w.list()
			l.Key = w.root.key
			return encode(t, l)
		}, revocation.ErrBadSignature},
		{"larger than MaxListBytes", func(*testing.T, *wired) []byte { return make([]byte, 5000) }, revocation.ErrTooLarge},
		{"case 83 run out", func(t *testing.T, w *wired) []byte { return encode(t, w.listAt(now.Add(-2*day), now.Add(-day))) }, revocation.ErrNotFresh},
		{"case 83 of the future", func(t *testing.T, w *wired) []byte { return encode(t, w.listAt(now.Add(day), now.Add(2*day))) }, revocation.ErrNotFresh},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, c.content(t, w))
			checker := w.operated(t, revocation.List{File: path}, func(config *revocation.Config) { config.MaxListBytes = 4096 })
			loaded, ready := checker.Preload(t.Context()), checker.Ready()
			found, err := w.check(t, checker)
			assert.Zero(t, w.net.total(), "no source that the certificate names is fetched")
			if c.err == nil {
				require.NoError(t, loaded)
				require.NoError(t, ready)
				require.NoError(t, err)
				assert.Equal(t, isGood, found.Status)
				return
			}
			require.ErrorIs(t, ready, revocation.ErrNotReady)
			require.ErrorIs(t, errorOf(loaded, ready), c.err)
			require.Error(t, err)
			assert.Equal(t, isUnavailable, found.Status)
		})
	}
	t.Run("what is not a file", func(t *testing.T) {
		w := wire(t)
		checker := w.operated(t, revocation.List{File: t.TempDir()})
		require.ErrorContains(t, checker.Preload(t.Context()), "not a regular file")
	})
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// lines is the output of a slog.Handler that tests can read.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// A request notices a changed file after PollInterval, and no request waits for it. A list that is
// worse than the one in memory is not used, and this is reported.
func TestChecker_PicksUpChangedFiles(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*testing.T, *wired, string)
		want   certauth.RevocationStatus
		logged string
	}{
		{"a newer list", func(t *testing.T, w *wired, path string) {
			write(t, path, encode(t, w.listAt(now, now.Add(day), entryFor(w.client))))
		}, isRevoked, ""},
		{"case 84 an older list", func(t *testing.T, w *wired, path string) {
			write(t, path, encode(t, w.listAt(now.Add(-3*time.Hour), now.Add(day), entryFor(w.client))))
		}, isGood, "older than what is known"},
		{"rubbish", func(t *testing.T, _ *wired, path string) { write(t, path, []byte("rubbish, and longer than before")) }, isGood, "malformed"},
		{"a list of another CA", func(t *testing.T, w *wired, path string) { write(t, path, encode(t, w.rootList())) }, isGood, "not among Issuers"},
		{"gone", func(t *testing.T, _ *wired, path string) { require.NoError(t, os.Remove(path)) }, isGood, "no such file"},
		{"half written", func(t *testing.T, w *wired, path string) {
			der := encode(t, w.listAt(now, now.Add(day), entryFor(w.client)))
			write(t, path, der[:len(der)/2])
		}, isGood, "malformed"},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
			var out lines
			checker := w.operated(t, revocation.List{File: path}, func(config *revocation.Config) {
				config.Logger = slog.New(slog.NewTextHandler(&out, nil))
			})
			w.says(t, checker, w.client, isGood, nil)
			c.change(t, w, path)
			w.clock.advance(29 * time.Second)
			w.says(t, checker, w.client, isGood, nil)
			w.says(t, checker, w.client, isGood, nil)
			require.Empty(t, out.text(), "not checked yet")
			w.clock.advance(2 * time.Second)
			w.nudge(t, checker) // this request starts the read, and may see either list
			w.says(t, checker, w.client, c.want, nil)
			assert.Contains(t, out.text(), c.logged)
			assert.Equal(t, c.logged == "", out.text() == "")
			require.NoError(t, checker.Ready(), "the last good list has not run out")

			write(t, path, encode(t, w.listAt(now, now.Add(day), entryFor(w.client)))) // corrected
			w.clock.advance(31 * time.Second)
			w.nudge(t, checker)
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// After a quiet night the first caller is not judged by yesterday's list.
func TestChecker_FirstRequestAfterAPauseWaitsForTheLists(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
	}{
		{"two intervals", time.Minute},
		{"a night", 10 * time.Hour},
		{"a clock that went back", -time.Minute},
	} {
		inBubble(t, c.name, func(t *testing.T) {
			w := wire(t)
			path := filepath.Join(t.TempDir(), "ca.crl")
			write(t, path, encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(day))))
			checker := w.operated(t, revocation.List{File: path})
			w.says(t, checker, w.client, isGood, nil)
			write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), entryFor(w.client))))
			w.clock.advance(c.pause)
			found, err := w.check(t, checker)
			require.NoError(t, err)
			assert.Equal(t, isRevoked.String(), found.Status.String())
		})
	}
	inBubble(t, "a list that hangs holds nobody up for more than a second, and only once", func(t *testing.T) {
		const url = "http://lists.internal.example/ca.crl"
		w := wire(t)
		w.net.serve(url, body(encode(t, w.listAt(now, now.Add(5*day)))))
		checker := w.operated(t, revocation.List{URL: url})
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(url, hanging)
		w.clock.advance(day)
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				found, err := checker.CheckChain(t.Context(), w.chain(w.client))
				assert.NoError(t, err)
				assert.Equal(t, isGood, found.Status)
			})
		}
		all.Wait()
		assert.Equal(t, time.Second, time.Since(began))
		_, err := checker.CheckChain(t.Context(), w.chain(w.client))
		require.NoError(t, err)
		assert.Equal(t, time.Second, time.Since(began), "the next request does not wait")
		require.NoError(t, checker.Close())
	})
}

// The second for which a request waits for newer evidence applies once, whatever hangs.
func TestChecker_AMomentIsOneForListsAndResponders(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const url = "http://lists.internal.example/ca.crl"
		w := wire(t)
		w.net.serve(url, body(encode(t, w.listAt(now, now.Add(9*day)))))
		w.net.serve(ocspURL, w.dated(t, ocsptest.StatusGood, now, now.Add(5*day)))
		checker := w.operated(t, revocation.List{URL: url}, sources(revocation.PreferOCSP), func(c *revocation.Config) { c.IgnoreCertificateURLs = false })
		w.says(t, checker, w.client, isGood, nil)
		w.net.serve(url, hanging)
		w.net.serve(ocspURL, hanging)
		w.clock.advance(2 * day)
		began := time.Now()
		found, err := checker.CheckChain(t.Context(), w.chain(w.client))
		require.NoError(t, err)
		assert.Equal(t, isGood, found.Status)
		assert.Equal(t, time.Second, time.Since(began))
		require.NoError(t, checker.Close())
	})
}

// nudge makes a request whose answer does not matter, and waits for what it triggers.
func (w *wired) nudge(t testing.TB, c *revocation.Checker) {
	t.Helper()
	_, _ = w.check(t, c)
	synctest.Wait()
}

// Ready returns an error when a list expires, and the list is no longer evidence.
func TestChecker_ReadyEndsWithTheList(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		w.clock.advance(day + skew)
		require.NoError(t, checker.Ready())
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(time.Second)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotFresh)
		_, err := w.check(t, checker)
		require.Error(t, err)
		require.NoError(t, checker.Close())
		require.ErrorIs(t, checker.Ready(), revocation.ErrClosed)
	})
}

// A list in memory that does not change adds no cost to requests, however old it is.
func TestChecker_FilesAreNotRefreshedByRequests(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(10*day))))
		checker := w.operated(t, revocation.List{File: path})
		for range 200 {
			w.says(t, checker, w.client, isGood, nil)
			w.clock.advance(time.Hour)
		}
		assert.Zero(t, checker.Stats().Refreshes)
	})
}

func TestChecker_DirectoryOfTheOperator(t *testing.T) {
	newer := func(t *testing.T, w *wired) []byte {
		return encode(t, w.listAt(now, now.Add(2*day), entryFor(w.client)))
	}
	older := func(t *testing.T, w *wired) []byte { return encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))) }
	t.Run("two files of one scope: the newest counts", func(t *testing.T) {
		for _, names := range [][]string{{"a.crl", "b.crl"}, {"b.crl", "a.crl"}} {
			w := wire(t)
			dir := t.TempDir()
			write(t, filepath.Join(dir, names[0]), newer(t, w))
			write(t, filepath.Join(dir, names[1]), older(t, w))
			found, err := w.check(t, w.operated(t, revocation.List{Dir: dir}))
			require.NoError(t, err)
			assert.Equal(t, isRevoked, found.Status)
		}
	})
	t.Run("an empty directory is not ready", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, ".hidden.crl"), older(t, w))
		require.NoError(t, os.Mkdir(filepath.Join(dir, "folder"), 0o700))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrNotReady)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		_, err := w.check(t, checker)
		require.Error(t, err)
	})
	t.Run("one bad file does not spoil the others, and is told", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a.crl"), older(t, w))
		write(t, filepath.Join(dir, "b.crl"), []byte("rubbish"))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrMalformed)
		found, err := w.check(t, checker)
		require.NoError(t, err)
		assert.Equal(t, isGood, found.Status)
	})
	t.Run("a directory that is not there", func(t *testing.T) {
		w := wire(t)
		checker := w.operated(t, revocation.List{Dir: filepath.Join(t.TempDir(), "missing")})
		require.ErrorIs(t, checker.Preload(t.Context()), os.ErrNotExist)
	})
	inBubble(t, "files named by date come and go", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		checker := w.operated(t, revocation.List{Dir: dir})
		for i := range 30 {
			at := w.clock.now()
			write(t, filepath.Join(dir, fmt.Sprintf("ca-%d.crl", i)), encode(t, w.listAt(at, at.Add(2*day))))
			_ = os.Remove(filepath.Join(dir, fmt.Sprintf("ca-%d.crl", i-1)))
			if i == 0 {
				require.NoError(t, checker.Preload(t.Context()))
			}
			w.clock.advance(12 * time.Hour)
			_, _ = w.check(t, checker)
			synctest.Wait()
			w.says(t, checker, w.client, isGood, nil)
			require.NoError(t, checker.Ready(), "file %d", i)
			require.LessOrEqual(t, checker.Stats().Lists, 2, "a removed and replaced file is not kept")
		}
	})
	inBubble(t, "an old file beside its successor does not end readiness", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "old.crl"), encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
		write(t, filepath.Join(dir, "new.crl"), encode(t, w.listAt(now, now.Add(5*day))))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.NoError(t, checker.Preload(t.Context()))
		w.clock.advance(2 * day)
		require.NoError(t, checker.Ready())
		w.says(t, checker, w.client, isGood, nil)
	})
	inBubble(t, "all files gone: what was read counts until it runs out", func(t *testing.T) {
		w := wire(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "ca.crl"), encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
		checker := w.operated(t, revocation.List{Dir: dir})
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, os.Remove(filepath.Join(dir, "ca.crl")))
		for range 3 {
			w.clock.advance(time.Minute)
			w.says(t, checker, w.client, isGood, nil)
		}
		w.clock.advance(2 * day)
		_, _ = w.check(t, checker)
		synctest.Wait()
		_, err := w.check(t, checker)
		require.Error(t, err)
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
	})
}

// A directory with the shards of a CA: each certificate is looked up in its own shard.
func TestChecker_DirectoryOfShards(t *testing.T) {
	w := wire(t)
	dir := t.TempDir()
	shard := func(name string, entries ...ocsptest.Entry) []byte {
		l := w.list(entries...)
		l.Extensions = append(l.Extensions, ocsptest.IssuingPoint(uri(name)))
		return encode(t, l)
	}
	inA, inB := w.issue(t, "in shard A", noPoints, point(uri(shardA))), w.issue(t, "in shard B", noPoints, point(uri(shardB)))
	nowhere := w.issue(t, "in no shard", noPoints, point(uri("http://crl.example/c.crl")))
	write(t, filepath.Join(dir, "a.crl"), shard(shardA, entryFor(inB))) // on the wrong shard: says nothing
	write(t, filepath.Join(dir, "b.crl"), shard(shardB, entryFor(inA)))
	checker := w.operated(t, revocation.List{Dir: dir})
	require.NoError(t, checker.Preload(t.Context()))
	for about, want := range map[*identity]certauth.RevocationStatus{inA: isGood, inB: isGood, nowhere: isUnavailable} {
		found, err := checker.CheckChain(t.Context(), w.chain(about))
		assert.Equal(t, want.String(), found.Status.String(), about.cert.Subject.CommonName)
		if want == isUnavailable {
			require.ErrorIs(t, err, revocation.ErrNoSource)
		}
	}
}

// URLs of Config.Lists and of Preload are fetched before the first request, and again in the
// background, with the permissions of the operator's URLs.
func TestChecker_ListsByURL(t *testing.T) {
	const url, more = "http://lists.internal.example/ca.crl", "http://lists.internal.example/more.crl"
	inBubble(t, "in the Config", func(t *testing.T) {
		w := wire(t)
		w.net.serve(url, answered(revocation.Response{Body: encode(t, w.listAt(now, now.Add(2*day))), ETag: `"1"`, LastModified: "then"}))
		checker := w.operated(t, revocation.List{URL: url})
		require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady)
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, checker.Ready())
		assert.True(t, w.net.last().Configured)
		assert.Equal(t, fetch.CRL, w.net.last().Kind)
		w.says(t, checker, w.client, isGood, nil)
		require.Equal(t, 1, w.net.total())
		w.clock.advance(7 * time.Hour)
		w.net.serve(url, body(encode(t, w.listAt(now.Add(time.Hour), now.Add(2*day), entryFor(w.client)))))
		w.nudge(t, checker)
		assert.Equal(t, `"1"`, w.net.last().ETag, "conditional")
		assert.Equal(t, "then", w.net.last().LastModified)
		w.says(t, checker, w.client, isRevoked, nil)
		assert.Equal(t, 2, w.net.total())
	})
	inBubble(t, "by Preload, and from then on as if in the Config", func(t *testing.T) {
		w := wire(t)
		w.net.serve(more, body(encode(t, w.listAt(now, now.Add(day)))))
		checker := w.checker(t, leafOnly, func(c *revocation.Config) { c.Issuers, c.IgnoreCertificateURLs = certs(w.ca), true })
		require.NoError(t, checker.Ready())
		require.NoError(t, checker.Preload(t.Context(), more))
		w.says(t, checker, w.client, isGood, nil)
		require.NoError(t, checker.Preload(t.Context(), more), "twice")
		assert.Equal(t, 1, w.net.total())
		w.net.serve(more, body(encode(t, w.listAt(now.Add(13*time.Hour), now.Add(2*day)))))
		w.clock.advance(13 * time.Hour)
		w.says(t, checker, w.client, isGood, nil)
		assert.Equal(t, 2, w.net.total())
		w.clock.advance(12 * time.Hour)
		require.NoError(t, checker.Ready())
	})
	inBubble(t, "one that is down is told, and named by Ready", func(t *testing.T) {
		w := wire(t)
		checker := w.operated(t, revocation.List{URL: url})
		require.ErrorIs(t, checker.Preload(t.Context()), revocation.ErrTransport)
		require.ErrorContains(t, checker.Ready(), url)
		w.net.serve(url, body(encode(t, w.list())))
		w.clock.advance(6 * time.Minute)
		_, _ = w.check(t, checker)
		synctest.Wait()
		w.says(t, checker, w.client, isGood, nil)
		require.NoError(t, checker.Ready())
	})
	inBubble(t, "one that hangs holds Preload up no longer than its context", func(t *testing.T) {
		w := wire(t)
		w.net.serve(url, hanging)
		checker := w.operated(t, revocation.List{URL: url})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		require.ErrorIs(t, checker.Preload(ctx), revocation.ErrTimeout)
		assert.Equal(t, time.Second, time.Since(began))
	})
	inBubble(t, "concurrent Preloads read once", func(t *testing.T) {
		w := wire(t)
		w.net.serve(url, body(encode(t, w.list())))
		w.net.serve(more, body(encode(t, w.list())))
		checker := w.operated(t, revocation.List{URL: url})
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if i%2 == 0 {
					assert.NoError(t, checker.Preload(t.Context(), more))
				} else {
					assert.NoError(t, checker.Preload(t.Context()))
				}
			})
		}
		all.Wait()
		require.NoError(t, checker.Ready())
		assert.Equal(t, 2, w.net.total())
	})
	t.Run("Preload refuses what nobody could sign", func(t *testing.T) {
		w := wire(t)
		require.ErrorContains(t, w.checker(t).Preload(t.Context(), url), "Issuers")
		assert.Zero(t, w.net.total())
	})
}

// finding K62: after a file had been replaced by the list of the CA's new key, the list of the old
// key refused the certificates of that key for up to two PollIntervals after it had expired, and
// then they were good.
func TestChecker_AListThatWasReplacedEndsWhenItExpires(t *testing.T) {
	inBubble(t, "replaced by the list of the other key", func(t *testing.T) {
		w := wire(t)
		link := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		byLink := w.listAt(now, now.Add(9*day))
		byLink.Key = link.key
		path := fileOf(t, encode(t, w.listAt(now.Add(-time.Hour), now.Add(time.Hour))))
		checker := w.operated(t, revocation.List{File: path}, func(c *revocation.Config) { c.Issuers = certs(w.ca, link) })
		w.says(t, checker, w.client, isGood, nil)
		write(t, path, encode(t, byLink))
		w.clock.advance(time.Hour + skew - time.Second)
		w.says(t, checker, w.client, isGood, nil)
		for range 3 {
			w.clock.advance(2 * time.Second)
			w.says(t, checker, w.client, isGood, nil)
		}
	})
	inBubble(t, "deleted beside the list of the other key", func(t *testing.T) {
		w := wire(t)
		link := makeCert(t, "Clients CA", newKey(t), w.ca, asCA)
		byLink := w.listAt(now, now.Add(9*day))
		byLink.Key = link.key
		dir := t.TempDir()
		write(t, filepath.Join(dir, "0.crl"), encode(t, w.listAt(now.Add(-time.Hour), now.Add(time.Hour))))
		write(t, filepath.Join(dir, "1.crl"), encode(t, byLink))
		checker := w.operated(t, revocation.List{Dir: dir}, func(c *revocation.Config) { c.Issuers = certs(w.ca, link) })
		w.says(t, checker, w.client, isGood, nil)
		require.NoError(t, os.Remove(filepath.Join(dir, "0.crl")))
		w.clock.advance(time.Hour + skew - time.Second)
		w.says(t, checker, w.client, isGood, nil)
		for range 3 {
			w.clock.advance(2 * time.Second)
			w.says(t, checker, w.client, isGood, nil)
		}
	})
}

// finding K63: a list file that was away for a moment, and came back as it was, was reported as
// unreadable by Preload and Refresh, and in the log every hour, until its contents changed.
func TestChecker_AFileThatComesBackIsReadable(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w := wire(t)
		path := fileOf(t, encode(t, w.listAt(now, now.Add(9*day))))
		checker := w.operated(t, revocation.List{File: path})
		require.NoError(t, checker.Preload(t.Context()))
		require.NoError(t, os.Rename(path, path+".away"))
		require.ErrorIs(t, checker.Refresh(t.Context()), os.ErrNotExist)
		require.NoError(t, os.Rename(path+".away", path))
		require.NoError(t, checker.Refresh(t.Context()))
		require.NoError(t, checker.Preload(t.Context()))
		w.says(t, checker, w.client, isGood, nil)
	})
}
