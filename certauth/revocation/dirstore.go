package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxStored bounds a value: the longest CRL that is fetched has 32 MiB.
	maxStored = 33 << 20

	// directorySlots bounds the goroutines of a DirectoryStore whose file system hangs.
	directorySlots = 16
)

// DirectoryStore is a [Store] and a [Leaser] in a directory of files: for a service whose
// processes share a disk or a network share, or that wants to find its evidence again after
// a restart. It is safe for concurrent use by goroutines and by processes, on several
// machines if their clocks agree within a minute. Between calls it holds no open file; it
// needs no Close. Make it with [NewDirectoryStore]; the zero value answers with errors.
//
// Keys are as [Store] says and have at most 128 bytes; another one is [ErrArgument]. Values
// have at most 33 MiB; a longer one is [ErrTooLarge], given or found. A file that is missing,
// expired, truncated, altered, or not a regular file counts as nothing kept; symbolic links
// are not followed. What the operating system refuses is an error, and so is a directory
// that is gone. A call returns when its ctx ends, even if the file system hangs; of the
// calls that hang at most 16 are left behind, the others wait for their ctx.
//
// Files whose time is over are removed while others are written, at most once a minute and
// then at most 1024. Beyond that the total size is not bounded: there are as many files as
// certificates and CRLs were asked about within the life of their evidence.
//
// What must be true of your infrastructure: the directory belongs to the service's account
// alone (mode 0700; the files are made with 0600, so all processes run as that account) and
// serves nothing else. Who can write into it can cost time: evidence is fetched again, or by
// more instances than one. They cannot forge a decision, since what is read is verified like
// an answer from the network; like somebody on the way to a responder they can bring back
// evidence that is still fresh. Who can read it learns which certificates were asked about.
type DirectoryStore struct {
	dir   string
	now   func() time.Time
	slots chan struct{}

	cleaning sync.Mutex
	cleaned  atomic.Int64 // when it was last cleaned, Unix nanoseconds of the clock
	cursor   string       // the name up to which the last cleaning came; guarded by cleaning
}

// NewDirectoryStore returns a store in dir, which must exist. A path that is empty, does
// not exist, or is not a directory is an error. Nothing is written yet: whether the
// directory is writable shows with the first Set.
func NewDirectoryStore(dir string) (*DirectoryStore, error) {
	if dir == "" {
		return nil, fmt.Errorf("%w: directory store: no directory named", ErrArgument)
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
	return &DirectoryStore{
		dir:   absolute,
		now:   time.Now, //nolint:forbidigo // the default of the injected clock
		slots: make(chan struct{}, directorySlots),
	}, nil
}

// Get returns what is kept for the key, or false.
func (s *DirectoryStore) Get(ctx context.Context, key string) (der []byte, ok bool, err error) {
	if err := s.check(key); err != nil {
		return nil, false, err
	}
	var found []byte
	var failed error
	err = s.beside(ctx, func() { found, failed = s.read(key) }, nil)
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, false, directoryError(err)
	}
	return found, found != nil, nil
}

// Set keeps a copy of der for at most ttl, in place of what was kept. Readers see the old
// value or the new one, never a part. With a ttl that is not positive it does nothing.
func (s *DirectoryStore) Set(ctx context.Context, key string, der []byte, ttl time.Duration) error {
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
	var failed error
	err := s.beside(ctx, func() { failed = s.write(key, der, ttl) }, func(bool) { s.clean() })
	if err == nil {
		err = failed
	}
	return directoryError(err)
}

func (s *DirectoryStore) read(key string) ([]byte, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return readEvidence(root, key, s.now())
}

func (s *DirectoryStore) write(key string, der []byte, ttl time.Duration) error {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	now := s.now()
	return replaceFile(root, evidenceName(hashName(key)), now, evidenceHead(key, der, now.Add(ttl)), der)
}

// beside runs f in a goroutine of its own, because a file system that hangs must not hold
// the caller beyond ctx. There are no more of these than slots. After f, the caller is told,
// and then then runs, with whether the caller still was there.
func (s *DirectoryStore) beside(ctx context.Context, f func(), then func(heard bool)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan struct{}) // not buffered: either the caller hears, or it has gone
	go func() {
		defer func() { <-s.slots }()
		f()
		heard := false
		select {
		case done <- struct{}{}:
			heard = true
		case <-ctx.Done():
		}
		if then != nil {
			then(heard)
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *DirectoryStore) check(key string) error {
	if s == nil || s.slots == nil {
		return fmt.Errorf("%w: directory store: not made by NewDirectoryStore", ErrArgument)
	}
	if len(key) == 0 || len(key) > 128 {
		return fmt.Errorf("%w: directory store: key of %d bytes, want 1 to 128", ErrArgument, len(key))
	}
	for i := range len(key) {
		if c := key[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%w: directory store: key has byte %#02x at %d, want lower-case letters, digits and hyphens", ErrArgument, c, i)
		}
	}
	return nil
}

func directoryError(err error) error {
	if err == nil || errors.Is(err, ErrArgument) {
		return err
	}
	return fmt.Errorf("revocation: directory store: %w", err)
}

func tooLarge(size int64) error {
	return fmt.Errorf("%d bytes, limit %d: %w", size, maxStored, ErrTooLarge)
}
