package certauth

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// maxQueued is how many searches for strangers wait for their turn, for each that runs. At
// about a tenth of a millisecond a search, the last waits about a tenth of a second. Known
// callers, whose chains are searched again when roots change, wait however many they are:
// the cache bounds them, and a reload must turn nobody away.
const maxQueued = 1024

// signatureWork bounds the searches that run at one time. They are all processor: on a
// machine of several cores one is left to the callers who are known already.
type signatureWork struct {
	running  chan struct{}
	queued   atomic.Int64
	searches flight.Group[question, *chainAnswer]
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
	select {
	case w.running <- struct{}{}:
		w.run(asked, call, run)
		return
	default:
	}
	queued := int64(1)
	if asked.facts.Kept() {
		queued = 0
	}
	if w.queued.Add(queued) > int64(maxQueued*cap(w.running)) && queued > 0 {
		w.queued.Add(-queued)
		w.finish(asked, call, &chainAnswer{refused: refusal(ReasonOverloaded, path, "%d chains are already waiting to be verified", maxQueued*cap(w.running))})
		return
	}
	go func() {
		w.running <- struct{}{}
		w.queued.Add(-queued)
		w.run(asked, call, run)
	}()
}

// run searches in a place that was taken. Whatever happens, those who wait get an answer.
func (w *signatureWork) run(asked question, call *flight.Call[*chainAnswer], run func() *chainAnswer) {
	answer, err := safely.Do(func() (*chainAnswer, error) { return run(), nil })
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
