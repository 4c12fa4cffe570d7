package dirstore_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/dirstore"
)

func TestStore_RemovedWhileRunning(t *testing.T) {
	for name, remove := range map[string]func(t *testing.T, dir string){
		"gone": func(t *testing.T, dir string) { t.Helper(); require.NoError(t, os.RemoveAll(dir)) },
		"now a file": func(t *testing.T, dir string) {
			t.Helper()
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.WriteFile(dir, nil, 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, c := filepath.Join(t.TempDir(), "store"), &hands{}
			require.NoError(t, os.Mkdir(dir, 0o700))
			s := openDirectory(t, dir, c)
			require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
			s.Settle()
			remove(t, dir)
			fails(t, s)

			// When the directory exists again, the store works again.
			require.NoError(t, os.RemoveAll(dir))
			require.NoError(t, os.Mkdir(dir, 0o700))
			missing(t, s, "key")
			require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
			found(t, s, "key", "value")
		})
	}
}

// fails checks that neither operation works.
func fails(t testing.TB, s *dirstore.Store) {
	t.Helper()
	der, ok, err := s.Get(t.Context(), "key")
	assert.ErrorContains(t, err, "revocation: directory store: ")
	assert.False(t, ok)
	assert.Nil(t, der)
	assert.ErrorContains(t, s.Set(t.Context(), "key", []byte("value"), time.Hour), "revocation: directory store: ")
}

func TestStore_DirectoryThatCannotBeWritten(t *testing.T) {
	readOnly := t.TempDir()
	require.NoError(t, os.Chmod(readOnly, 0o500))
	t.Cleanup(func() { require.NoError(t, os.Chmod(readOnly, 0o700)) })
	dir := readOnly
	if os.WriteFile(filepath.Join(dir, "probe"), nil, 0o600) == nil {
		// root may do everything except in the kernel's own file system.
		dir = "/proc/self"
		if _, err := os.Stat(dir); err != nil {
			t.Skip("there is nothing here that cannot be written")
		}
	}
	s := openDirectory(t, dir, &hands{})
	missing(t, s, "key")
	assert.Error(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
}

// A hanging file system is simulated by a hanging clock: both stop a call halfway.
func TestStore_ReturnsWhenTheContextEnds(t *testing.T) {
	s, _, c := newDirectory(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	s.Settle()
	gate := make(chan struct{})
	var hanging atomic.Int32
	s.At(func() time.Time {
		hanging.Add(1)
		<-gate
		return c.Now()
	})
	var callers sync.WaitGroup
	for i := range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		callers.Go(func() {
			switch i % 2 {
			case 0:
				der, ok, err := s.Get(ctx, "key")
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.False(t, ok)
				assert.Nil(t, der)
			case 1:
				assert.ErrorIs(t, s.Set(ctx, "key", []byte("late"), time.Hour), context.DeadlineExceeded)
			}
		})
	}
	callers.Wait()
	assert.LessOrEqual(t, int(hanging.Load()), 16, "hanging calls accumulate")
	close(gate)
	s.Settle()
}

// A caller that gives up waiting may reuse its bytes while they may still have to be written.
func TestStore_SetKeepsACopy(t *testing.T) {
	s, dir, c := newDirectory(t)
	gate := make(chan struct{})
	s.At(func() time.Time {
		<-gate
		return c.Now()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	value := []byte("value")
	require.ErrorIs(t, s.Set(ctx, "key", value, time.Hour), context.DeadlineExceeded)
	copy(value, "XXXXX")
	close(gate)
	s.Settle()
	found(t, openDirectory(t, dir, c), "key", "value")
}

func TestStore_ContextThatHasEnded(t *testing.T) {
	s, dir, _ := newDirectory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Get(ctx, "key")
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorIs(t, s.Set(ctx, "key", []byte("value"), time.Hour), context.Canceled)
	s.Settle()
	assert.Empty(t, files(t, dir, ""))
}
