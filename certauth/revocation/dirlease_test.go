package revocation_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	filePeriod  = 10 * time.Minute
	claimMargin = time.Minute
)

// take asks for a lease and says whether it was granted.
func take(t testing.TB, s revocation.Leaser, key string, ttl time.Duration) (release func(context.Context), granted bool) {
	t.Helper()
	release, granted, err := s.Lease(t.Context(), key, ttl)
	require.NoError(t, err)
	require.Equal(t, granted, release != nil)
	return release, granted
}

// race lets many goroutines, each with a store of its own, ask at once; it returns how many
// are granted the lease, and the last one's release.
func race(t testing.TB, stores []*revocation.DirectoryStore, key string, ttl time.Duration) (winners int, release func(context.Context)) {
	t.Helper()
	releases := make([]func(context.Context), len(stores))
	start := make(chan struct{})
	var group sync.WaitGroup
	for i, s := range stores {
		group.Go(func() {
			<-start
			var err error
			releases[i], _, err = s.Lease(t.Context(), key, ttl)
			assert.NoError(t, err)
		})
	}
	close(start)
	group.Wait()
	for _, r := range releases {
		if r != nil {
			winners++
			release = r
		}
	}
	return winners, release
}

// Free, held, released, passed, over and over, and at each place within a period: there is
// one winner, or none while it is held.
func TestDirectoryStore_OneOfManyIsGrantedALease(t *testing.T) {
	dir, c := t.TempDir(), &hands{}
	stores := make([]*revocation.DirectoryStore, 24)
	for i := range stores {
		stores[i] = openDirectory(t, dir, c)
	}
	for round := range 60 {
		winners, release := race(t, stores, "key", time.Minute)
		require.Equal(t, 1, winners, "round %d, free", round)
		winners, _ = race(t, stores, "key", time.Minute)
		require.Equal(t, 0, winners, "round %d, held", round)
		if round%2 == 0 {
			release(t.Context())
		} else {
			c.Advance(time.Minute)
		}
		c.Advance(7 * time.Second)
	}
}

// The clocks of machines differ. Whoever is early or late by less than the margin, there is
// never a second winner, on either side of the border of two periods.
func TestDirectoryStore_ClocksThatDiffer(t *testing.T) {
	start := now.Truncate(filePeriod)
	require.Equal(t, now, start, "the test's clock stands at a border")
	for offset := -3 * time.Minute; offset <= 3*time.Minute; offset += 10 * time.Second {
		t.Run(offset.String(), func(t *testing.T) {
			dir := t.TempDir()
			var stores []*revocation.DirectoryStore
			for i := range 12 {
				c := &hands{}
				c.Advance(offset + time.Duration(i)*claimMargin/12)
				stores = append(stores, openDirectory(t, dir, c))
			}
			winners, _ := race(t, stores, "key", time.Hour)
			assert.Equal(t, 1, winners)
		})
	}
}

func TestDirectoryStore_LeaseEndsWithItsTime(t *testing.T) {
	s, dir, c := newDirectory(t)
	other := openDirectory(t, dir, c)
	_, granted := take(t, s, "key", time.Minute)
	require.True(t, granted)
	c.Advance(time.Minute - time.Nanosecond)
	_, granted = take(t, other, "key", time.Minute)
	assert.False(t, granted)
	c.Advance(time.Nanosecond)
	_, granted = take(t, other, "key", time.Minute)
	assert.True(t, granted)
}

func TestDirectoryStore_LeaseWithoutTimeIsRefused(t *testing.T) {
	s, dir, _ := newDirectory(t)
	for _, ttl := range []time.Duration{0, -time.Second} {
		release, granted, err := s.Lease(t.Context(), "key", ttl)
		assert.ErrorIs(t, err, revocation.ErrArgument)
		assert.False(t, granted)
		assert.Nil(t, release)
	}
	assert.Empty(t, files(t, dir, ""))
}

// A former holder's release comes late, more than once, or while the lease changes hands.
func TestDirectoryStore_ReleaseEndsOnesOwnLeaseOnly(t *testing.T) {
	s, dir, c := newDirectory(t)
	other := openDirectory(t, dir, c)
	late, granted := take(t, s, "key", time.Minute)
	require.True(t, granted)
	c.Advance(time.Minute)
	_, granted = take(t, other, "key", time.Minute)
	require.True(t, granted)
	for range 3 {
		late(t.Context())
	}
	_, granted = take(t, s, "key", time.Minute)
	assert.False(t, granted, "a release ended the lease of another")
	c.Advance(time.Minute)
	_, granted = take(t, other, "key", 24*time.Hour)
	require.True(t, granted)
	c.Advance(12 * time.Hour) // nothing is left of how the lease changed hands
	take(t, other, "cleans", time.Hour)
	other.Settle()
	late(t.Context())
	_, granted = take(t, s, "key", time.Minute)
	assert.False(t, granted, "a late release ended the lease of another")
	c.Advance(12 * time.Hour)

	for round := range 50 {
		c.Advance(time.Minute)
		own, granted := take(t, s, "key", time.Minute)
		require.True(t, granted)
		c.Advance(time.Minute)
		var group sync.WaitGroup
		group.Go(func() { own(t.Context()) })
		_, taken := take(t, other, "key", time.Minute)
		group.Wait()
		_, again := take(t, other, "key", time.Minute)
		require.False(t, taken && again, "round %d: held twice", round)
		c.Advance(time.Minute)
	}
}

