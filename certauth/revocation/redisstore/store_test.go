package redisstore_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// The names of the keys in Redis.
const (
	valueName = "certauth:revocation:evidence:key"
)

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
	server := startServer(t)
	control := server.client(t)
	certauthtest.CheckStore(t, func() revocation.Store { return server.store(t) }, func(d time.Duration) { advance(t, control, d) })
}

func TestNew_WantsAClient(t *testing.T) {
	for name, client := range map[string]redis.UniversalClient{
		"none":              nil,
		"a nil client":      (*redis.Client)(nil),
		"a nil ring":        (*redis.Ring)(nil),
		"a nil for cluster": (*redis.ClusterClient)(nil),
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.New(client, redisstore.Options{})
			assert.ErrorContains(t, err, "client: nil")
			assert.Nil(t, s)
		})
	}
}

func TestStore_ZeroAndNilAnswerWithErrors(t *testing.T) {
	for name, s := range map[string]*redisstore.Store{"zero": {}, "nil": nil} {
		der, ok, err := s.Get(t.Context(), "key")
		assert.Error(t, err, name)
		assert.False(t, ok, name)
		assert.Nil(t, der, name)
		assert.Error(t, s.Set(t.Context(), "key", []byte("value"), time.Hour), name)
	}
}

func TestStore_NamesInRedis(t *testing.T) {
	server := startServer(t)
	control := server.client(t)
	for name, tc := range map[string]struct {
		options redisstore.Options
		want    []string
	}{
		"by default":           {redisstore.Options{}, []string{valueName}},
		"with a prefix of own": {redisstore.Options{Prefix: "pay/"}, []string{"pay/evidence:key"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, control.FlushAll(t.Context()).Err())
			s, err := redisstore.New(server.client(t), tc.options)
			require.NoError(t, err)
			require.NoError(t, s.Set(t.Context(), "key", []byte("value"), time.Hour))
			names, err := control.Keys(t.Context(), "*").Result()
			require.NoError(t, err)
			assert.ElementsMatch(t, tc.want, names)
		})
	}
}

func TestStore_PrefixesAreApart(t *testing.T) {
	server := startServer(t)
	one := server.store(t)
	other, err := redisstore.New(server.client(t), redisstore.Options{Prefix: "other:"})
	require.NoError(t, err)
	require.NoError(t, one.Set(t.Context(), "key", []byte("value"), time.Hour))
	missing(t, other, "key")
}

// A value without a time to live would stay forever.
func TestStore_EverythingEnds(t *testing.T) {
	server := startServer(t)
	s, control := server.store(t), server.client(t)
	for _, ttl := range []time.Duration{0, -1, -time.Hour, time.Millisecond - 1} {
		require.NoError(t, s.Set(t.Context(), "key", []byte("value"), ttl))
	}
	assert.Zero(t, control.DBSize(t.Context()).Val())
	for _, ttl := range []time.Duration{time.Minute, time.Minute + 999*time.Microsecond, 90*time.Second + 500*time.Millisecond, 1<<63 - 1} {
		require.NoError(t, control.FlushAll(t.Context()).Err())
		require.NoError(t, s.Set(t.Context(), "key", []byte("value"), ttl))
		left := control.PTTL(t.Context(), valueName).Val()
		assert.LessOrEqual(t, left, ttl)
		assert.Greater(t, left, ttl-30*time.Second)
	}
}

// The user in the package's documentation may do everything that the store does, and no more.
func TestStore_TheDocumentedUserIsEnough(t *testing.T) {
	server := startServer(t)
	control := server.client(t)
	line := "ACL SETUSER certauth on >secret ~certauth:revocation:* +strlen +getrange +set"
	documented, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Contains(t, string(documented), line)
	var arguments []any
	for word := range strings.FieldsSeq(line) {
		arguments = append(arguments, word)
	}
	require.NoError(t, control.Do(t.Context(), arguments...).Err())
	open := func() revocation.Store {
		s, err := redisstore.New(server.client(t, func(o *redis.Options) { o.Username, o.Password = "certauth", "secret" }), redisstore.Options{})
		require.NoError(t, err)
		return s
	}
	certauthtest.CheckStore(t, open, func(d time.Duration) { advance(t, control, d) })
	elsewhere, err := redisstore.New(server.client(t, func(o *redis.Options) { o.Username, o.Password = "certauth", "secret" }), redisstore.Options{Prefix: "elsewhere:"})
	require.NoError(t, err)
	assert.ErrorContains(t, elsewhere.Set(t.Context(), "key", []byte("value"), time.Hour), "NOPERM")
}
