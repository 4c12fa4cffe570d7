package certauth

import (
	"context"
	"runtime"
	"sync/atomic"
)

// maxQueued is how many searches for strangers wait for their turn, for each that runs. At
// about a tenth of a millisecond a search, the last waits about a tenth of a second. Known
// callers, whose chains are searched again when roots change, wait however many they are:
// the cache bounds them, and a reload must turn nobody away.
const maxQueued = 1024

// signatureWork bounds the searches that run at one time. They are all processor: on a
// machine of several cores one is left to the callers who are known already.
type signatureWork struct {
	running chan struct{}
	queued  atomic.Int64
}

func newSignatureWork() *signatureWork {
	return &signatureWork{running: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// chainFlight is a search that several requests wait for. What it is for is fixed before
// anybody waits.
type chainFlight struct {
	node     *chainNode
	material generations
	done     chan struct{}
	answer   *chainAnswer // when done
}

// search answers with what run finds. Requests that ask the same at the same time share
// one run, which belongs to none of them: who gives up waiting stops nobody else. Refusals
// are shared with those who wait.
func (w *signatureWork) search(ctx context.Context, f *facts, r *chainRule, material generations, run func() *chainAnswer) (*chainAnswer, *Error) {
	f.mutex.Lock()
	for _, flight := range f.searches {
		if flight.node == r.chainNode && flight.material == material {
			f.mutex.Unlock()
			return flight.wait(ctx, r.path)
		}
	}
	flight := &chainFlight{node: r.chainNode, material: material, done: make(chan struct{})}
	f.searches = append(f.searches, flight)
	f.mutex.Unlock()

	select {
	case w.running <- struct{}{}:
		w.fly(f, flight, run)
		return flight.answer, nil
	default:
	}
	queued := int64(1)
	if f.kept.Load() {
		queued = 0
	}
	if w.queued.Add(queued) > int64(maxQueued*cap(w.running)) && queued > 0 {
		w.queued.Add(-queued)
		flight.land(f, &chainAnswer{refused: refusal(ReasonOverloaded, r.path, "%d chains wait to be verified", maxQueued*cap(w.running))})
		return flight.answer, nil
	}
	go func() {
		w.running <- struct{}{}
		w.queued.Add(-queued)
		w.fly(f, flight, run)
	}()
	return flight.wait(ctx, r.path)
}

// fly runs the search. Whatever happens in it, those who wait get an answer.
func (w *signatureWork) fly(f *facts, flight *chainFlight, run func() *chainAnswer) {
	answer, err := safely(func() (*chainAnswer, error) { return run(), nil })
	<-w.running
	if err != nil {
		answer = &chainAnswer{refused: refusal(ReasonInternalError, "", "%w", err)}
	}
	flight.land(f, answer)
}

func (flight *chainFlight) land(f *facts, answer *chainAnswer) {
	flight.answer = answer
	f.mutex.Lock()
	defer f.mutex.Unlock()
	for i, other := range f.searches {
		if other == flight {
			f.searches = append(f.searches[:i:i], f.searches[i+1:]...)
			break
		}
	}
	if answer.lasting() {
		f.answers.remember(flight.node, answer)
	}
	close(flight.done)
}

func (flight *chainFlight) wait(ctx context.Context, path string) (*chainAnswer, *Error) {
	select {
	case <-flight.done:
		return flight.answer, nil
	case <-ctx.Done():
		return nil, refusal(ReasonRequestCanceled, path, "%w", ctx.Err())
	}
}
