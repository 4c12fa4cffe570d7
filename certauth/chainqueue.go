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
	// maxQueued is how many searches for strangers wait for their turn, for each that runs. At
	// about a tenth of a millisecond a search, the last waits about half a second, with the
	// pauses. Known callers, whose chains are searched again when roots change, wait however
	// many they are: the cache bounds them, and a reload must turn nobody away.
	maxQueued = 1024

	// pauseFactor is how many times as long as a search the pause before the next one is, while
	// strangers queue and known callers are there. Strangers then use a fifth of the time of
	// the processors that search for them.
	pauseFactor = 4

	// maxPause bounds a pause. A search takes longer than a hundredth of this only when the
	// machine has no time for it.
	maxPause = 20 * time.Millisecond
)

// signatureWork bounds the searches that run at one time, and pauses between those for
// strangers. Searches only compute. On a machine with several processors, one is left to the
// callers that are known already; on one processor, the pauses are what known callers get.
type signatureWork struct {
	running  chan struct{}
	queued   atomic.Int64
	searches flight.Group[question, *chainAnswer]

	known atomic.Bool  // a known caller was judged since the last pause
	took  atomic.Int64 // time that the last search took, in nanoseconds
}

// meetKnown notes that a known caller is there. It writes only if that is news, because all
// processors read the place on each request.
func (w *signatureWork) meetKnown() {
	if !w.known.Load() {
		w.known.Store(true)
	}
}

// pause leaves the processor to known callers, if there are any. It is called with a place that
// was waited for, so it delays nobody while there is no queue. Only a timer lets the runtime look
// at the network again before it runs whatever else is ready.
func (w *signatureWork) pause() {
	if w.known.Swap(false) {
		time.Sleep(min(pauseFactor*time.Duration(w.took.Load()), maxPause))
	}
}

// question is what requests must have in common to share a search.
type question struct {
	facts    *facts
	node     *chainNode
	material generations
}

func newSignatureWork() *signatureWork {
	return &signatureWork{running: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// search answers with what run finds. Requests that ask the same at the same time share
// one run, which belongs to none of them: who gives up waiting stops nobody else. Refusals
// are shared with those who wait.
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

// begin runs the search: at once if there is a place, else when there is one.
func (w *signatureWork) begin(asked question, call *flight.Call[*chainAnswer], path string, run func() *chainAnswer) {
	stranger, queued := !asked.facts.Kept(), int64(0)
	if stranger {
		queued = 1
	}
	select {
	case w.running <- struct{}{}:
		if stranger {
			runtime.Gosched() // on one processor no other stranger would ever find the place taken
		}
		w.run(asked, call, run)
		return
	default:
	}
	if w.queued.Add(queued) > int64(maxQueued*cap(w.running)) && queued > 0 {
		w.queued.Add(-queued)
		w.finish(asked, call, &chainAnswer{refused: refusal(ReasonOverloaded, path, "%d chains wait to be verified", maxQueued*cap(w.running))})
		return
	}
	go func() {
		w.running <- struct{}{}
		w.queued.Add(-queued)
		if stranger {
			w.pause()
		}
		w.run(asked, call, run)
	}()
}

// run searches in a place that was taken. Whatever happens, those who wait get an answer.
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

// finish remembers the answer before it lets others ask anew.
func (w *signatureWork) finish(asked question, call *flight.Call[*chainAnswer], answer *chainAnswer) {
	if answer.lasting() {
		asked.facts.remember(asked.node, answer)
	}
	w.searches.Forget(asked, call)
	w.searches.Finish(call, answer)
}
