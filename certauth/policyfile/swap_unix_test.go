//go:build unix

package policyfile_test

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/policyfile"
)

// If a pipe took the place of the document after the check of its type and before it was opened,
// the reload waited for a writer.
func TestLoad_DoesNotWaitForAPipeInThePlaceOfTheFile(t *testing.T) {
	dir := t.TempDir()
	file, pipe, name, next := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "policy.json"), filepath.Join(dir, "next")
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Link(file, name))
	var group sync.WaitGroup
	stop := make(chan struct{})
	group.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Link([]string{file, pipe}[i%2], next)
			_ = os.Rename(next, name)
			_ = os.Remove(next) // if it was a name of the same file
		}
	})
	ends(t, func() {
		refused := 0
		for range 5000 {
			_, err := policyfile.Load(name, certauth.Config{})
			require.Error(t, err)
			refused++
		}
		assert.Equal(t, 5000, refused)
	})
	close(stop)
	group.Wait()
}
