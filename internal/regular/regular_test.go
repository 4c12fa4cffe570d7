//go:build unix

package regular_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/regular"
)

func TestOpen_OpensARegularFileAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, []byte("text"), 0o600))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(name, link))
	for _, name := range []string{name, link} {
		file, info, err := regular.Open(name)
		require.NoError(t, err, name)
		content, err := io.ReadAll(file)
		require.NoError(t, err)
		assert.Equal(t, "text", string(content))
		assert.Equal(t, int64(4), info.Size())
		assert.NoError(t, file.Close())
	}
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	toPipe := filepath.Join(dir, "to-pipe")
	require.NoError(t, os.Symlink(pipe, toPipe))
	for name, want := range map[string]error{dir: regular.ErrNot, pipe: regular.ErrNot, toPipe: regular.ErrNot, os.DevNull: regular.ErrNot, filepath.Join(dir, "none"): os.ErrNotExist} {
		file, _, err := regular.Open(name)
		assert.ErrorIs(t, err, want, name)
		assert.Nil(t, file, name)
	}
}
