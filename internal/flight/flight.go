// Package flight lets callers that want the same thing at the same time share one piece of
// work.
package flight

import (
	"context"
	"sync"
)

// Group holds the work that is under way, by a key that says what it is for. The zero value
// is ready for use. A Group starts no goroutine, and keeps nothing when nobody uses it.
type Group[K comparable, V any] struct {
	mutex sync.Mutex
	calls map[K]*Call[V]
}

// Call is one piece of work. Its fields are guarded by the mutex of the Group.
type Call[V any] struct {
	users int
	over  bool
	value V
	done  chan struct{} // closed when it is over; made for the first caller that has to wait
}

// Join returns the Call of the key. If first is true there was none: the caller has to see to
// it that the work is done, and must call Finish whatever happens. Every caller that joins
// has to call Leave, unless it calls Forget.
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

// Finish hands the result to all who wait and to all who still join. It is called once.
func (g *Group[K, V]) Finish(call *Call[V], value V) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	call.value, call.over = value, true
	if call.done != nil {
		close(call.done)
	}
}

// Wait returns the result, or the error of ctx if that ends first. The work goes on without
// the caller.
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

// Leave ends the use of a Call. The Call is forgotten with its last user.
func (g *Group[K, V]) Leave(key K, call *Call[V]) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	if call.users--; call.users == 0 {
		g.forget(key, call)
	}
}

// Forget lets those who come later begin anew. Those who have joined still get the result.
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

// Len returns how much work can be joined.
func (g *Group[K, V]) Len() int {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return len(g.calls)
}
