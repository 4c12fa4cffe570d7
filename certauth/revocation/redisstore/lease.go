package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// giveBackLimit bounds how long a lease that nobody heard of is given back.
const giveBackLimit = 5 * time.Second

// endLease deletes a lease if it is still the one that the token stands for. Between a GET
// and a DEL of the client it could pass and be taken by another.
const endLease = `if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0`

// Lease reports whether the caller is the one to fetch: SET with NX and PX, so Redis decides,
// by its own clock. A ttl below a millisecond is an error. release may be called again, and
// after the ttl; it never ends the lease of another. If ctx ends while the lease is being
// taken, it is given back.
//
// Redis forgets leases when it fails over to a replica that has not seen them yet; then two
// fetch. A lease whose answer was lost on the way is held by nobody until its ttl has passed;
// the others wait and fetch.
func (s *Store) Lease(ctx context.Context, key string, ttl time.Duration) (release func(context.Context), granted bool, err error) {
	ttl = ttl.Truncate(time.Millisecond)
	if ttl <= 0 {
		return nil, false, errors.New("redisstore: lease for less than a millisecond")
	}
	token := rand.Text()
	var taken bool
	var failed error
	err = s.beside(ctx, func() { taken, failed = s.take(ctx, s.leaseKey(key), token, ttl) }, func(heard bool) {
		// An error may mean that the server did it and could not say so.
		if !heard && (taken || failed != nil) {
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackLimit)
			defer cancel()
			_ = s.end(late, key, token) // else it ends with its ttl
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, false, wrap(err)
	}
	if !taken {
		return nil, false, nil
	}
	return func(ctx context.Context) {
		_ = s.beside(ctx, func() { _ = s.end(ctx, key, token) }, nil) // else it ends with its ttl
	}, true, nil
}

func (s *Store) take(ctx context.Context, name, token string, ttl time.Duration) (bool, error) {
	answer, err := s.client.SetArgs(ctx, name, token, redis.SetArgs{Mode: "NX", TTL: ttl}).Result()
	switch {
	case errors.Is(err, redis.Nil): // somebody has it
		return false, nil
	case err != nil:
		return false, err
	case answer != "OK":
		return false, fmt.Errorf("SET answered %.20q, want OK", answer)
	}
	return true, nil
}

func (s *Store) end(ctx context.Context, key, token string) error {
	return s.client.Eval(ctx, endLease, []string{s.leaseKey(key)}, token).Err()
}
