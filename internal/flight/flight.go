// Package flight lets callers that need the same result at the same time share one call.
package flight

import (
	"context"
	"sync"
)

// Group holds the calls in progress by key. The zero value is ready for use. A Group starts no
// goroutine and holds nothing when it is not in use.
type Group[K comparable, V any] struct {
	mutex sync.Mutex
	calls map[K]*Call[V]
}

// Call is one shared call. The mutex of the Group guards its fields.
type Call[V any] struct {
	users int
	over  bool
	value V
	done  chan struct{} // closed when the call is finished; made for the first caller that waits
}

// Join returns the Call of the key. If first is true, there was none: the caller must then do the
// work, and must call Finish whatever happens. Every caller that joins must call Leave, unless it
// calls Forget.
func (g *Group[K, V]) Join(key K) (call *Call[V], first bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if known := g.calls[key]; known != nil {
		known.users++
		return known, false
	}
	if g.calls == nil {
		g.calls = map[K]*Call[V]{}
	}
	begun := &Call[V]{users: 1}
	g.calls[key] = begun
	return begun, true
}

// Finish delivers the result to all callers that wait and all that join later. Call it once.
func (g *Group[K, V]) Finish(call *Call[V], value V) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	call.value, call.over = value, true
	if call.done != nil {
		close(call.done)
	}
}

// Wait returns the result, or the error of ctx if ctx ends first. The work continues without the
// caller.
func (g *Group[K, V]) Wait(ctx context.Context, call *Call[V]) (V, error) {
	g.mutex.Lock()
	if !call.over {
		if call.done == nil {
			call.done = make(chan struct{})
		}
		g.mutex.Unlock()
		select {
		case <-call.done:
		case <-ctx.Done():
			var none V
			return none, ctx.Err()
		}
		g.mutex.Lock()
	}
	defer g.mutex.Unlock()
	return call.value, nil
}

// Leave ends one use of a Call. After the last use the Call is forgotten.
func (g *Group[K, V]) Leave(key K, call *Call[V]) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if call.users--; call.users == 0 {
		g.forget(key, call)
	}
}

// Forget makes later callers start a new Call. Callers that have joined still get the result.
func (g *Group[K, V]) Forget(key K, call *Call[V]) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.forget(key, call)
}

func (g *Group[K, V]) forget(key K, call *Call[V]) {
	if g.calls[key] == call {
		delete(g.calls, key)
	}
}

// Len returns the number of calls that can be joined.
func (g *Group[K, V]) Len() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return len(g.calls)
}
