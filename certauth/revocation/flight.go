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

	soon <-chan struct{} // closed a moment after the start
	over context.CancelFunc

	anew uint64 // the call of Refresh for which it was started; 0 for none
}

// aMoment is how long a request waits for newer evidence when it already has an answer.
const aMoment = time.Second

// crew runs everything that outlives a request, and ends it on Close.
type crew struct {
	base   context.Context
	cancel context.CancelFunc

	mu sync.Mutex // nothing starts while close cancels
	wg sync.WaitGroup

	refreshes atomic.Uint64 // calls of Refresh
}

// begin starts a flight that nobody joins.
func (w *crew) begin(f func(ctx context.Context) error) *flight { return w.join(new(slot), 0, f) }

func (w *crew) close() {
	w.mu.Lock()
	w.cancel()
	w.mu.Unlock()
	w.wg.Wait()
}

func (w *crew) isClosed() bool { return w.base.Err() != nil }

// guarded turns a panic of a Fetcher, a Store or a parser into an error: evidence is then missing.
func guarded(f func() error) error {
	_, err := safely.Do(func() (any, error) { return nil, f() })
	return err
}

// slot holds the flight to join, if there is one.
type slot = atomic.Pointer[flight]

// join returns the flight in the slot, or starts one. For the call of Refresh with the number anew it
// joins no flight that was not started for it or a later one, because any other accepts older
// evidence: the new flight waits until that one has ended. If the crew is closed, the flight ends at
// once, with ErrClosed. A panic of f becomes an error.
func (w *crew) join(s *slot, anew uint64, f func(ctx context.Context) error) *flight {
	before := s.Load()
	if before != nil && before.anew >= anew {
		return before
	}
	moment, over := context.WithTimeout(w.base, aMoment)
	next := &flight{done: make(chan struct{}), soon: moment.Done(), over: over, anew: anew}
	if !s.CompareAndSwap(before, next) { // another caller was faster
		over()
		return w.join(s, anew, f)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.isClosed() {
		next.end(ErrClosed)
		return next
	}
	w.wg.Go(func() {
		next.end(guarded(func() error {
			defer s.CompareAndSwap(next, nil) // those who wait for it may need another one
			if before != nil {
				select {
				case <-before.done:
				case <-w.base.Done():
					return ErrClosed
				}
			}
			return f(w.base)
		}))
	})
	return next
}

func (f *flight) end(err error) {
	f.err = err
	close(f.done)
	f.over()
}

// waitAMoment waits until the flight or the request ends, but no longer than aMoment after the
// start of the flight. Requests that arrive later do not wait at all.
func (f *flight) waitAMoment(ctx context.Context) {
	if f == nil {
		return
	}
	select {
	case <-f.done:
	case <-f.soon:
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
