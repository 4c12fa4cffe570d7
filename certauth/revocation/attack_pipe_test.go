//go:build unix

package revocation_test

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

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

// finding K38: if a list file became a pipe after the check of its type and before it was opened, the reload waited forever, and
// Close with it.
func TestRevocation_AFileThatBecomesAPipeIsNotWaitedFor(t *testing.T) {
	w := wire(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	checker := w.operated(t, revocation.List{File: at("ca.crl")})
	write(t, at("list"), encode(t, w.list()))
	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	stop, over := make(chan struct{}), sync.WaitGroup{}
	over.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			_ = os.Link(at([]string{"list", "pipe"}[i%2]), at("next"))
			_ = os.Rename(at("next"), at("ca.crl"))
		}
	})
	for range 30_000 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_ = checker.Refresh(ctx)
		hangs := ctx.Err() != nil
		cancel()
		if !assert.False(t, hangs, "it waits for the pipe") {
			break
		}
	}
	close(stop)
	over.Wait()
	if t.Failed() { // so that Close ends
		writer, err := os.OpenFile(at("pipe"), os.O_RDWR, 0)
		require.NoError(t, err)
		require.NoError(t, writer.Close())
	}
}
