package revocation_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const cleanBatch = 1024

// fill sets n values that live for ttl.
func fill(t testing.TB, s *revocation.DirectoryStore, name string, n int, ttl time.Duration) {
	t.Helper()
	for i := range n {
		require.NoError(t, s.Set(t.Context(), fmt.Sprintf("%s-%d", name, i), []byte("value"), ttl))
	}
	s.Settle()
}

func TestDirectoryStore_FilesOfThePastAreRemoved(t *testing.T) {
	s, dir, c := newDirectory(t)
	fill(t, s, "short", 20, time.Minute)
	fill(t, s, "long", 5, time.Hour)
	c.Advance(time.Minute)
	require.Len(t, files(t, dir, ".evidence"), 25)
	fill(t, s, "next", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 6)
	for i := range 5 {
		found(t, s, fmt.Sprintf("long-%d", i), "value")
	}
	found(t, s, "next-0", "value")
}

func TestDirectoryStore_CleansAtMostOnceAMinute(t *testing.T) {
	s, dir, c := newDirectory(t)
	fill(t, s, "first", 1, time.Second)
	c.Advance(time.Minute - time.Nanosecond)
	fill(t, s, "second", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2)
	c.Advance(time.Nanosecond)
	fill(t, s, "third", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2)

	// A clock that went back does not stop it for as long as it went back.
	c.Advance(-time.Hour)
	fill(t, s, "fourth", 1, time.Second)
	c.Advance(time.Minute)
	fill(t, s, "fifth", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 3)
	missing(t, s, "fourth-0")
	for _, key := range []string{"second-0", "third-0", "fifth-0"} {
		found(t, s, key, "value")
	}
}

// However many files there are, one run looks at a batch, and the runs get to all of them.
func TestDirectoryStore_CleansABatchAtATime(t *testing.T) {
	s, dir, c := newDirectory(t)
	const live, dead = cleanBatch, cleanBatch * 5 / 4
	fill(t, s, "live", live, 24*time.Hour)
	fill(t, s, "dead", dead, time.Minute)
	require.Len(t, files(t, dir, ".evidence"), live+dead)
	runs := 0
	for before := live + dead; before > live+runs; runs++ {
		require.Less(t, runs, 6, "it does not get to all of them")
		c.Advance(time.Minute)
		fill(t, s, fmt.Sprintf("run-%d", runs), 1, 24*time.Hour)
		after := len(files(t, dir, ".evidence"))
		require.LessOrEqual(t, before+1-after, cleanBatch)
		before = after
	}
	for i := range live {
		found(t, s, fmt.Sprintf("live-%d", i), "value")
	}
}

// A process died while it wrote. What it left is removed when nobody can be writing it any
// more, not before.
func TestDirectoryStore_LeftoversOfACrash(t *testing.T) {
	s, dir, c := newDirectory(t)
	period := func(ahead int) string { return fmt.Sprint(now.Unix()/600 + int64(ahead)) }
	kept, removed := []string{}, []string{}
	for name, old := range map[string]bool{
		"certauth1-ABC-" + period(0) + ".tmp":    false,
		"certauth1-ABC-" + period(-1) + ".tmp":   false,
		"certauth1-ABC-" + period(1) + ".tmp":    false,
		"certauth1-ABC-" + period(-2) + ".tmp":   true,
		"certauth1-ABC-" + period(-900) + ".tmp": true,
		"certauth1-ABC-" + period(2) + ".tmp":    true,
		"certauth1-ABC-" + period(0) + ".claim":  false,
		"certauth1-ABC-" + period(-1) + ".claim": false,
		"certauth1-ABC-" + period(-2) + ".claim": true,
		"certauth1-.tmp":                         true,
		"certauth1-a-b.claim":                    true,
		// Not of this store, or not of this version.
		"certauth2-ABC-" + period(-2) + ".tmp": false,
		"certauth1-ABC":                        false,
		"certauth1-abc.lease.bak":              false,
		"evidence":                             false,
		"other.tmp":                            false,
		".tmp":                                 false,
		"x-certauth1-ABC-1.tmp":                false,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("half of a li"), 0o600))
		if old {
			removed = append(removed, path)
		} else {
			kept = append(kept, path)
		}
	}
	// Half a file under a name of the store is nobody's evidence.
	half := filepath.Join(dir, "certauth1-abc.evidence")
	require.NoError(t, os.WriteFile(half, []byte("certauth-evidence-1 2030-"), 0o600))
	removed = append(removed, half)
	fill(t, s, "key", 1, time.Hour)
	for _, path := range kept {
		assert.FileExists(t, path)
	}
	for _, path := range removed {
		assert.NoFileExists(t, path)
	}
	found(t, openDirectory(t, dir, c), "key-0", "value")
}

// Cleaning removes a link, not what it leads to.
func TestDirectoryStore_CleaningDoesNotFollowLinks(t *testing.T) {
	s, dir, _ := newDirectory(t)
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o600))
	link := filepath.Join(dir, "certauth1-abc.evidence")
	if err := os.Symlink(outside, link); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	fill(t, s, "key", 1, time.Hour)
	_, err := os.Lstat(link)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, "precious", string(read(t, outside)))
}

// Who cleans a lease away must not take the one that replaced it a moment before.
func TestDirectoryStore_CleaningLeavesALeaseThatWasJustTaken(t *testing.T) {
	dir, c := t.TempDir(), &hands{}
	stores := make([]*revocation.DirectoryStore, 8)
	for i := range stores {
		stores[i] = openDirectory(t, dir, c)
	}
	for round := range 100 {
		// Each store cleans at once, beside its own callers and before those of others.
		first, _ := race(t, stores, "key", time.Minute)
		for _, s := range stores {
			s.Settle()
		}
		second, _ := race(t, stores, "key", time.Minute)
		require.Equal(t, 1, first+second, "round %d", round)
		c.Advance(2 * time.Hour)
	}
}

// Leases and claims go as well: a responder that is down for a year fills no disk.
func TestDirectoryStore_LeasesOfThePastAreRemoved(t *testing.T) {
	s, dir, c := newDirectory(t)
	for hour := range 48 {
		for i := range 5 {
			release, granted := take(t, s, fmt.Sprintf("key-%d-%d", hour, i), time.Minute)
			require.True(t, granted)
			if i%2 == 0 {
				release(t.Context())
			}
		}
		s.Settle()
		c.Advance(time.Hour)
	}
	assert.LessOrEqual(t, len(files(t, dir, "")), 5*2*4, "at most two hours of leases, each with its claims")

	// A lease that holds stays, and so does its meaning.
	_, granted := take(t, s, "held", 24*time.Hour)
	require.True(t, granted)
	for range 20 {
		s.Settle()
		c.Advance(time.Hour)
		_, granted = take(t, s, "held", time.Hour)
		assert.False(t, granted)
	}
	s.Settle()
	c.Advance(6 * time.Hour)
	fill(t, s, "last", 1, time.Hour)
	c.Advance(2 * time.Hour)
	fill(t, s, "last", 1, time.Hour)
	assert.Empty(t, files(t, dir, ".lease"))
	_, granted = take(t, s, "held", time.Hour)
	assert.True(t, granted)
}
