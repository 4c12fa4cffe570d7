// Package workqueue bounds work that needs a processor: how much of it runs at a time, and how much of
// it waits. Known callers do not wait behind strangers.
package workqueue

import (
	"runtime"
	"sync/atomic"
	"time"
)

const (
	// maxWaiting is the number of works of strangers that may wait for each running one.
	maxWaiting = 1024

	// pauseFactor is the length of the pause before the work of a stranger that waited, in times of
	// the last work, while there are known callers. Strangers that wait then use a fifth of the time
	// of one place, or a quarter of the time of several.
	pauseFactor = 4

	// maxPause bounds a pause, also where the machine had no time for the last work.
	maxPause = 20 * time.Millisecond
)

// Queue has a number of places, in each of which one work runs at a time. While there are known
// callers, it pauses before the work of each stranger that waited, so that they have a share even where
// a place takes the only processor. It is safe for concurrent use.
type Queue struct {
	running  chan struct{}
	stranger chan struct{} // held by the one stranger that waits for a place, with the known callers
	waiting  atomic.Int64  // strangers

	known atomic.Bool  // a known caller was met since the last pause
	took  atomic.Int64 // how long the last work took, in nanoseconds
}

// New returns a queue with this number of places.
func New(places int) *Queue {
	return &Queue{running: make(chan struct{}, places), stranger: make(chan struct{}, 1)}
}

// MaxWaiting returns the number of works of strangers that may wait. Those of known callers are not
// limited.
func (q *Queue) MaxWaiting() int { return maxWaiting * cap(q.running) }

// MeetKnown notes that there are known callers. It writes only if that is news, because every
// processor reads the flag on each request.
func (q *Queue) MeetKnown() {
	if !q.known.Load() {
		q.known.Store(true)
	}
}

// Do runs the work, before it returns if there is a free place, otherwise in another goroutine when
// there is one. A place is not free for a stranger while another one waits. Do returns false, and
// drops the work of a stranger, if too many of them wait. The work must not panic.
func (q *Queue) Do(known bool, work func()) bool {
	switch {
	case known:
		select {
		case q.running <- struct{}{}:
			q.run(work)
		default:
			go func() {
				q.running <- struct{}{}
				q.run(work)
			}()
		}
	case q.enter():
		// On one processor nothing else would ever find the place taken. On several, others do, and
		// yielding would only wake another processor, which costs up to a third of a search.
		if runtime.GOMAXPROCS(0) == 1 {
			runtime.Gosched()
		}
		q.run(work)
	case q.waiting.Add(1) > int64(q.MaxWaiting()):
		q.waiting.Add(-1)
		return false
	default:
		go func() {
			q.stranger <- struct{}{}
			q.running <- struct{}{} // which serves those who wait in their order
			q.pause()
			<-q.stranger
			q.waiting.Add(-1)
			q.run(work)
		}()
	}
	return true
}

// enter takes a place for a stranger, if one is free and no other stranger waits.
func (q *Queue) enter() bool {
	select {
	case q.stranger <- struct{}{}:
		defer func() { <-q.stranger }()
	default:
		return false
	}
	select {
	case q.running <- struct{}{}:
		return true
	default:
		return false
	}
}

// run runs the work and then frees its place.
func (q *Queue) run(work func()) {
	begun := time.Now() //nolint:forbidigo // a duration, which no injected clock can tell
	defer func() {
		q.took.Store(int64(time.Since(begun))) //nolint:forbidigo // the same
		<-q.running
	}()
	work()
}

// pause leaves the processor to known callers, if there are any, and its place to their work. It
// sleeps because the runtime looks for requests on the network only when nothing else is ready to run.
func (q *Queue) pause() {
	if q.known.Swap(false) {
		<-q.running
		time.Sleep(min(pauseFactor*time.Duration(q.took.Load())/time.Duration(cap(q.running)), maxPause)) //nolint:forbidigo // the pause is the purpose, and is bounded
		q.running <- struct{}{}
	}
}
