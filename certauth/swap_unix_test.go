//go:build unix

package certauth_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// If a pipe took the place of a file after the check of its type and before it was opened, every
// later reload of it waited for a writer.
func TestReload_DoesNotWaitForAPipeInThePlaceOfAFile(t *testing.T) {
	ca := certauthtest.NewCA(t, "CA")
	dir := t.TempDir()
	file, pipe, name, next := filepath.Join(dir, "file"), filepath.Join(dir, "pipe"), filepath.Join(dir, "roots.pem"), filepath.Join(dir, "next")
	require.NoError(t, os.WriteFile(file, ca.PEM(), 0o600))
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, os.Link(file, name))
	auth, err := certauth.New(certauth.Config{
		Source: forwarded.RFC9440{From: forwarded.InsecureAnyPeer()},
		Policy: certauth.Chain{Roots: certauth.PEMFile(name)},
	})
	require.NoError(t, err)
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
	// A reload that hangs is abandoned after 30 seconds; the assertion then fails.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	for range 5000 {
		if err := auth.Reload(ctx); err != nil {
			require.NotContains(t, err.Error(), "no answer in time")
			require.ErrorContains(t, err, "not a regular file")
		}
	}
	close(stop)
	group.Wait()
	_ = os.Remove(name)
	require.NoError(t, os.Link(file, name))
	assert.NoError(t, auth.Reload(t.Context()))
}