func TestDirectoryStore_ReleaseWithAContextThatHasEnded(t *testing.T) {
	s, _, c := newDirectory(t)
	release, granted := take(t, s, "key", time.Minute)
	require.True(t, granted)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	release(ctx)
	_, granted = take(t, s, "key", time.Minute)
	assert.False(t, granted)
	c.Advance(time.Minute)
	_, granted = take(t, s, "key", time.Minute)
	assert.True(t, granted)
}

// A process died between its claim and its lease. The key has no leases until the claim has
// lost its meaning, 12 minutes later at most; then there is one winner again.
func TestDirectoryStore_ClaimOfTheDeadEnds(t *testing.T) {
	for _, at := range []time.Duration{0, time.Second, 5 * time.Minute, filePeriod - claimMargin, filePeriod - time.Second} {
		t.Run(at.String(), func(t *testing.T) {
			s, dir, c := newDirectory(t)
			c.Advance(at)
			_, granted := take(t, s, "key", time.Second)
			require.True(t, granted)
			for _, name := range files(t, dir, ".lease") {
				require.NoError(t, os.Remove(name))
			}
			c.Advance(time.Second)
			_, granted = take(t, s, "key", time.Second)
			assert.False(t, granted)
			c.Advance(12 * time.Minute)
			stores := []*revocation.DirectoryStore{s, openDirectory(t, dir, c), openDirectory(t, dir, c), openDirectory(t, dir, c)}
			winners, _ := race(t, stores, "key", time.Minute)
			assert.Equal(t, 1, winners)
		})
	}
}

// Who looked at a lease, slept, and woke when it had long changed hands, does not get it.
func TestDirectoryStore_WhoWasHeldUpIsNotGranted(t *testing.T) {
	s, _, c := newDirectory(t)
	calls := 0
	s.At(func() time.Time { // it looks at the clock when it begins, and before it replaces
		calls++
		if calls == 2 {
			c.Advance(claimMargin + 1)
		}
		return c.Now()
	})
	_, granted := take(t, s, "key", time.Hour)
	assert.False(t, granted)
	s.Settle()
	assert.GreaterOrEqual(t, calls, 2)
	s.At(c.Now)
	c.Advance(12 * time.Minute)
	_, granted = take(t, s, "key", time.Hour)
	assert.True(t, granted)
}

// A lease file of somebody else, or of a clock far ahead, is in nobody's way.
func TestDirectoryStore_ForeignLeases(t *testing.T) {
	ahead := now.Add(24 * time.Hour).UnixNano()
	for name, content := range map[string]string{
		"nothing":                    "",
		"text":                       "held",
		"zeros":                      strings.Repeat("\x00", 64),
		"a mebibyte":                 strings.Repeat("a", 1<<20),
		"a time that is no number":   "certauth-lease-1 x y z\n",
		"a lease from tomorrow":      fmt.Sprintf("certauth-lease-1 %d %d AAAA\n", ahead, ahead+int64(time.Hour)),
		"a lease that ended at once": fmt.Sprintf("certauth-lease-1 %d %d AAAA\n", now.UnixNano(), now.UnixNano()),
		"a later version":            fmt.Sprintf("certauth-lease-2 %d %d AAAA\n", now.UnixNano(), now.Add(time.Hour).UnixNano()),
	} {
		t.Run(name, func(t *testing.T) {
			s, dir, c := newDirectory(t)
			_, granted := take(t, s, "key", time.Hour)
			require.True(t, granted)
			s.Settle()
			require.NoError(t, os.WriteFile(files(t, dir, ".lease")[0], []byte(content), 0o600))
			stores := []*revocation.DirectoryStore{s, openDirectory(t, dir, c), openDirectory(t, dir, c), openDirectory(t, dir, c)}
			winners, _ := race(t, stores, "key", time.Hour)
			assert.Equal(t, 1, winners)
			_, granted = take(t, s, "key", time.Hour)
			assert.False(t, granted)
		})
	}
}

func TestDirectoryStore_LeaseIsNotWrittenThroughALink(t *testing.T) {
	s, dir, _ := newDirectory(t)
	release, granted := take(t, s, "key", time.Hour)
	require.True(t, granted)
	release(t.Context())
	s.Settle()
	lease := files(t, dir, ".lease")[0]
	outside := dir + "-outside"
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o600))
	t.Cleanup(func() { assert.NoError(t, os.Remove(outside)) })
	require.NoError(t, os.Remove(lease))
	if err := os.Symlink(outside, lease); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	_, _, err := s.Lease(t.Context(), "key", time.Hour)
	require.NoError(t, err)
	s.Settle()
	assert.Equal(t, "precious", string(read(t, outside)))
}
