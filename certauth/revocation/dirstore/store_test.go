package dirstore_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
)

var now = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// hands is a clock that stands still until it is advanced.
type hands struct{ passed atomic.Int64 }

func (c *hands) Now() time.Time { return now.Add(time.Duration(c.passed.Load())) }

func (c *hands) Advance(d time.Duration) { c.passed.Add(int64(d)) }

// openDirectory opens a store in dir with the given clock.
func openDirectory(t testing.TB, dir string, c *hands) *dirstore.Store {
	t.Helper()
	s, err := dirstore.New(dir)
	require.NoError(t, err)
	// Background work ends before the directory is removed.
	t.Cleanup(s.Settle)
	return s.At(c.Now)
}

func newDirectory(t testing.TB) (s *dirstore.Store, dir string, c *hands) {
	t.Helper()
	dir, c = t.TempDir(), &hands{}
	return openDirectory(t, dir, c), dir, c
}

// files returns the names in dir that have the suffix.
func files(t testing.TB, dir, suffix string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	names := []string{}
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), suffix) {
			names = append(names, filepath.Join(dir, entry.Name()))
		}
	}
	return names
}

func missing(t testing.TB, s revocation.Store, key string) {
	t.Helper()
	der, ok, err := s.Get(t.Context(), key)
	assert.NoError(t, err)
	assert.False(t, ok)
	assert.Nil(t, der)
}

func found(t testing.TB, s revocation.Store, key, want string) {
	t.Helper()
	der, ok, err := s.Get(t.Context(), key)
	assert.NoError(t, err)
	assert.True(t, ok)
	assert.Equal(t, want, string(der))
}

func TestStore_KeepsTheContract(t *testing.T) {
	dir, c := t.TempDir(), &hands{}
	certauthtest.CheckStore(t, func() revocation.Store { return openDirectory(t, dir, c) }, c.Advance)
}

func TestNew_WantsADirectory(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, tc := range map[string]struct {
		path string
		want error
	}{
		"no path is refused":              {"", revocation.ErrArgument},
		"one that is missing is refused":  {filepath.Join(dir, "missing"), fs.ErrNotExist},
		"a file is refused":               {file, nil},
		"a path below a file is refused":  {filepath.Join(file, "below"), nil},
		"one with a NUL byte is refused":  {dir + "\x00", nil},
		"one of spaces is not made to be": {filepath.Join(dir, "  "), fs.ErrNotExist},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := dirstore.New(tc.path)
			require.Error(t, err)
			assert.Nil(t, s)
			if tc.want != nil {
				assert.ErrorIs(t, err, tc.want)
			}
		})
	}
	assert.Equal(t, []string{file}, files(t, dir, ""), "a file was created")
}

// A relative path keeps the meaning that it had at the start.
func TestNew_KeepsARelativePath(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(dir))
	s, err := dirstore.New(filepath.Base(dir))
	require.NoError(t, err)
	t.Cleanup(s.Settle)
	t.Chdir(t.TempDir())
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	found(t, s, "key", "value")
	assert.Len(t, files(t, dir, ".evidence"), 1)
}

func TestStore_ZeroAndNilAnswerWithErrors(t *testing.T) {
	for name, s := range map[string]*dirstore.Store{"zero": {}, "nil": nil} {
		_, ok, err := s.Get(t.Context(), "key")
		assert.ErrorIs(t, err, revocation.ErrArgument, name)
		assert.False(t, ok, name)
		assert.ErrorIs(t, s.Set(t.Context(), "key", []byte("value"), time.Hour), revocation.ErrArgument, name)
	}
}

// Whatever the key is, its file has a name of the store, and is in its directory.
func TestStore_Keys(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	require.NoError(t, os.Mkdir(dir, 0o700))
	s := openDirectory(t, dir, &hands{})
	keys := map[string]string{
		"letters, digits and hyphens":  "o1-0123456789abcdef-xyz",
		"one letter":                   "a",
		"128 bytes":                    strings.Repeat("a", 128),
		"a name that Windows reserves": "con",
		"10 000 bytes":                 strings.Repeat("a", 10_000),
		"nothing":                      "",
		"an upper-case letter":         "A",
		"a path":                       "a/b",
		"a path from the root":         "/a",
		"a path on Windows":            `a\b`,
		"a path out of the directory":  "../a",
		"the parent":                   "..",
		"a dot":                        "a.b",
		"a NUL byte":                   "a\x00",
		"a line end":                   "a\n",
		"a letter that is not ASCII":   "ä",
	}
	for name, key := range keys {
		require.NoError(t, s.Set(t.Context(), key, []byte(name), time.Hour))
	}
	for name, key := range keys {
		t.Run(name, func(t *testing.T) { found(t, s, key, name) })
	}
	assert.Len(t, files(t, dir, ""), len(keys))
	for _, file := range files(t, dir, "") {
		assert.Regexp(t, `^certauth1-[0-9a-f]{64}\.evidence$`, filepath.Base(file))
	}
	assert.Len(t, files(t, parent, ""), 1)
}

func TestStore_EndsWithItsTime(t *testing.T) {
	s, dir, c := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Minute))
	c.Advance(time.Minute - time.Nanosecond)
	found(t, s, "key", "value")
	found(t, openDirectory(t, dir, c), "key", "value")
	c.Advance(time.Nanosecond)
	missing(t, s, "key")
	missing(t, openDirectory(t, dir, c), "key")
}

func TestStore_SetWithoutTimeDoesNothing(t *testing.T) {
	s, dir, _ := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		require.NoError(t, s.Set(t.Context(), "key", []byte("other"), ttl))
		require.NoError(t, s.Set(t.Context(), "new", []byte("other"), ttl))
	}
	found(t, s, "key", "value")
	missing(t, s, "new")
	assert.Len(t, files(t, dir, ""), 1)
}
