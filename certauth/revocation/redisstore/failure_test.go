package redisstore_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

func TestStore_ServerThatDies(t *testing.T) {
	server := startServer(t)
	s := server.store(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	server.kill()
	inTime(t, s, func(t *testing.T, err error) {
		t.Helper()
		assert.ErrorContains(t, err, "redisstore: ")
	})
}

// A hanging server answers nothing for a minute; no caller waits longer than it wants, although the
// client's own timeouts are seconds and it ignores deadlines.
func TestStore_ServerThatHangs(t *testing.T) {
	server := startServer(t)
	s, control := server.store(t), server.client(t)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	require.NoError(t, control.ClientPause(t.Context(), time.Minute).Err())
	inTime(t, s, func(t *testing.T, err error) {
		t.Helper()
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	})
	// Many callers do not leave many goroutines behind.
	before := runtime.NumGoroutine()
	var callers sync.WaitGroup
	for range 500 {
		callers.Go(func() {
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, ok, err := s.Get(short, "key")
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.False(t, ok)
		})
	}
	callers.Wait()
	assert.Less(t, runtime.NumGoroutine()-before, 64+100)
}

// inTime makes each call with 200 ms; it must return before the client would give up.
func inTime(t *testing.T, s *redisstore.Store, want func(t *testing.T, err error)) {
	t.Helper()
	for name, call := range map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error {
			der, ok, err := s.Get(ctx, "key")
			assert.False(t, ok)
			assert.Nil(t, der)
			return err
		},
		"Set": func(ctx context.Context) error { return s.Set(ctx, "key", []byte("value"), time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			began := time.Now()
			err := call(ctx)
			assert.Less(t, time.Since(began), 2*time.Second)
			want(t, err)
		})
	}
}

func TestStore_CancelledWhileTheServerHangs(t *testing.T) {
	server := startServer(t)
	s, control := server.store(t), server.client(t)
	require.NoError(t, control.Ping(t.Context()).Err())
	require.NoError(t, control.ClientPause(t.Context(), time.Minute).Err())
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(50*time.Millisecond, func() { cancel(errors.New("the client went away")) })
	began := time.Now()
	_, ok, err := s.Get(ctx, "key")
	assert.Less(t, time.Since(began), 2*time.Second)
	assert.ErrorIs(t, err, context.Canceled)
	assert.False(t, ok)
}

// The client belongs to the caller.
func TestStore_LeavesTheClientOpen(t *testing.T) {
	server := startServer(t)
	client := server.client(t)
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	assert.NoError(t, client.Ping(t.Context()).Err())

	// When the caller closes it, that causes an error, not a panic.
	require.NoError(t, client.Close())
	_, ok, err := s.Get(t.Context(), "key")
	assert.ErrorIs(t, err, redis.ErrClosed)
	assert.False(t, ok)
}

// A caller that gives up waiting may reuse its bytes while they may still have to be sent.
func TestStore_SetKeepsACopy(t *testing.T) {
	server := startServer(t)
	client := server.client(t)
	gate, sent := make(chan struct{}), make(chan error, 1)
	client.AddHook(hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		if cmd.Name() != "set" {
			return next(ctx, cmd)
		}
		<-gate
		err := next(context.WithoutCancel(ctx), cmd)
		sent <- err
		return err
	}))
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	value := []byte("value")
	require.ErrorIs(t, s.Set(ctx, "key", value, time.Hour), context.DeadlineExceeded)
	copy(value, "XXXXX")
	close(gate)
	require.NoError(t, <-sent)
	found(t, s, "key", "value")
}
