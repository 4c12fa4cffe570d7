// Package reload reads configured material again while requests arrive, and keeps the last good
// value of each item. Between requests it owns no goroutine, timer or open file.
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
	// DefaultInterval is the minimum time between two reads of files, environment variables and
	// functions, while requests arrive.
	DefaultInterval = 30 * time.Second

	// loadTimeout bounds one call of a CertFunc or PinFunc.
	loadTimeout = 30 * time.Second

	// ClockSlack is how far the clock may seem to go back without consequences: requests read the
	// clock and then arrive here in any order, some of them late.
	ClockSlack = time.Second

	// staleWait is how long requests wait for a reload, counted from its start, if none was due for
	// two intervals. Otherwise the first callers after a quiet night would be judged by old roots.
	staleWait = 25 * time.Millisecond
)

// Material holds everything in an Authenticator that can be reloaded.
type Material struct {
	// Check is called when it is time to check the material, and after a reload that changed
	// something with the paths of that. It may be nil. It must be set before any other use.
	Check func(changed []string)

	interval time.Duration
	last     atomic.Int64 // time of the last refresh, Unix nanoseconds of the clock
	stale    atomic.Pointer[staleReload]
	report   func(path string, err error)

	mutex sync.Mutex // guards the start of a reload, and items, which Require may extend
	items []reloadable
}

// reloadable is an item that can be read again.
type reloadable interface {
	// reload reads the item once.
	reload(ctx context.Context) (news, error)
	name() string
	// begin acquires the turn, because only one reload of an item runs at a time. If another one
	// is running, begin waits for it if wait is true, until ctx ends. It returns nil if the turn
	// was not acquired.
	begin(ctx context.Context, wait bool) *turn
	// overdue reports whether the caller of the running reload has stopped waiting for it.
	overdue() bool
	end()
	// failing acquires the right to report a failure until told is called, because one failure is
	// reported at a time.
	failing() bool
	told()
}

// news is what a reload that succeeded has changed.
type news int

const (
	nothing  news = iota
	repaired      // the same value is in use, but the last attempts had failed
	changed       // a new value came into use
)

// New returns an empty Material. An interval of 0 means DefaultInterval. report is called for
// each reload that changed something or failed, and for the first success after a failure. report
// and now may be nil.
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

// staleReload is a reload that requests wait for, until it is done or has taken too long.
type staleReload struct{ done, late chan struct{} }

