package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	// DefaultPrefix precedes every key unless Options say otherwise.
	DefaultPrefix = "certauth:revocation:"

	maxValue = 33 << 20 // bytes of a value; the longest CRL that is fetched has 32 MiB
	maxCalls = 64       // that a hanging server leaves behind
)

// Options configures a Store. The zero value means the defaults.
type Options struct {
	// Prefix precedes every key. The default is DefaultPrefix. Services that trust the same CAs
	// can use the same prefix; they then share evidence and nothing else.
	Prefix string
}

// Store keeps evidence in Redis. It is a [revocation.Store] and safe for concurrent use. It does
// nothing between calls, closes nothing, and logs nothing; the caller keeps the client. The zero
// value and nil return errors.
//
// Each call returns when its ctx ends, regardless of the timeouts of the client. Errors are those
// of the client, or [revocation.ErrTooLarge] for a value over 33 MiB, whether stored or found; no
// value is returned together with an error. An empty value is not distinguished from a missing
// one.
type Store struct {
	client redis.UniversalClient
	prefix string
	calls  chan struct{}
}

var _ revocation.Store = (*Store)(nil)

// New returns a Store that uses the client. A nil client is an error. New sends nothing.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("redisstore: client: nil")
	}
	return &Store{client: client, prefix: cmp.Or(o.Prefix, DefaultPrefix), calls: make(chan struct{}, maxCalls)}, nil
}

// Get returns the evidence stored under the key, or false. It sends two commands for a value and
// one if there is none: the length comes first, so that a planted value of 512 MB is not loaded.
func (s *Store) Get(ctx context.Context, key string) (der []byte, ok bool, err error) {
	var found []byte // not der: the caller may have returned by then
	err = s.beside(ctx, func() (err error) {
		found, err = s.load(ctx, s.evidenceKey(key))
		return err
	})
	if err != nil {
		return nil, false, wrap(err)
	}
	return found, found != nil, nil
}

// Set keeps a copy of der for at most ttl, to the millisecond, replacing the previous value. With
// a ttl below a millisecond it does nothing, because to Redis a ttl of 0 means forever.
func (s *Store) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if len(der) > maxValue {
		return wrap(tooLarge(int64(len(der))))
	}
	ttl = ttl.Truncate(time.Millisecond)
	if ttl <= 0 {
		return nil
	}
	der = bytes.Clone(der) // the caller may have returned before it is sent
	return wrap(s.beside(ctx, func() error { return s.client.Set(ctx, s.evidenceKey(key), der, ttl).Err() }))
}

func (s *Store) evidenceKey(key string) string { return s.prefix + "evidence:" + key }

func (s *Store) load(ctx context.Context, name string) ([]byte, error) {
	length, err := s.client.StrLen(ctx, name).Result()
	if err != nil || length == 0 {
		return nil, err
	}
	if length > maxValue {
		return nil, tooLarge(length)
	}
	// The value may have been replaced in the meantime. Both ends count, so this asks for a byte too many.
	value, err := s.client.GetRange(ctx, name, 0, maxValue).Result()
	if err != nil || value == "" {
		return nil, err
	}
	if len(value) > maxValue {
		return nil, tooLarge(int64(len(value)))
	}
	return []byte(value), nil
}

// beside runs f in a goroutine, because the client does not return at every end of ctx: it heeds a
// deadline only if it is configured to, and otherwise waits for its own timeouts and retries. The
// number of these goroutines is limited by calls.
func (s *Store) beside(ctx context.Context, f func() error) error {
	if s == nil || s.calls == nil {
		return errors.New("not made by New")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.calls <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.calls }()
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("redisstore: %w", err)
}

func tooLarge(length int64) error {
	return fmt.Errorf("%d bytes, limit %d: %w", length, maxValue, revocation.ErrTooLarge)
}
