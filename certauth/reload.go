package certauth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	// defaultReloadInterval is how often files, environment variables and functions are
	// asked again, at most, while requests arrive.
	defaultReloadInterval = 30 * time.Second

	// loadTimeout bounds one call of a CertFunc or PinFunc.
	loadTimeout = 30 * time.Second

	// clockSlack is how far back a clock may seem to go: requests read it and then come here
	// in any order, some of them late.
	clockSlack = time.Second

	// staleWait is how long requests wait for a reload after nobody has asked for two
	// intervals, counted from its start. Without it the first callers after a quiet night
	// would be judged by yesterday's roots.
	staleWait = 25 * time.Millisecond
)

// material holds everything in an Authenticator that can be reloaded. Between requests
// it owns nothing: no goroutine, no timer, no open file.
type material struct {
	interval time.Duration
	last     atomic.Int64 // when it was last looked at, Unix nanoseconds of the clock
	stale    atomic.Pointer[staleReload]
	report   func(path string, err error)
	check    func(force bool) // looks at what ends; nil if nobody is told

	mutex sync.Mutex // guards the start of a reload, and items, which Require may extend
	items []reloadable
}

// reloadable is one thing to read again.
type reloadable interface {
	// reload reads it once; changed says that something else is used from now on.
	reload(ctx context.Context) (changed bool, err error)
	name() string
	// begin takes the turn: one reload runs at a time. Where another one runs it waits for
	// it, if it is told to, until ctx ends; begun is false without the turn.
	begin(ctx context.Context, wait bool) (begun bool)
	// overdue reports whether the reload that runs was given up by whoever waited for it.
	overdue() bool
	giveUp()
	end()
}

func newMaterial(interval time.Duration, now func() time.Time, report func(string, error)) *material {
	if interval == 0 {
		interval = defaultReloadInterval
	}
	m := &material{interval: interval, report: report}
	if now != nil {
		m.last.Store(now().UnixNano())
	}
	return m
}

func (m *material) add(item reloadable) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.items = append(m.items, item)
}

func (m *material) list() []reloadable {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.items[:len(m.items):len(m.items)]
}

// staleReload is a reload that requests wait for: until it is done, or has taken too long.
type staleReload struct{ done, late chan struct{} }

// refresh looks whether it is time to read everything again, and if so does it beside
// the request. A clock that went back, by more than what requests overtake one another,
// counts as time.
func (m *material) refresh(ctx context.Context, now time.Time) {
	if m.due(now) && m.start(ctx, now) && m.check != nil {
		m.check(false)
	}
	if r := m.stale.Load(); r != nil {
		select {
		case <-r.done:
		case <-r.late:
		case <-ctx.Done():
		}
	}
}

func (m *material) due(now time.Time) bool {
	elapsed := time.Duration(now.UnixNano() - m.last.Load())
	return elapsed < -clockSlack || elapsed >= m.interval
}

// start begins the reload, unless another request just did. What the others are to wait for
// is there before they can see that nothing is due any more.
func (m *material) start(ctx context.Context, now time.Time) (begun bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.due(now) {
		return false
	}
	elapsed := time.Duration(now.UnixNano() - m.last.Load())
	r := &staleReload{done: make(chan struct{}), late: make(chan struct{})}
	if len(m.items) > 0 {
		if elapsed < -clockSlack || elapsed >= 2*m.interval {
			m.stale.Store(r)
			time.AfterFunc(staleWait, func() { close(r.late) })
		}
		go func() {
			defer m.stale.CompareAndSwap(r, nil)
			defer close(r.done)
			// The request may end before the reload does.
			_ = m.reload(context.WithoutCancel(ctx), false)
		}()
	}
	m.last.Store(now.UnixNano())
	return true
}

// reload reads every item once, each on its own, so that one that hangs or fails does
// not hold up the others. What is being read already is left to who reads it, or with wait
// is read again after that: it may have been read before it changed.
func (m *material) reload(ctx context.Context, wait bool) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	items := m.list()
	failures := make([]error, len(items))
	var changed atomic.Bool
	var group sync.WaitGroup
	for i, item := range items {
		group.Go(func() {
			another, err := m.reloadOne(ctx, item, wait)
			if another {
				changed.Store(true)
			}
			failures[i] = err
		})
	}
	group.Wait()
	if changed.Load() && m.check != nil {
		m.check(true)
	}
	return errors.Join(failures...)
}

