// Package dirstore keeps the evidence of a [revocation.Checker] in a directory of files.
package dirstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation"
)

const (
	maxStored = 33 << 20 // bytes of a value; the longest CRL that is fetched has 32 MiB
	maxCalls  = 16       // of a Store whose file system hangs
)

// Store keeps evidence in a directory of files. It is for a service whose processes share a disk
// or a network share, or that should find its evidence again after a restart. It is a
// [revocation.Store] and safe for concurrent use by goroutines and by processes. Between calls it
// holds no open file, so it needs no Close. Make it with [New]; the zero value returns errors.
//
// Any key is possible, because files are named by its hash. Values have at most 33 MiB; a longer
// one, whether stored or found, is [revocation.ErrTooLarge]. A file that is missing, expired,
// truncated, altered, or not a regular file counts as absent; symbolic links are not followed. If
// the operating system refuses access, or the directory is gone, the call returns an error. A call
// returns when its ctx ends, even if the file system hangs; at most 16 hanging calls are left
// behind, and further calls wait until their ctx ends.
//
// The directory holds at most 10 000 files of 1 GiB in total, plus what one write adds; beyond
// that the oldest files are removed. Expired files are removed when others are written, at most
// once a minute, and less often if that takes long, as on a network share. Processes that write at
// the same time can each exceed the limits until one of them checks. A full disk costs only time:
// evidence that cannot be written is fetched again.
//
// What must be true of your infrastructure: the directory belongs to the service's account alone
// (mode 0700; the files are created with 0600, so all processes must run as that account) and is
// used for nothing else. An attacker with write access can cause evidence to be fetched again but
// cannot forge a decision, because evidence from the directory is verified like a response from
// the network. Like an attacker on the path to a responder, such an attacker can replay evidence
// that is still fresh. Anyone who can read the directory learns which certificates were checked.
type Store struct {
	dir   string
	now   func() time.Time
	calls chan struct{} // that are running

	most room

	mu    sync.Mutex
	holds room

	cleaning sync.Mutex
	cleaned  time.Time     // by the clock; guarded by cleaning, as is pause
	pause    time.Duration // before it is cleaned again
}

// New returns a store in dir, which must exist. A path that is empty, does not exist, or is not a
// directory is an error. New writes nothing, so the first Set shows whether the directory is
// writable.
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
		calls: make(chan struct{}, maxCalls),

		most: room{files: 10_000, bytes: 1 << 30},
	}, nil
}

// Get returns the evidence stored under the key, or false.
func (s *Store) Get(ctx context.Context, key string) (der []byte, ok bool, err error) {
	var found []byte // not der: the caller may have returned by then
	err = s.beside(ctx, func() error {
		root, err := os.OpenRoot(s.dir)
		if err != nil {
			return err
		}
		defer root.Close()
		found, err = readEvidence(root, key, s.now())
		return err
	}, func() {})
	if err != nil {
		return nil, false, directoryError(err)
	}
	return found, found != nil, nil
}

// Set stores a copy of der for at most ttl, replacing the previous value. Readers see the old or
// the new value, never a part. If ttl is not positive, Set does nothing.
func (s *Store) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
	if len(der) > maxStored {
		return directoryError(tooLarge(int64(len(der))))
	}
	if ttl <= 0 {
		return nil
	}
	der = bytes.Clone(der) // the caller may have returned before it is written
	return directoryError(s.beside(ctx, func() error { return s.write(key, der, ttl) }, s.clean))
}

// write writes a new file and renames it, so that no reader sees a part. It does not wait for the
// disk: after a power failure a file may be empty or have holes, which the checksum detects, and lost
// evidence is fetched again. Waiting would delay every fetch.
func (s *Store) write(key string, der []byte, ttl time.Duration) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	now := s.now()
	temp := fmt.Sprintf("%s%d-%s%s", filePrefix, now.Unix(), rand.Text(), tempSuffix)
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // an existing one is neither followed nor changed
	if err != nil {
		return err
	}
	head := header{[8]byte([]byte(formatName)), now.UnixMicro(), now.Add(ttl).UnixMicro(), checksum(key, der)}
	if err = binary.Write(file, binary.BigEndian, head); err == nil {
		_, err = file.Write(der)
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = root.Rename(temp, fileName(key))
	}
	if err != nil {
		_ = root.Remove(temp)
		return err
	}
	s.mu.Lock()
	s.holds.files++ // one too many if it replaced a file, until the next look
	s.holds.bytes += int64(len(der))
	s.mu.Unlock()
	return nil
}

// beside runs f and then then in a goroutine, because a file system that hangs must not block the
// caller beyond ctx. The number of these goroutines is limited by calls.
func (s *Store) beside(ctx context.Context, f func() error, then func()) error {
	if s == nil || s.calls == nil {
		return fmt.Errorf("%w: not made by New", revocation.ErrArgument)
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
		then()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func directoryError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("revocation: directory store: %w", err)
}

func tooLarge(size int64) error {
	return fmt.Errorf("%d bytes, limit %d: %w", size, maxStored, revocation.ErrTooLarge)
}
