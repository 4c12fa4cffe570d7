package dirstore_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	maxStored  = 33 << 20
	headerSize = 56
)

// onlyFile returns the only file in dir.
func onlyFile(t testing.TB, dir string) string {
	t.Helper()
	names := files(t, dir, "")
	require.Len(t, names, 1)
	return names[0]
}

// The time of a file is set by the file system; a copy of the directory has another one.
func TestStore_TimesOfFilesMeanNothing(t *testing.T) {
	s, dir, c := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Minute))
	for _, modified := range []time.Time{now.AddDate(-30, 0, 0), now.AddDate(30, 0, 0)} {
		require.NoError(t, os.Chtimes(onlyFile(t, dir), modified, modified))
		found(t, s, "key", "value")
	}
	c.Advance(time.Minute)
	missing(t, s, "key")
}

func TestStore_FilesAreTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits on Windows")
	}
	s, dir, _ := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	names := files(t, dir, "")
	require.Len(t, names, 1)
	for _, name := range names {
		info, err := os.Lstat(name)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode(), name)
		assert.NotContains(t, name, "key")
	}
}

func TestStore_SizeHasALimit(t *testing.T) {
	s, dir, _ := newDirectory(t)
	longest := bytes.Repeat([]byte{1}, maxStored)
	require.NoError(t, s.Set(t.Context(), "key", longest, time.Hour))
	der, ok, err := s.Get(t.Context(), "key")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, bytes.Equal(longest, der))

	err = s.Set(t.Context(), "other", append(longest, 1), time.Hour)
	assert.ErrorIs(t, err, revocation.ErrTooLarge)
	missing(t, s, "other")
	assert.Len(t, files(t, dir, ""), 1)
}

// A file of 512 GiB that takes no space on the disk, and then one that is a byte over the limit.
func TestStore_FilesOverTheLimitAreNotRead(t *testing.T) {
	s, dir, c := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	s.Settle()
	head := read(t, onlyFile(t, dir))[:headerSize]
	for name, length := range map[string]int64{"far over": 512 << 30, "a byte over": maxStored + 1, "far over, of somebody else": 40 << 30} {
		t.Run(name, func(t *testing.T) {
			begin := head
			if strings.Contains(name, "else") {
				begin = bytes.Repeat([]byte{'x'}, len(head))
			}
			require.NoError(t, os.WriteFile(onlyFile(t, dir), begin, 0o600))
			if err := os.Truncate(onlyFile(t, dir), headerSize+length); err != nil {
				t.Skipf("the file system does not support such files: %v", err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			der, ok, err := s.Get(t.Context(), "key")
			runtime.ReadMemStats(&after)
			assert.ErrorIs(t, err, revocation.ErrTooLarge)
			assert.False(t, ok)
			assert.Nil(t, der)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
	require.NoError(t, s.Set(t.Context(), "key", []byte("new"), time.Hour))
	found(t, openDirectory(t, dir, c), "key", "new")
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return content
}

// A file that is incomplete, or for another key, counts as no value, and the next Set replaces it.
func TestStore_ForeignFilesAreMisses(t *testing.T) {
	s, dir, c := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "other", []byte("value of other"), time.Hour))
	s.Settle() // this cleans, so that the following files are not removed
	other := read(t, onlyFile(t, dir))
	require.NoError(t, os.Remove(onlyFile(t, dir)))
	require.NoError(t, s.Set(t.Context(), "key", []byte("value of the key"), time.Hour))
	whole, name := read(t, onlyFile(t, dir)), onlyFile(t, dir)
	head, value := whole[:headerSize], whole[headerSize:]
	with := func(at int, field string) []byte {
		changed := bytes.Clone(whole)
		copy(changed[at:], field)
		return changed
	}
	const writtenAt, expiresAt, sumAt = 8, 16, 24
	cases := map[string][]byte{
		"nothing":                     {},
		"zeros, as after a crash":     make([]byte, len(whole)),
		"zeros in place of the value": append(bytes.Clone(head), make([]byte, len(value))...),
		"a byte more":                 append(bytes.Clone(whole), 'x'),
		"the DER alone":               value,
		"text of somebody else":       []byte("#!/bin/sh\nexit 0\n"),
		"another key's file":          other,
		"a long line":                 bytes.Repeat([]byte("a"), 10_000),
		"a later version":             with(0, "certaut4"),
		"the version before":          append([]byte("certauth-evidence-2 2026-03-02T12:00:00Z 2026-03-02T13:00:00Z 16 00\n"), value...),
		"a time before 1970":          with(expiresAt, "\xff"),
		"a time that is none":         with(expiresAt, strings.Repeat("\x00", 8)),
		"the checksum of nothing":     with(sumAt, strings.Repeat("\x00", 32)),
	}
	for i := range whole {
		cases[fmt.Sprintf("cut after %d bytes", i)] = whole[:i]
		if i < writtenAt || i >= sumAt { // in between there is another time
			changed := bytes.Clone(whole)
			changed[i] ^= 1
			cases[fmt.Sprintf("byte %d changed", i)] = changed
		}
	}
	for what, content := range cases {
		t.Run(what, func(t *testing.T) {
			require.NoError(t, os.WriteFile(name, content, 0o600))
			missing(t, s, "key")
			require.NoError(t, s.Set(t.Context(), "key", []byte("value of the key"), time.Hour))
			found(t, openDirectory(t, dir, c), "key", "value of the key")
		})
	}
}

// Links out of the directory, or within it, are followed neither by reading nor by writing.
func TestStore_LinksAreNotFollowed(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for what, target := range map[string]func(t *testing.T, own string) string{
		"to a file elsewhere that would do": func(t *testing.T, own string) string {
			t.Helper()
			require.NoError(t, os.WriteFile(outside, read(t, own), 0o600))
			return outside
		},
		"to a file of the same directory that would do": func(t *testing.T, own string) string {
			t.Helper()
			beside := own + ".moved"
			require.NoError(t, os.WriteFile(beside, read(t, own), 0o600))
			return filepath.Base(beside)
		},
		"to nothing": func(*testing.T, string) string { return "nothing" },
		"to itself":  func(_ *testing.T, own string) string { return filepath.Base(own) },
	} {
		t.Run(what, func(t *testing.T) {
			s, dir, _ := newDirectory(t)
			require.NoError(t, s.Set(t.Context(), "key", []byte("secret"), time.Hour))
			s.Settle()
			own := onlyFile(t, dir)
			to := target(t, own)
			require.NoError(t, os.Remove(own))
			if err := os.Symlink(to, own); err != nil {
				t.Skipf("symbolic links are not supported here: %v", err)
			}
			missing(t, s, "key")
			require.NoError(t, s.Set(t.Context(), "key", []byte("new"), time.Hour))
			found(t, s, "key", "new")
			info, err := os.Lstat(own)
			require.NoError(t, err)
			assert.True(t, info.Mode().IsRegular(), "the link is still there")
			if to == outside {
				assert.Contains(t, string(read(t, outside)), "secret", "written through the link")
			}
		})
	}
}

func TestStore_ADirectoryInPlaceOfAFile(t *testing.T) {
	s, dir, _ := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	s.Settle()
	own := onlyFile(t, dir)
	require.NoError(t, os.Remove(own))
	require.NoError(t, os.Mkdir(own, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(own, "file"), nil, 0o600))
	missing(t, s, "key")
	assert.Error(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	s.Settle()
	assert.Equal(t, []string{own}, files(t, dir, ""), "a file was left behind")
	assert.Len(t, files(t, own, ""), 1)
}