func (m *material) reloadOne(ctx context.Context, item reloadable, wait bool) (changed bool, err error) {
	if !item.begin(ctx, wait) {
		if !wait && !item.overdue() {
			return false, nil
		}
		err = errors.New("the previous reload is still running")
		m.tell(item.name(), err)
		return false, fmt.Errorf("%s: %w", item.name(), err)
	}
	changed, err = await(ctx, func() (bool, error) {
		defer item.end()
		return item.reload(ctx)
	})
	if ctx.Err() != nil {
		item.giveUp()
	}
	if err != nil {
		err = fmt.Errorf("%w (the last good set stays in use)", err)
		m.tell(item.name(), err)
		return false, fmt.Errorf("%s: %w", item.name(), err)
	}
	if changed {
		m.tell(item.name(), nil)
	}
	return changed, nil
}

// tell reports a reload. The reporter calls hooks of the user; a panic there must not
// end the process.
func (m *material) tell(path string, err error) {
	if m.report == nil {
		return
	}
	_, _ = safely(func() (bool, error) { m.report(path, err); return true, nil })
}

// await runs f and gives up waiting when ctx ends, since f may not look at it. f then runs
// on by itself until it returns.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := safely(f)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	}
}

// safely turns a panic of f into an error.
func safely[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %s", logtext.Line(fmt.Sprint(p), maxDetail))
		}
	}()
	return f()
}

// reloader holds the current value of one item. get never blocks.
type reloader[T any] struct {
	path    string
	load    func(ctx context.Context, known digest) (T, digest, error)
	current atomic.Pointer[loaded[T]]
	known   digest // guarded by the turn
	mutex   sync.Mutex
	turn    chan struct{} // closed when the reload that runs ends; nil if none runs
	givenUp bool
}

// loaded is a value with a number that no earlier or later value of the same item has:
// what was derived from it is known to be out of date by comparing two numbers.
type loaded[T any] struct {
	value      T
	generation uint64
}

// get returns the value in use, or nil if there is none yet.
func (r *reloader[T]) get() *T {
	if now := r.current.Load(); now != nil {
		return &now.value
	}
	return nil
}

// set puts a value into use. Calls do not overlap: one reload runs at a time.
func (r *reloader[T]) set(value T) {
	next := &loaded[T]{value: value, generation: 1}
	if now := r.current.Load(); now != nil {
		next.generation = now.generation + 1
	}
	r.current.Store(next)
}

func (r *reloader[T]) name() string { return r.path }

func (r *reloader[T]) begin(ctx context.Context, wait bool) bool {
	for {
		running := r.take()
		if running == nil {
			return true
		}
		if !wait || r.overdue() {
			return false
		}
		select {
		case <-running:
		case <-ctx.Done():
			return false
		}
	}
}

// take takes the turn and returns nil, or what is closed when the turn is free.
func (r *reloader[T]) take() <-chan struct{} {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.turn != nil {
		return r.turn
	}
	r.turn, r.givenUp = make(chan struct{}), false
	return nil
}

func (r *reloader[T]) end() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	close(r.turn)
	r.turn = nil
}

func (r *reloader[T]) giveUp() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.givenUp = true
}

func (r *reloader[T]) overdue() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.turn != nil && r.givenUp
}

func (r *reloader[T]) reload(ctx context.Context) (bool, error) {
	value, sum, err := r.load(ctx, r.known)
	if err != nil {
		return false, err
	}
	if sum == r.known && r.current.Load() != nil {
		return false, nil
	}
	r.known = sum
	r.set(value)
	return true, nil
}

// watch loads a value for the first time, which must succeed, and keeps it for reloads
// if it can change.
func watch[T any](c *compilation, path string, reloads bool, load func(context.Context, digest) (T, digest, error)) *reloader[T] {
	r := &reloader[T]{path: path, load: load}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if _, err := await(ctx, func() (bool, error) { return r.reload(ctx) }); err != nil {
		c.mistake(path, "%w", err)
		return &reloader[T]{path: path} // the first one may still be written to
	}
	if reloads {
		c.material.add(r)
	}
	return r
}
