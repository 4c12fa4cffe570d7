package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// A lease whose caller gave up while Redis granted it is given back: the others need not
// wait for its end.
func TestStore_LeaseThatNobodyHeardOfIsGivenBack(t *testing.T) {
	server := startServer(t)
	client := server.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	granted, ended := make(chan struct{}), make(chan error, 1)
	client.AddHook(hook(func(of context.Context, cmd redis.Cmder, next redis.ProcessHook) error {
		err := next(of, cmd)
		switch cmd.Name() {
		case "set":
			cancel() // the caller goes when the lease is taken, and before it hears so
			<-granted
		case "eval":
			ended <- err
		}
		return err
	}))
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	release, ok, err := s.Lease(ctx, "key", time.Hour)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, ok)
	require.Nil(t, release)

	other := server.store(t)
	_, ok, err = other.Lease(t.Context(), "key", time.Hour)
	require.NoError(t, err)
	require.False(t, ok, "Redis has not granted it")
	close(granted)
	require.NoError(t, <-ended)
	_, ok, err = other.Lease(t.Context(), "key", time.Hour)
	require.NoError(t, err)
	assert.True(t, ok)
}

// A holder that was slow ends nothing: what it held has passed and belongs to another.
func TestStore_ReleaseEndsOnesOwnLeaseOnly(t *testing.T) {
	server := startServer(t)
	one, other, control := server.store(t), server.store(t), server.client(t)
	late, granted, err := one.Lease(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	require.True(t, granted)
	first := control.Get(t.Context(), leaseName).Val()
	advance(t, control, time.Minute)
	_, granted, err = other.Lease(t.Context(), "key", time.Minute)
	require.NoError(t, err)
	require.True(t, granted)
	second := control.Get(t.Context(), leaseName).Val()
	assert.NotEqual(t, first, second)
	assert.GreaterOrEqual(t, len(first), 26, "128 bits of chance")
	for range 3 {
		late(t.Context())
	}
	assert.Equal(t, second, control.Get(t.Context(), leaseName).Val())
}

// Somebody else's answers are not taken for a grant.
func TestStore_OddAnswerIsNoLease(t *testing.T) {
	server := startServer(t)
	client := server.client(t)
	client.AddHook(hook(func(_ context.Context, cmd redis.Cmder, _ redis.ProcessHook) error {
		if status, ok := cmd.(*redis.StatusCmd); ok {
			status.SetVal("QUEUED")
		}
		return nil
	}))
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	release, granted, err := s.Lease(t.Context(), "key", time.Hour)
	assert.ErrorContains(t, err, "QUEUED")
	assert.False(t, granted)
	assert.Nil(t, release)
}
