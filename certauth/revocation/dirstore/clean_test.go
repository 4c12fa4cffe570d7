package dirstore_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
)

// fill sets n values that live for ttl.
func fill(t testing.TB, s *dirstore.Store, name string, n int, ttl time.Duration) {
	t.Helper()
	for i := range n {
		require.NoError(t, s.Set(t.Context(), fmt.Sprintf("%s-%d", name, i), []byte("value"), ttl))
	}
	s.Settle()
}

func TestStore_FilesOfThePastAreRemoved(t *testing.T) {
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

func TestStore_CleansAtMostOnceAMinute(t *testing.T) {
	s, dir, c := newDirectory(t)
	fill(t, s, "first", 1, time.Second)
	c.Advance(time.Minute - time.Nanosecond)
	fill(t, s, "second", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2)
	c.Advance(time.Nanosecond)
	fill(t, s, "third", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2)

	// A clock that goes back does not stop the cleaning for the difference.
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

// finding K106: on a network share the look at 10 000 files took longer than a minute, so that each process
// looked at them all the time.
func TestStore_CleansForAHundredthOfTheTime(t *testing.T) {
	s, dir, c := newDirectory(t)
	fillSlowly := func(name string, took, ttl time.Duration) {
		fill(t, s.At(func() time.Time { // at the beginning and the end of cleaning, too
			c.Advance(took)
			return c.Now()
		}), name, 1, ttl)
		s.At(c.Now)
	}
	fillSlowly("first", 10*time.Second, 5*time.Minute)
	c.Advance(16 * time.Minute)
	fill(t, s, "second", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2, "the first is still there")
	c.Advance(time.Minute)
	fill(t, s, "third", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2)

	c.Advance(time.Minute)
	fillSlowly("fourth", 2*time.Minute, 100*time.Hour)
	fill(t, s, "fifth", 1, time.Second)
	c.Advance(time.Hour)
	fill(t, s, "sixth", 1, time.Hour)
	assert.Len(t, files(t, dir, ".evidence"), 2, "an hour is the longest pause")
}

// finding K7: the directory grew without bound from about seven fetches a second.
func TestStore_IsBoundedByFilesAndBytes(t *testing.T) {
	for name, limit := range map[string]struct {
		files int
		bytes int64
		most  int
	}{
		"by files": {files: 100, bytes: 1 << 30, most: 101},
		"by bytes": {files: 10_000, bytes: 20_000, most: 101},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir, c := newDirectory(t)
			s.WithLimits(limit.files, limit.bytes)
			value := make([]byte, 200)
			const sets = 1000
			for i := range sets {
				require.NoError(t, s.Set(t.Context(), fmt.Sprintf("key-%d", i), value, 24*time.Hour))
				s.Settle()
				c.Advance(50 * time.Millisecond)
				if i%50 == 0 {
					require.LessOrEqual(t, len(files(t, dir, "")), limit.most)
				}
			}
			assert.LessOrEqual(t, len(files(t, dir, "")), limit.most)
			missing(t, s, "key-0")
			found(t, s, fmt.Sprintf("key-%d", sets-1), string(value))
			found(t, s, fmt.Sprintf("key-%d", sets-20), string(value)) // the oldest go first
		})
	}
}

// The files that a process finds when it starts count, whichever process has written them.
func TestStore_IsBoundedOverProcesses(t *testing.T) {
	s, dir, c := newDirectory(t)
	fill(t, s, "before", 300, 24*time.Hour)
	c.Advance(time.Second)
	other := openDirectory(t, dir, c).WithLimits(100, 1<<30)
	fill(t, other, "after", 1, 24*time.Hour)
	assert.LessOrEqual(t, len(files(t, dir, "")), 100)
	found(t, other, "after-0", "value")
}

// A process died while it wrote. Its remains are removed when no process can still be writing them,
// and not before. What is not from this store, or not from this version, is not touched.
func TestStore_LeftoversOfACrash(t *testing.T) {
	s, dir, c := newDirectory(t)
	fill(t, s, "key", 1, time.Hour)
	whole := read(t, onlyFile(t, dir))
	at := func(ahead time.Duration) string { return fmt.Sprint(now.Add(time.Minute + ahead).Unix()) }
	kept, removed := []string{}, []string{}
	for name, old := range map[string]bool{
		"certauth1-" + at(0) + "-ABC.tmp":               false,
		"certauth1-" + at(-10*time.Minute) + "-ABC.tmp": false,
		"certauth1-" + at(10*time.Minute) + "-ABC.tmp":  false,
		"certauth1-" + at(-11*time.Minute) + "-ABC.tmp": true,
		"certauth1-" + at(-11*time.Hour) + "-ABC.tmp":   true,
		"certauth1-" + at(11*time.Minute) + "-ABC.tmp":  true,
		"certauth1-.tmp":          true,
		"certauth1-ABC-12.tmp":    true,
		"certauth1-abc.evidence":  true, // half a file is not evidence
		"certauth2-12-ABC.tmp":    false,
		"certauth2-abc.evidence":  false,
		"certauth1-ABC":           false,
		"certauth1-abc.lease.bak": false,
		"evidence":                false,
		"other.tmp":               false,
		".tmp":                    false,
		"x-certauth1-1-ABC.tmp":   false,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, whole[:headerSize-1], 0o600))
		if old {
			removed = append(removed, path)
		} else {
			kept = append(kept, path)
		}
	}
	half := filepath.Join(dir, "certauth1-def.evidence")
	require.NoError(t, os.WriteFile(half, whole[:headerSize+1], 0o600))
	c.Advance(time.Minute)
	fill(t, s, "next", 1, 2*time.Hour)
	for _, path := range kept {
		assert.FileExists(t, path)
	}
	for _, path := range removed {
		assert.NoFileExists(t, path)
	}
	found(t, openDirectory(t, dir, c), "key-0", "value")
	assert.FileExists(t, half)
	c.Advance(time.Hour)
	fill(t, s, "last", 1, time.Hour)
	assert.NoFileExists(t, half, "it has expired")
}

// Cleaning removes a link, not its target.
func TestStore_CleaningDoesNotFollowLinks(t *testing.T) {
	s, dir, _ := newDirectory(t)
	outside := filepath.Join(t.TempDir(), "outside")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o600))
	link := filepath.Join(dir, "certauth1-abc.evidence")
	if err := os.Symlink(outside, link); err != nil {
		t.Skipf("symbolic links are not supported here: %v", err)
	}
	fill(t, s, "key", 1, time.Hour)
	_, err := os.Lstat(link)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.Equal(t, "precious", string(read(t, outside)))
}

// Files with a date from a clock ahead of this one counted as the newest until that time, so all
// others were removed before them.
func TestStore_WhatIsDatedAheadGoesFirst(t *testing.T) {
	s, dir, c := newDirectory(t)
	c.Advance(24 * time.Hour)
	fill(t, s, "ahead", 5, time.Hour)
	c.Advance(-24 * time.Hour)
	fill(t, s, "now", 5, time.Hour)
	s.WithLimits(10, 1<<20)
	c.Advance(2 * time.Minute)
	fill(t, s, "next", 1, time.Hour)
	for i := range 5 {
		found(t, s, fmt.Sprintf("now-%d", i), "value")
	}
	assert.Len(t, files(t, dir, ".evidence"), 9)
	found(t, s, "next-0", "value")
}
