package redisstore

import (
	"bytes"
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

	// maxValue bounds a value: the longest CRL that is fetched has 32 MiB.
	maxValue = 33 << 20

	// maxCalls bounds the calls that a server which hangs leaves behind.
	maxCalls = 64
)

// Options are the settings of a Store. The zero value has the defaults.
type Options struct {
	// Prefix precedes every key. The default is DefaultPrefix. Services that trust the
	// same CAs can share one; two that share it share evidence, and nothing else.
	Prefix string
}

// Store keeps evidence in Redis. It is safe for concurrent use. It starts nothing, closes
// nothing, and logs nothing; the client stays the caller's. The zero value and nil answer
// with errors.
//
// Each call returns when its ctx ends, whatever the timeouts of the client are. Errors are
// those of the client, or [revocation.ErrTooLarge] for a value over 33 MiB, given or found;
// none comes with a value. A value that is empty is not told from one that is missing.
type Store struct {
	client redis.UniversalClient
	prefix string
	calls  chan struct{}
}

var _ revocation.Store = (*Store)(nil)

// New returns a Store over the client. A nil client is an error. Nothing is sent yet.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if v := reflect.ValueOf(client); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("redisstore: client: nil")
	}
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	return &Store{client: client, prefix: o.Prefix, calls: make(chan struct{}, maxCalls)}, nil
}

// Get returns the evidence kept for the key, or false. Two commands are sent for a value and one
// for none: the length comes first, so that a planted value of 512 MB is not loaded.
func (s *Store) Get(ctx context.Context, key string) (der []byte, ok bool, err error) {
	var found []byte // not der: the caller may have gone by then
	err = s.beside(ctx, func() (err error) {
		found, err = s.load(ctx, s.evidenceKey(key))
		return err
	})
	if err != nil {
		return nil, false, wrap(err)
	}
	return found, found != nil, nil
}

// Set keeps a copy of der for at most ttl, to the millisecond, replacing the previous value.
// With a ttl below a millisecond it does nothing: to Redis, none would mean for ever.
func (s *Store) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if len(der) > maxValue {
		return wrap(tooLarge(int64(len(der))))
	}
	ttl = ttl.Truncate(time.Millisecond)
	if ttl <= 0 {
		return nil
	}
	der = bytes.Clone(der) // the caller may go before it is sent
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
	// It may have been replaced meanwhile. Both ends count, so this asks for a byte too many.
	value, err := s.client.GetRange(ctx, name, 0, maxValue).Result()
	if err != nil || value == "" {
		return nil, err
	}
	if len(value) > maxValue {
		return nil, tooLarge(int64(len(value)))
	}
	return []byte(value), nil
}

// beside runs f in a goroutine of its own. The client looks at ctx here and there, at a
// deadline only if it was told to, and waits for its own timeouts and retries otherwise;
// the caller must not. There are at most maxCalls of these.
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
