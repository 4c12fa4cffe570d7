package redisstore_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

const maxValue = 33 << 20

func TestStore_SizeHasALimit(t *testing.T) {
	server := startServer(t)
	s := server.store(t)
	longest := bytes.Repeat([]byte{1}, maxValue)
	require.NoError(t, s.Set(t.Context(), "key", longest, time.Hour))
	der, ok, err := s.Get(t.Context(), "key")
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, bytes.Equal(longest, der))
	assert.ErrorIs(t, s.Set(t.Context(), "other", append(longest, 1), time.Hour), revocation.ErrTooLarge)
	missing(t, s, "other")
}

// A planted value is not loaded; the next Set replaces it.
func TestStore_ValuesOverTheLimitAreNotLoaded(t *testing.T) {
	server := startServer(t)
	s, control := server.store(t), server.client(t)
	for name, length := range map[string]int64{"a byte over": maxValue + 1, "128 MiB": 128 << 20} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, control.SetRange(t.Context(), valueName, length-1, "x").Err())
			tooLarge(t, s, 1<<20)
			require.NoError(t, s.Set(t.Context(), "key", []byte("new"), time.Hour))
			found(t, s, "key", "new")
		})
	}
}

// tooLarge requires that the value is refused, and that little memory is taken for it.
func tooLarge(t *testing.T, s *redisstore.Store, most uint64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	der, ok, err := s.Get(t.Context(), "key")
	runtime.ReadMemStats(&after)
	assert.ErrorIs(t, err, revocation.ErrTooLarge)
	assert.False(t, ok)
	assert.Nil(t, der)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, most)
}

// The value grows after its length was read: no more than the limit is loaded.
func TestStore_ValueThatGrowsWhileItIsRead(t *testing.T) {
	server := startServer(t)
	client, control := server.client(t), server.client(t)
	client.AddHook(hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		if cmd.Name() == "strlen" {
			require.NoError(t, control.SetRange(context.WithoutCancel(ctx), valueName, 128<<20, "x").Err())
		}
		return err
	}))
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	tooLarge(t, s, 40<<20)
}

// The value is deleted after its length was read.
func TestStore_ValueThatGoesWhileItIsRead(t *testing.T) {
	server := startServer(t)
	client, control := server.client(t), server.client(t)
	client.AddHook(hook(func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(ctx, cmd)
		if cmd.Name() == "strlen" {
			require.NoError(t, control.Del(context.WithoutCancel(ctx), valueName).Err())
		}
		return err
	}))
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	missing(t, s, "key")
}

// The key of a value contains a list.
func TestStore_WrongTypeIsAnError(t *testing.T) {
	server := startServer(t)
	s, control := server.store(t), server.client(t)
	require.NoError(t, control.LPush(t.Context(), valueName, "value").Err())
	der, ok, err := s.Get(t.Context(), "key")
	assert.ErrorContains(t, err, "redisstore: WRONGTYPE")
	assert.False(t, ok)
	assert.Nil(t, der)
	require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
	found(t, s, "key", "value")
}
