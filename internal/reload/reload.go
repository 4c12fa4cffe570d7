// Package reload reads things again while requests arrive, and keeps the last good value of
// each. It owns no goroutine, timer or file between requests.
package reload

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

const (
	// DefaultInterval is how often files, environment variables and functions are
	// asked again, at most, while requests arrive.
	DefaultInterval = 30 * time.Second

	// loadTimeout bounds one call of a CertFunc or PinFunc.
	loadTimeout = 30 * time.Second

	// ClockSlack is how far back a clock may seem to go: requests read it and then come here
	// in any order, some of them late.
	ClockSlack = time.Second

	// staleWait is how long requests wait for a reload after nobody has asked for two
	// intervals, counted from its start. Without it the first callers after a quiet night
	// would be judged by yesterday's roots.
	staleWait = 25 * time.Millisecond
)

// Material holds everything in an Authenticator that can be reloaded.
type Material struct {
	// Check is called when it is time to look, and with force after a reload that changed
	// something. It may be nil, and is set before anything else happens.
	Check func(force bool)

	interval time.Duration
	last     atomic.Int64 // when it was last looked at, Unix nanoseconds of the clock
	stale    atomic.Pointer[staleReload]
	report   func(path string, err error)

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
	// failing takes the right to tell of a failure until told is called; one failure is told at a time.
	failing() bool
	told()
}

// New returns an empty Material. An interval of 0 means DefaultInterval. report is told of
// each reload that changed something or failed; it and now may be nil.
func New(interval time.Duration, now func() time.Time, report func(string, error)) *Material {
	if interval == 0 {
		interval = DefaultInterval
	}
	m := &Material{interval: interval, report: report}
	if now != nil {
		m.last.Store(now().UnixNano())
	}
	return m
}

func (m *Material) add(item reloadable) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.items = append(m.items, item)
}

func (m *Material) list() []reloadable {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.items[:len(m.items):len(m.items)]
}

// staleReload is a reload that requests wait for: until it is done, or has taken too long.
type staleReload struct{ done, late chan struct{} }

// Refresh looks whether it is time to read everything again, and if so does it beside
// the request. A clock that went back, by more than what requests overtake one another,
// counts as time.
func (m *Material) Refresh(ctx context.Context, now time.Time) {
	if m.due(now) && m.start(ctx, now) && m.Check != nil {
		m.Check(false)
	}
	if r := m.stale.Load(); r != nil {
		select {
		case <-r.done:
		case <-r.late:
		case <-ctx.Done():
		}
	}
}

func (m *Material) due(now time.Time) bool {
	elapsed := time.Duration(now.UnixNano() - m.last.Load())
	return elapsed < -ClockSlack || elapsed >= m.interval
}

// start begins the reload, unless another request just did. What the others are to wait for
// is there before they can see that nothing is due any more.
func (m *Material) start(ctx context.Context, now time.Time) (begun bool) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if !m.due(now) {
		return false
	}
	elapsed := time.Duration(now.UnixNano() - m.last.Load())
	r := &staleReload{done: make(chan struct{}), late: make(chan struct{})}
	if len(m.items) > 0 {
		if elapsed < -ClockSlack || elapsed >= 2*m.interval {
			m.stale.Store(r)
			time.AfterFunc(staleWait, func() { close(r.late) })
		}
		go func() {
			defer m.stale.CompareAndSwap(r, nil)
			defer close(r.done)
			// The request may end before the reload does.
			_ = m.Reload(context.WithoutCancel(ctx), false)
		}()
	}
	m.last.Store(now.UnixNano())
	return true
}

// Reload reads every item once, each on its own, so that one that hangs or fails does
// not hold up the others. What is being read already is left to who reads it, or with wait
// is read again after that: it may have been read before it changed.
func (m *Material) Reload(ctx context.Context, wait bool) error {
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
	if changed.Load() && m.Check != nil {
		m.Check(true)
	}
	return errors.Join(failures...)
}