// Refresh starts a reload in the background if one is due. A clock that went back by more than
// ClockSlack also makes one due.
func (m *Material) Refresh(ctx context.Context, now time.Time) {
	if m.due(now) && m.start(ctx, now) && m.Check != nil {
		m.Check(nil)
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

// start begins the reload, unless another request has just done so. The channels that others wait
// for are set before other requests can see that no reload is due any more.
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

// Reload reads every item once, each independently, so that an item that hangs or fails does not
// delay the others. An item that is already being read is left to that reader; with wait it is
// read again afterwards, because it may have been read before it changed.
func (m *Material) Reload(ctx context.Context, wait bool) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	items := m.list()
	failures := make([]error, len(items))
	results := make([]news, len(items))
	var group sync.WaitGroup
	for i, item := range items {
		group.Go(func() { results[i], failures[i] = m.reloadOne(ctx, item, wait) })
	}
	group.Wait()
	var paths []string
	for i, result := range results {
		if result == changed {
			paths = append(paths, items[i].name())
		}
	}
	m.check(paths)
	return errors.Join(failures...)
}

func (m *Material) reloadOne(ctx context.Context, item reloadable, wait bool) (news, error) {
	own := item.begin(ctx, wait)
	if own == nil {
		if !wait && !item.overdue() {
			return nothing, nil
		}
		err := errors.New("the previous reload is still running")
		m.tellFailure(item, err)
		return nothing, fmt.Errorf("%s: %w", item.name(), err)
	}
	told := make(chan struct{})
	defer close(told)
	result, err := await(ctx, func() (news, error) {
		defer item.end()
		return item.reload(ctx)
	}, func(result news, err error) {
		<-told // the failure says that the last good set stays in use, so it must not be reported after the late value
		if err == nil && result != nothing {
			m.tell(item.name(), nil)
		}
		if err == nil && result == changed {
			m.check([]string{item.name()})
		}
	})
	if ctx.Err() != nil {
		own.late.Store(true)
	}
	if err != nil {
		err = fmt.Errorf("%w (the last good set stays in use)", err)
		m.tellFailure(item, err)
		return nothing, fmt.Errorf("%s: %w", item.name(), err)
	}
	if result != nothing {
		m.tell(item.name(), nil)
	}
	return result, nil
}

// check lets the user of the material check it after a reload that changed something.
func (m *Material) check(paths []string) {
	if m.Check != nil && len(paths) > 0 {
		m.Check(paths)
	}
}

// tell reports a reload. The reporter calls the user's hooks, and a panic in them must not end
// the process.
func (m *Material) tell(path string, err error) {
	if m.report == nil {
		return
	}
	_, _ = safely.Do(func() (bool, error) { m.report(path, err); return true, nil })
}

// tellFailure reports a failure, unless one of the same item is being reported: a hook that reloads
// after every failed reload would otherwise never end.
func (m *Material) tellFailure(item reloadable, err error) {
	if item.failing() {
		defer item.told()
		m.tell(item.name(), err)
	}
}

// await runs f and stops waiting when ctx ends, because f may ignore ctx. f then continues until
// it returns, and late receives what it returned.
func await[T any](ctx context.Context, f func() (T, error), late func(T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	var decided atomic.Bool // by the first of two events: the answer, or the end of the wait
	go func() {
		value, err := safely.Do(f)
		if decided.CompareAndSwap(false, true) {
			answers <- answer{value, err}
			return
		}
		late(value, err)
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
		if !decided.CompareAndSwap(false, true) {
			a := <-answers
			return a.value, a.err
		}
		var none T
		return none, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	}
}

// Item holds the current value of one item of material. Get never blocks. The zero value holds
// none.
type Item[T any] struct {
	path    string
	load    func(ctx context.Context, known Digest) (T, Digest, error)
	current atomic.Pointer[Loaded[T]]
	known   Digest // guarded by running
	mutex   sync.Mutex
	running *turn // nil if no reload runs
	telling atomic.Bool
	failed  atomic.Bool // since the last success
}

// turn is one reload of an item.
type turn struct {
	done chan struct{} // closed when it ends
	late atomic.Bool   // its caller has stopped waiting for it
}

// Loaded is a value with a number that no other value of the same item has. Comparing two numbers
// shows whether something derived from a value is out of date.
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

// set puts a value into use. Calls do not overlap, because one reload runs at a time.
func (r *Item[T]) set(value T) {
	next := &Loaded[T]{Value: value, Generation: 1}
	if now := r.current.Load(); now != nil {
		next.Generation = now.Generation + 1
	}
	r.current.Store(next)
}

func (r *Item[T]) name() string { return r.path }

func (r *Item[T]) begin(ctx context.Context, wait bool) *turn {
	for {
		own, other := r.take()
		if own != nil {
			return own
		}
		if !wait || other.late.Load() {
			return nil
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil
		}
	}
}

// take acquires the turn and returns it, or returns that of the reload that is running.
func (r *Item[T]) take() (own, other *turn) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.running != nil {
		return nil, r.running
	}
	r.running = &turn{done: make(chan struct{})}
	return r.running, nil
}

func (r *Item[T]) end() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	close(r.running.done)
	r.running = nil
}

func (r *Item[T]) failing() bool {
	r.failed.Store(true)
	return r.telling.CompareAndSwap(false, true)
}

func (r *Item[T]) told() { r.telling.Store(false) }

func (r *Item[T]) overdue() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.running != nil && r.running.late.Load()
}

func (r *Item[T]) reload(ctx context.Context) (news, error) {
	value, sum, err := r.load(ctx, r.known)
	if err != nil {
		return nothing, err
	}
	failed := r.failed.Swap(false)
	switch {
	case sum != r.known || r.current.Load() == nil:
		r.known = sum
		r.set(value)
		return changed, nil
	case failed:
		return repaired, nil
	}
	return nothing, nil
}

// Digest identifies the content that was read last.
type Digest [sha256.Size]byte

// Watch loads a value for the first time, which must succeed, and keeps it in m for reloads if it
// can change. load receives the digest that it returned last; if nothing has changed, it may
// return no value and the same digest. On an error the item has no value.
func Watch[T any](m *Material, path string, reloads bool, load func(context.Context, Digest) (T, Digest, error)) (*Item[T], error) {
	r := &Item[T]{path: path, load: load}
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if _, err := await(ctx, func() (news, error) { return r.reload(ctx) }, func(news, error) {}); err != nil {
		return &Item[T]{path: path}, err // the failed load may still be writing to the first item
	}
	if reloads {
		m.add(r)
	}
	return r, nil
}
