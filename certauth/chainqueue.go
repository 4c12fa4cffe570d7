package certauth

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

const (
	// maxQueued is the number of searches for unknown callers that may wait for each running
	// search. A search takes about a tenth of a millisecond, so the last waits about half a second,
	// pauses included; with CAs of P-384 or RSA-4096 and unknown callers that send CAs along, it
	// waits seconds. The number of known callers, whose chains are searched again when roots
	// change, is not limited here: the cache limits it, and a reload must not refuse anybody. They
	// do not wait for the unknown callers in the queue.
	maxQueued = 1024

	// pauseFactor is the length of the pause before a search for an unknown caller that waited,
	// in times of the last search, while there are known callers. Unknown callers that wait then
	// use a fifth of the time of one place, or a quarter of the time of several.
	pauseFactor = 4

	// maxPause bounds a pause, also where the machine had no time for the last search.
	maxPause = 20 * time.Millisecond
)

// signatureWork bounds the searches that run at the same time, and pauses between those for
// unknown callers. Searches are CPU-bound. On a machine with several processors, one is left to
// callers that are known already; on one processor, the pauses are.
type signatureWork struct {
	running  chan struct{}
	stranger chan struct{} // held by the one unknown caller that waits for a place, with the known ones
	queued   atomic.Int64
	searches flight.Group[question, *chainAnswer]

	known atomic.Bool  // a known caller was judged since the last pause
	took  atomic.Int64 // how long the last search took, in nanoseconds
}

// meetKnown notes that a known caller was judged. It writes only if that is news, because every
// processor reads the flag on each request.
func (w *signatureWork) meetKnown() {
	if !w.known.Load() {
		w.known.Store(true)
	}
}

// pause leaves the processor to known callers, if there are any, and its place to those that are
// searched for again. It sleeps because the runtime looks for requests on the network only when
// nothing else is ready to run.
func (w *signatureWork) pause() {
	if w.known.Swap(false) {
		<-w.running
		time.Sleep(min(pauseFactor*time.Duration(w.took.Load())/time.Duration(cap(w.running)), maxPause)) //nolint:forbidigo // the pause is the purpose, and is bounded
		w.running <- struct{}{}
	}
}

// question identifies a search. Requests with the same question share it.
type question struct {
	facts    *facts
	node     *chainNode
	material generations
}

func newSignatureWork() *signatureWork {
	return &signatureWork{running: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), stranger: make(chan struct{}, 1)}
}

// search returns the answer of run. Concurrent requests with the same question share one run and
// its answer, also if that is a refusal. The run belongs to none of them: a request that stops
// waiting does not end it.
func (w *signatureWork) search(ctx context.Context, f *facts, r *chainRule, material generations, run func() *chainAnswer) (*chainAnswer, *Error) {
	asked := question{f, r.chainNode, material}
	call, first := w.searches.Join(asked)
	if first {
		w.begin(asked, call, r.path, run)
	}
	answer, err := w.searches.Wait(ctx, call)
	if err != nil {
		return nil, refusal(ReasonRequestCanceled, r.path, "%w", err)
	}
	return answer, nil
}

// begin runs the search, at once if there is a free place, otherwise when there is one. A place is
// not free for an unknown caller while another one waits.
func (w *signatureWork) begin(asked question, call *flight.Call[*chainAnswer], path string, run func() *chainAnswer) {
	if asked.facts.Kept() {
		select {
		case w.running <- struct{}{}:
			w.run(asked, call, run)
		default:
			go func() {
				w.running <- struct{}{}
				w.run(asked, call, run)
			}()
		}
		return
	}
	if w.enter() {
		runtime.Gosched() // on one processor no other request would ever find the place taken
		w.run(asked, call, run)
		return
	}
	if w.queued.Add(1) > int64(maxQueued*cap(w.running)) {
		w.queued.Add(-1)
		w.finish(asked, call, &chainAnswer{refused: refusal(ReasonOverloaded, path, "%d chains are already waiting to be verified", maxQueued*cap(w.running))})
		return
	}
	go func() {
		w.stranger <- struct{}{}
		w.running <- struct{}{} // which serves those who wait in their order
		w.pause()
		<-w.stranger
		w.queued.Add(-1)
		w.run(asked, call, run)
	}()
}

// enter takes a place for an unknown caller, if one is free and no other unknown caller waits.
func (w *signatureWork) enter() bool {
	select {
	case w.stranger <- struct{}{}:
		defer func() { <-w.stranger }()
	default:
		return false
	}
	select {
	case w.running <- struct{}{}:
		return true
	default:
		return false
	}
}

// run searches and then frees its place. The waiting requests get an answer in every case.
func (w *signatureWork) run(asked question, call *flight.Call[*chainAnswer], run func() *chainAnswer) {
	begun := time.Now() //nolint:forbidigo // a duration, which no injected clock can tell
	answer, err := safely.Do(func() (*chainAnswer, error) { return run(), nil })
	w.took.Store(int64(time.Since(begun))) //nolint:forbidigo // the same
	<-w.running
	if err != nil {
		answer = &chainAnswer{refused: refusal(ReasonInternalError, "", "%w", err)}
	}
	w.finish(asked, call, answer)
}

// finish remembers the answer before another search for the same question can begin.
func (w *signatureWork) finish(asked question, call *flight.Call[*chainAnswer], answer *chainAnswer) {
	if answer.lasting() {
		asked.facts.remember(asked.node, answer)
	}
	w.searches.Forget(asked, call)
	w.searches.Finish(call, answer)
}
