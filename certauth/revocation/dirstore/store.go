// Package dirstore keeps the evidence of a [revocation.Checker] in a directory of files.
package dirstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	// maxStored bounds a value: the longest CRL that is fetched has 32 MiB.
	maxStored = 33 << 20

	// directorySlots bounds the goroutines of a Store whose file system hangs.
	directorySlots = 16
)

// Store keeps evidence in a directory of files: for a service whose processes share a disk or
// a network share, or that wants to find its evidence again after a restart. It is a
// [revocation.Store]. It is safe for concurrent use by goroutines and by processes. Between
// calls it holds no open file; it needs no Close. Make it with [New]; the zero value answers
// with errors.
//
// Keys are as [revocation.Store] says and have at most 128 bytes; another one is [revocation.ErrArgument]. Values
// have at most 33 MiB; a longer one is [revocation.ErrTooLarge], given or found. A file that is missing,
// expired, truncated, altered, or not a regular file counts as nothing kept; symbolic links
// are not followed. A refusal by the operating system is an error, and so is a directory
// that is gone. A call returns when its ctx ends, even if the file system hangs; of the
// calls that hang at most 16 are left behind, the others wait for their ctx.
//
// There are at most 10 000 files with 1 GiB together, and what one write adds: beyond that the
// oldest are removed. Files whose time is over are removed while others are written, once a
// minute at most. Processes that write at the same time can each add to that before one of
// them looks. A full disk costs time: evidence that cannot be written is fetched again.
//
// What must be true of your infrastructure: the directory belongs to the service's account
// alone (mode 0700; the files are made with 0600, so all processes run as that account) and
// serves nothing else. An attacker with write access can cause evidence to be
// fetched again but cannot forge a decision, because evidence from the directory is verified
// like an answer from the network. Like an attacker on the path to a responder, they can replay
// evidence that is still fresh. A reader of the directory learns which certificates were checked.
type Store struct {
	dir   string
	now   func() time.Time
	slots chan struct{}

	maxFiles int
	maxBytes int64

	mu    sync.Mutex
	holds room

	cleaning sync.Mutex
	cleaned  time.Time // by the clock; guarded by cleaning
}

const (
	defaultMaxFiles = 10_000
	defaultMaxBytes = 1 << 30
)

// New returns a store in dir, which must exist. A path that is empty, does
// not exist, or is not a directory is an error. Nothing is written yet: whether the
// directory is writable shows with the first Set.
func New(dir string) (*Store, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: directory store: no directory named", revocation.ErrArgument)
	}
	absolute, err := filepath.Abs(dir) // the working directory may change
	if err != nil {
		return nil, directoryError(err)
	}
	root, err := os.OpenRoot(absolute)
	if err != nil {
		return nil, directoryError(err)
	}
	if err := root.Close(); err != nil {
		return nil, directoryError(err)
	}
	return &Store{
		dir:   absolute,
		now:   time.Now, //nolint:forbidigo // the default of the injected clock
		slots: make(chan struct{}, directorySlots),

		maxFiles: defaultMaxFiles, maxBytes: defaultMaxBytes,
	}, nil
}

// Get returns the evidence kept for the key, or false.
func (s *Store) Get(ctx context.Context, key string) (der []byte, ok bool, err error) {
	if err := s.check(key); err != nil {
		return nil, false, err
	}
	var found []byte // not der: the caller may have gone by then
	err = s.beside(ctx, func() (err error) {
		found, err = s.read(key)
		return err
	}, func() {})
	if err != nil {
		return nil, false, directoryError(err)
	}
	return found, found != nil, nil
}

// Set keeps a copy of der for at most ttl, replacing the previous value. Readers see the old
// value or the new one, never a part. With a ttl that is not positive it does nothing.
func (s *Store) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if err := s.check(key); err != nil {
		return err
	}
	if len(der) > maxStored {
		return directoryError(tooLarge(int64(len(der))))
	}
	if ttl <= 0 {
		return nil
	}
	der = bytes.Clone(der) // the caller may go before it is written
	return directoryError(s.beside(ctx, func() error { return s.write(key, der, ttl) }, s.clean))
}

func (s *Store) read(key string) ([]byte, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readEvidence(root, key, s.now())
}

func (s *Store) write(key string, der []byte, ttl time.Duration) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	now := s.now()
	if err := replaceFile(root, evidenceName(hashName(key)), now, evidenceHead(key, der, now, now.Add(ttl)), der); err != nil {
		return err
	}
	s.mu.Lock()
	s.holds.files++ // one too many if it replaces another one, until the next look
	s.holds.bytes += int64(len(der))
	s.mu.Unlock()
	return nil
}

// beside runs f in a goroutine of its own, because a file system that hangs must not hold
// the caller beyond ctx, and then then. There are no more of these than slots.
func (s *Store) beside(ctx context.Context, f func() error, then func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-s.slots }()
		done <- f()
		then()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) check(key string) error {
	if s == nil || s.slots == nil {
		return fmt.Errorf("%w: directory store: not made by New", revocation.ErrArgument)
	}
	if len(key) == 0 || len(key) > 128 {
		return fmt.Errorf("%w: directory store: key of %d bytes, want 1 to 128", revocation.ErrArgument, len(key))
	}
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%w: directory store: key has byte %#02x at %d, want lower-case letters, digits and hyphens", revocation.ErrArgument, c, i)
		}
	}
	return nil
}

func directoryError(err error) error {
	if err == nil || errors.Is(err, revocation.ErrArgument) {
		return err
	}
	return fmt.Errorf("revocation: directory store: %w", err)
}

func tooLarge(size int64) error {
	return fmt.Errorf("%d bytes, limit %d: %w", size, maxStored, revocation.ErrTooLarge)
}
