package revocation

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// flight is one attempt to get evidence, shared by all requests that wait for it. Its context is
// its own, so a request that stops waiting does not end it for the others.
type flight struct {
	done chan struct{}
	err  error // set before done is closed

	brief <-chan struct{} // closed after briefWait
	over  context.CancelFunc

	anew uint64 // the call of Refresh for which it was started; 0 for none
}

// briefWait is how long a request waits for newer evidence when it already has an answer.
const briefWait = time.Second

// background runs everything that outlives a request, and ends it on Close.
type background struct {
	base   context.Context
	cancel context.CancelFunc

	mu sync.Mutex // nothing starts while close cancels
	wg sync.WaitGroup

	refreshes atomic.Uint64 // calls of Refresh
}

// begin starts a flight that nobody joins.
func (b *background) begin(f func(ctx context.Context) error) *flight { return b.join(new(slot), 0, f) }

func (b *background) close() {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	b.wg.Wait()
}

func (b *background) isClosed() bool { return b.base.Err() != nil }

// guarded turns a panic of a Fetcher, a Store or a parser into an error: evidence is then missing.
func guarded(f func() error) error {
	_, err := safely.Do(func() (any, error) { return nil, f() })
	return err
}

// slot holds the flight to join, if there is one.
type slot = atomic.Pointer[flight]

// join returns the flight in the slot, or starts one. For the call of Refresh with the number anew it
// joins no flight that was not started for it or a later one, because any other accepts older
// evidence: the new flight waits until that one has ended. If b is closed, the flight ends at
// once, with ErrClosed. A panic of f becomes an error.
func (b *background) join(s *slot, anew uint64, f func(ctx context.Context) error) *flight {
	before := s.Load()
	if before != nil && before.anew >= anew {
		return before
	}
	brief, over := context.WithTimeout(b.base, briefWait)
	next := &flight{done: make(chan struct{}), brief: brief.Done(), over: over, anew: anew}
	if !s.CompareAndSwap(before, next) { // another caller was faster
		over()
		return b.join(s, anew, f)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.isClosed() {
		next.end(ErrClosed)
		return next
	}
	b.wg.Go(func() {
		next.end(guarded(func() error {
			defer s.CompareAndSwap(next, nil) // those who wait for it may need another one
			if before != nil {
				select {
				case <-before.done:
				case <-b.base.Done():
					return ErrClosed
				}
			}
			return f(b.base)
		}))
	})
	return next
}

func (f *flight) end(err error) {
	f.err = err
	close(f.done)
	f.over()
}

// waitBriefly waits until the flight or the request ends, but no longer than briefWait after the
// start of the flight. Requests that arrive later do not wait at all.
func (f *flight) waitBriefly(ctx context.Context) {
	if f == nil {
		return
	}
	select {
	case <-f.done:
	case <-f.brief:
	case <-ctx.Done():
	}
}

// wait waits until the flight or the request ends. There is nothing to wait for if f is nil.
func (f *flight) wait(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
}
