package revocation

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// flight is one attempt to get evidence, however many wait for it. It has a context of its
// own: who gives up waiting stops nobody else.
type flight struct {
	done chan struct{}
	err  error           // set before done is closed
	soon <-chan struct{} // closed a moment after the start

	once   sync.Once
	wanted chan struct{} // closed when a request begins to wait
}

// aMoment is what a request waits for news that it could do without.
const aMoment = time.Second

// crew runs everything that outlives a request, and ends it on Close.
type crew struct {
	base   context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newCrew() *crew {
	base, cancel := context.WithCancel(context.Background())
	return &crew{base: base, cancel: cancel}
}

// run starts f unless the crew is closed. A panic in it becomes an error.
func (w *crew) run(f func(ctx context.Context) error, done func(error)) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return false
	}
	w.wg.Go(func() { done(guarded(func() error { return f(w.base) })) })
	return true
}

func (w *crew) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.cancel()
	w.wg.Wait()
}

func (w *crew) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// guarded turns a panic, of a Fetcher, a Store or a parser, into an error: there is no
// evidence then.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("revocation: panic: %s", logtext.Quote(fmt.Sprint(p)))
		}
	}()
	return f()
}

// join takes part in the flight at *slot, or starts one. It returns nil if the crew is
// closed.
func (w *crew) join(mu *sync.Mutex, slot **flight, f func(ctx context.Context) error) (joined *flight, mine bool) {
	return w.joinLater(mu, slot, func(ctx context.Context, _ *flight) error { return f(ctx) })
}

// joinLater is join for what lets others go first until a request waits for it.
func (w *crew) joinLater(mu *sync.Mutex, slot **flight, f func(context.Context, *flight) error) (joined *flight, mine bool) {
	mu.Lock()
	defer mu.Unlock()
	if *slot != nil {
		return *slot, false
	}
	moment, over := context.WithTimeout(w.base, aMoment)
	started := &flight{done: make(chan struct{}), soon: moment.Done(), wanted: make(chan struct{})}
	land := func(err error) {
		defer over()
		mu.Lock()
		*slot = nil
		mu.Unlock()
		started.err = err
		close(started.done)
	}
	if !w.run(func(ctx context.Context) error { return f(ctx, started) }, land) {
		over()
		return nil, false
	}
	*slot = started
	return started, true
}

// waitAMoment ends with the flight, with the request, or a moment after the flight began:
// of many who come while it lasts only the first wait at all.
func (f *flight) waitAMoment(ctx context.Context) {
	select {
	case <-f.done:
	case <-f.soon:
	case <-ctx.Done():
	}
}

// wait ends with the flight or with ctx.
func (f *flight) wait(ctx context.Context) error {
	if f == nil {
		return ErrClosed
	}
	f.once.Do(func() { close(f.wanted) })
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
}
