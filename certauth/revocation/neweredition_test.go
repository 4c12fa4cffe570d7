package revocation_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

// finding K70: of two files with lists of one scope only the newer one counted, even after it had
// expired, although a single file or URL with the same lists, one after the other, is used until the
// last of them expires. As there, the older list proves nobody good whom the newer one revokes.
func TestChecker_AnOlderFileCountsOnceTheNewerOneHasExpired(t *testing.T) {
	for _, order := range [][3]string{{"a", "b", "c"}, {"a", "c", "b"}, {"b", "a", "c"}, {"b", "c", "a"}, {"c", "a", "b"}, {"c", "b", "a"}} {
		inBubble(t, strings.Join(order[:], ", "), func(t *testing.T) {
			w := wire(t)
			dir, revoked, another := t.TempDir(), w.issue(t, "revoked"), w.issue(t, "another")
			write(t, filepath.Join(dir, "a"), encode(t, w.listAt(now.Add(-2*day), now.Add(day), entryFor(revoked))))
			write(t, filepath.Join(dir, "b"), encode(t, w.listAt(now.Add(-3*day), now.Add(5*day), entryFor(another))))
			write(t, filepath.Join(dir, "c"), encode(t, w.listAt(now.Add(-4*day), now.Add(5*day))))
			checker := w.operated(t, revocation.List{}, func(c *revocation.Config) {
				c.Lists, c.PollInterval = nil, 30*day // they are not read again
				for _, name := range order {
					c.Lists = append(c.Lists, revocation.List{File: filepath.Join(dir, name)})
				}
			})
			w.says(t, checker, w.client, isGood, nil)
			w.says(t, checker, another, isGood, nil) // the CA has removed it from the newer one
			w.clock.advance(day + skew + time.Second)
			w.says(t, checker, w.client, isGood, nil)
			w.says(t, checker, revoked, isUnavailable, revocation.ErrNotFresh)
			w.says(t, checker, another, isRevoked, nil)
			require.ErrorIs(t, checker.Ready(), revocation.ErrNotReady, "the newest list has expired")
			write(t, filepath.Join(dir, "a"), encode(t, w.listAt(now.Add(day), now.Add(9*day))))
			require.NoError(t, checker.Preload(t.Context()))
			require.NoError(t, checker.Ready())
			w.says(t, checker, revoked, isGood, nil)
		})
	}
}

// If both have expired, the newer one says what counts within StaleGrace (K27).
func TestChecker_OfTwoExpiredFilesTheNewerCounts(t *testing.T) {
	for name, files := range map[string][2]string{"the newer one first": {"a.crl", "b.crl"}, "the newer one last": {"b.crl", "a.crl"}} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			dir, held := t.TempDir(), w.issue(t, "held")
			write(t, filepath.Join(dir, files[0]), encode(t, w.listAt(now.Add(-2*day), now.Add(-2*time.Hour), entryFor(w.client, ocsptest.ReasonCode(onHold)))))
			write(t, filepath.Join(dir, files[1]), encode(t, w.listAt(now.Add(-3*day), now.Add(-time.Hour), entryFor(held, ocsptest.ReasonCode(onHold)))))
			checker := w.operated(t, revocation.List{Dir: dir}, staleGrace)
			assert.True(t, w.says(t, checker, held, isGood, nil).Stale)
			w.says(t, checker, w.client, isRevoked, nil)
		})
	}
}

// finding K71: a file that had been replaced by an older list, which is refused while the newer one is
// valid, was not read again when that had expired.
func TestChecker_AFileWithAnOlderListCountsOnceTheNewerOneHasExpired(t *testing.T) {
	inBubble(t, "file", func(t *testing.T) {
		w := wire(t)
		path, revoked := filepath.Join(t.TempDir(), "ca.crl"), w.issue(t, "revoked")
		write(t, path, encode(t, w.listAt(now.Add(-2*time.Hour), now.Add(day), entryFor(revoked))))
		checker := w.operated(t, revocation.List{File: path})
		w.says(t, checker, w.client, isGood, nil)
		write(t, path, encode(t, w.listAt(now.Add(-3*day), now.Add(5*day))))
		w.clock.advance(time.Hour)
		w.says(t, checker, w.client, isGood, nil)
		w.clock.advance(2 * day)
		w.says(t, checker, w.client, isGood, nil)
		w.says(t, checker, revoked, isUnavailable, revocation.ErrNotFresh)
	})
}

// finding K72: an older list that had taken the place of one that expired by a clock that was ahead
// stayed there alone when the clock was right again, so certificates that only the newer one revokes
// were good.
func TestChecker_AnOlderListGivesWayWhenTheClockIsPutBack(t *testing.T) {
	for name, c := range map[string]struct {
		config func(*testing.T, *wired) *revocation.Checker
		url    string
	}{
		"at a distribution point": {func(t *testing.T, w *wired) *revocation.Checker { return w.checker(t, crlOnly) }, crlURL},
		"at a URL of the operator": {func(t *testing.T, w *wired) *revocation.Checker {
			return w.operated(t, revocation.List{URL: configuredURL})
		}, configuredURL},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			checker := c.config(t, w)
			w.net.serve(c.url, body(encode(t, w.listAt(now.Add(-time.Hour), now.Add(day), entryFor(w.client)))))
			w.says(t, checker, w.issue(t, "first"), isGood, nil)
			w.net.serve(c.url, body(encode(t, w.listAt(now.Add(-2*day), now.Add(7*day)))))
			w.clock.advance(2 * day)
			w.says(t, checker, w.issue(t, "second"), isGood, nil)
			w.net.serve(c.url, failing(revocation.ErrTransport))
			w.clock.advance(-2 * day)
			w.says(t, checker, w.client, isRevoked, nil)
			w.says(t, checker, w.issue(t, "third"), isGood, nil)
		})
	}
}

// finding K260: a list that arrived while the clock was right, and begins in the future since the clock was set back, was
// ignored, so that SoftFail accepted a client whom it revokes, and an older OCSP response or list made the client good.
func TestChecker_AListThatTheClockWasSetBackBehindStillAccuses(t *testing.T) {
	for name, c := range map[string]struct {
		arrive func(w *wired) // what else there is
		delta  bool
	}{
		"alone":                       {func(w *wired) { w.outage() }, false},
		"beside an OCSP response":     {func(*wired) {}, false},
		"in a delta":                  {func(w *wired) { w.net.serve(ocspURL, failing(revocation.ErrTransport)) }, true},
		"in a delta, and by OCSP not": {func(*wired) {}, true},
	} {
		inBubble(t, name, func(t *testing.T) {
			w := wire(t)
			victim := w.issue(t, "victim")
			list := w.numberedBase(10, now.Add(7*day), entryFor(victim))
			list.ThisUpdate = ocsptest.UTCAt(now)
			if c.delta {
				list = w.numberedBase(10, now.Add(7*day))
				w.net.serve(deltaURL, body(encode(t, w.numberedDelta(10, 11, now, now.Add(7*day), entryFor(victim)))))
			}
			w.net.serve(crlURL, soon(encode(t, list)))
			checker := w.checker(t, softFail, leafOnly)
			w.says(t, checker, w.issue(t, "first", noResponder), isGood, nil)
			c.arrive(w)
			w.clock.advance(-2 * time.Hour)
			_, err := checker.CheckChain(t.Context(), w.chain(victim))
			assert.ErrorContains(t, err, "evidence said revoked")
			w.clock.advance(2 * time.Hour)
			w.says(t, checker, victim, isRevoked, nil)
		})
	}
}