func (m *Material) reloadOne(ctx context.Context, item reloadable, wait bool) (changed bool, err error) {
	if !item.begin(ctx, wait) {
		if !wait && !item.overdue() {
			return false, nil
		}
		err = errors.New("the previous reload is still running")
		m.tellFailure(item, err)
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
		m.tellFailure(item, err)
		return false, fmt.Errorf("%s: %w", item.name(), err)
	}
	if changed {
		m.tell(item.name(), nil)
	}
	return changed, nil
}

// tell reports a reload. The reporter calls hooks of the user; a panic there must not
// end the process.
func (m *Material) tell(path string, err error) {
	if m.report == nil {
		return
	}
	_, _ = safely.Do(func() (bool, error) { m.report(path, err); return true, nil })
}

// tellFailure reports a failure, unless that of the same item is being reported: a hook that
// reloads whenever a reload failed would otherwise do so for ever.
func (m *Material) tellFailure(item reloadable, err error) {
	if item.failing() {
		defer item.told()
		m.tell(item.name(), err)
	}
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
		value, err := safely.Do(f)
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

// Item holds the current value of one thing. Get never blocks. The zero value has none.
type Item[T any] struct {
	path    string
	load    func(ctx context.Context, known Digest) (T, Digest, error)
	current atomic.Pointer[Loaded[T]]
	known   Digest // guarded by the turn
	mutex   sync.Mutex
	turn    chan struct{} // closed when the reload that runs ends; nil if none runs
	givenUp bool
	telling atomic.Bool
}

// Loaded is a value with a number that no earlier or later value of the same item has:
// what was derived from it is known to be out of date by comparing two numbers.
type Loaded[T any] struct {
	Value      T
	Generation uint64
}

// Path returns the place in the configuration.
func (r *Item[T]) Path() string { return r.path }

// Current returns the value in use with its number, or nil if there is none yet.
func (r *Item[T]) Current() *Loaded[T] { return r.current.Load() }

// Get returns the value in use, or nil if there is none yet.
func (r *Item[T]) Get() *T {
	if now := r.current.Load(); now != nil {
		return &now.Value
	}
	return nil
}

// Fixed returns an item that never changes.
func Fixed[T any](path string, value T) *Item[T] {
	r := &Item[T]{path: path}
	r.set(value)
	return r
}

// set puts a value into use. Calls do not overlap: one reload runs at a time.
func (r *Item[T]) set(value T) {
	next := &Loaded[T]{Value: value, Generation: 1}
	if now := r.current.Load(); now != nil {
		next.Generation = now.Generation + 1
	}
	r.current.Store(next)
}

func (r *Item[T]) name() string { return r.path }

func (r *Item[T]) begin(ctx context.Context, wait bool) bool {
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
func (r *Item[T]) take() <-chan struct{} {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.turn != nil {
		return r.turn
	}
	r.turn, r.givenUp = make(chan struct{}), false
	return nil
}

func (r *Item[T]) end() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	close(r.turn)
	r.turn = nil
}

func (r *Item[T]) giveUp() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.givenUp = true
}

func (r *Item[T]) failing() bool { return r.telling.CompareAndSwap(false, true) }

func (r *Item[T]) told() { r.telling.Store(false) }

func (r *Item[T]) overdue() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.turn != nil && r.givenUp
}

func (r *Item[T]) reload(ctx context.Context) (bool, error) {
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

// Digest recognises what was read last.
type Digest [sha256.Size]byte

// Watch loads a value for the first time, which must succeed, and keeps it in m for reloads if
// it can change. load gets the digest of what it returned last; where nothing changed it may
// return no value and the same digest. On an error the item has no value.
func Watch[T any](m *Material, path string, reloads bool, load func(context.Context, Digest) (T, Digest, error)) (*Item[T], error) {
	r := &Item[T]{path: path, load: load}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if _, err := await(ctx, func() (bool, error) { return r.reload(ctx) }); err != nil {
		return &Item[T]{path: path}, err // the first one may still be written to
	}
	if reloads {
		m.add(r)
	}
	return r, nil
}
