package redisstore_test

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/redisstore"
)

// server is a separate redis-server for a test, on a socket in the file system, so that no port is
// used.
type server struct {
	socket  string
	command *exec.Cmd
	stop    sync.Once
}

func startServer(t testing.TB) *server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CERTAUTH_REQUIRE_REAL") == "1" {
			t.Fatal("CERTAUTH_REQUIRE_REAL=1: redis-server is not installed")
		}
		t.Skip("redis-server is not installed (Debian package redis-server)")
	}
	dir, err := os.MkdirTemp("", "redis") //nolint:usetesting // short: a socket's path has 104 bytes at most
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s := &server{socket: filepath.Join(dir, "s")}
	s.command = exec.Command(path, "--port", "0", "--unixsocket", s.socket, "--unixsocketperm", "700",
		"--save", "", "--appendonly", "no", "--dir", dir, "--daemonize", "no", "--logfile", "")
	out, err := s.command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.command.Start())
	t.Cleanup(s.kill)
	log := bufio.NewScanner(out)
	text := ""
	for log.Scan() {
		text += log.Text() + "\n"
		if strings.Contains(log.Text(), "ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return s
		}
	}
	t.Fatalf("redis-server did not start:\n%s", text)
	return nil
}

// kill ends the server at once, without informing its clients.
func (s *server) kill() {
	s.stop.Do(func() {
		_ = s.command.Process.Kill()
		_ = s.command.Wait() // "signal: killed"
	})
}

// client returns a client with the defaults of go-redis: its own timeouts are longer than those of
// callers, and it ignores deadlines.
func (s *server) client(t testing.TB, change ...func(*redis.Options)) *redis.Client {
	t.Helper()
	o := &redis.Options{Network: "unix", Addr: s.socket}
	for _, f := range change {
		f(o)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// store returns the store of an instance of a service, with its own client.
func (s *server) store(t testing.TB) *redisstore.Store {
	t.Helper()
	store, err := redisstore.New(s.client(t), redisstore.Options{})
	require.NoError(t, err)
	return store
}

// advance shortens the remaining life of every key, as if the time had passed.
func advance(t testing.TB, c *redis.Client, d time.Duration) {
	t.Helper()
	ctx := t.Context()
	names, err := c.Keys(ctx, "*").Result()
	require.NoError(t, err)
	for _, name := range names {
		left, err := c.PTTL(ctx, name).Result()
		require.NoError(t, err)
		require.GreaterOrEqual(t, left, time.Duration(-2), "%s lives forever", name)
		require.NotEqual(t, time.Duration(-1), left, "%s lives forever", name)
		if left <= d {
			require.NoError(t, c.Del(ctx, name).Err())
		} else {
			require.NoError(t, c.PExpire(ctx, name, left-d).Err())
		}
	}
}

// hook lets a test intercept the calls between the store and the server.
type hook func(ctx context.Context, cmd redis.Cmder, next redis.ProcessHook) error

func (hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h(ctx, cmd, next) }
}

func (hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
