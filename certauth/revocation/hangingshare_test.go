package revocation_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/regular"
)

// share opens files, but those of one directory hang while the share is gone.
type share struct {
	dir  string
	gone atomic.Bool
	back chan struct{}
}

func newShare(t *testing.T) *share { return &share{dir: t.TempDir(), back: make(chan struct{})} }

func (s *share) open(name string) (*os.File, fs.FileInfo, error) {
	if s.gone.Load() && filepath.Dir(name) == s.dir {
		<-s.back
		return nil, nil, errors.New("host is down")
	}
	return regular.Open(name)
}

// finding K75: the operator's files were read one after the other, so that one on a share that hangs
// kept all others, and the lists at URLs, from being read again, and from being read at all after a
// restart.
func TestChecker_AShareThatHangsKeepsNoOtherListFromBeingRead(t *testing.T) {
	for name, c := range map[string]struct {
		url, from bool // the other list is at a URL; the share hangs from the start
	}{
		"a file, after a restart": {from: true}, "a file, later": {}, "a URL, after a restart": {url: true, from: true}, "a URL, later": {url: true},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			gone := newShare(t)
			hostile := w.partner(t, "hostile")
			write(t, filepath.Join(gone.dir, "ca.crl"), w.smallListOf(t, hostile.ca))
			path, publish := filepath.Join(t.TempDir(), "ca.crl"), write
			ours := revocation.List{File: path}
			if c.url {
				ours, publish = revocation.List{URL: configuredURL}, func(_ testing.TB, _ string, der []byte) { w.net.serve(configuredURL, body(der)) }
			}
			publish(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
			checker := w.operated(t, revocation.List{}, func(config *revocation.Config) {
				config.Lists = []revocation.List{{File: filepath.Join(gone.dir, "ca.crl")}, ours, {Dir: gone.dir}}
				config.Issuers = certs(w.ca, hostile.ca)
			})
			checker.OpenWith(gone.open)
			defer close(gone.back)
			gone.gone.Store(c.from)
			began := time.Now()
			w.says(t, checker, w.client, isGood, nil)
			assert.LessOrEqual(t, time.Since(began), 2*time.Second)
			gone.gone.Store(true)
			for hours := range 3 { // the list is renewed while the share hangs
				w.clock.advance(time.Duration(hours) * 12 * time.Hour)
				publish(t, path, encode(t, w.listAt(w.clock.now(), w.clock.now().Add(day))))
				_, _ = w.check(t, checker)
				time.Sleep(time.Minute) //nolint:forbidigo // within the bubble
			}
			publish(t, path, encode(t, w.listAt(w.clock.now().Add(time.Minute), w.clock.now().Add(day), entryFor(w.client))))
			w.clock.advance(13 * time.Hour)
			_, _ = w.check(t, checker)
			time.Sleep(time.Minute) //nolint:forbidigo // within the bubble
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// A client whose CA signs none of the operator's lists does not wait for them.
func TestChecker_NobodyWaitsForListsOfOtherCAs(t *testing.T) {
	inBubble(t, "a URL that hangs", func(t *testing.T) {
		w := wire(t)
		hostile := w.partner(t, "hostile")
		w.net.serve(configuredURL, hanging)
		checker := w.checker(t, leafOnly, func(c *revocation.Config) {
			c.Lists, c.Issuers = []revocation.List{{URL: configuredURL}}, certs(hostile.ca)
		})
		began := time.Now()
		w.says(t, checker, w.client, isGood, nil)
		assert.Zero(t, time.Since(began))
		require.NoError(t, checker.Close())
		client := hostile.callers(t, hostile.ca, 1, unpointed)[0]
		began = time.Now()
		_, err := checker.CheckChain(t.Context(), client.chain)
		require.ErrorIs(t, err, revocation.ErrClosed)
		assert.Zero(t, time.Since(began))
	})
}

// finding K82: the first request after a pause, for example of a suspended machine, joined a reading
// that had begun before it, and was judged by lists that had been replaced in between.
func TestChecker_AReadingFromBeforeAPauseDoesNotCountAfterIt(t *testing.T) {
	inBubble(t, "a share hangs when the machine is suspended", func(t *testing.T) {
		w := wire(t)
		gone := newShare(t)
		hostile := w.partner(t, "hostile")
		write(t, filepath.Join(gone.dir, "ca.crl"), w.smallListOf(t, hostile.ca))
		path := filepath.Join(t.TempDir(), "ca.crl")
		write(t, path, encode(t, w.listAt(now.Add(-time.Hour), now.Add(day))))
		checker := w.operated(t, revocation.List{}, func(config *revocation.Config) {
			config.Lists = []revocation.List{{File: path}, {File: filepath.Join(gone.dir, "ca.crl")}}
			config.Issuers = certs(w.ca, hostile.ca)
		})
		checker.OpenWith(gone.open)
		w.says(t, checker, w.client, isGood, nil)
		gone.gone.Store(true)
		w.clock.advance(time.Hour)
		before, after := make(chan certauth.Revocation, 1), make(chan certauth.Revocation, 1)
		ask := func(to chan<- certauth.Revocation) {
			found, err := checker.CheckChain(t.Context(), w.chain(w.client))
			assert.NoError(t, err)
			to <- found
		}
		go ask(before)
		synctest.Wait() // until the share hangs
		write(t, path, encode(t, w.listAt(w.clock.now(), now.Add(day), entryFor(w.client))))
		w.clock.advance(time.Hour)
		go ask(after)
		synctest.Wait()
		close(gone.back)
		assert.Equal(t, certauth.RevocationRevoked, (<-after).Status)
		<-before
	})
}
