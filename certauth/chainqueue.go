package certauth

import (
	"context"
	"runtime"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
)

// maxQueued is the number of searches for unknown callers that may wait for each running search. A
// search takes about a tenth of a millisecond, so the last waits about a tenth of a second; with CAs
// of P-384 or RSA-4096 and unknown callers that send CAs along, it waits seconds. The number of
// known callers, whose chains are searched again when roots change, is not limited here: the cache
// limits it, and a reload must not refuse anybody. They do not wait for the unknown callers in the
// queue.
const maxQueued = 1024

// signatureWork bounds the searches that run at the same time. They are CPU-bound, so on a machine
// with several cores one core is left to callers that are known already.
type signatureWork struct {
	running  chan struct{}
	stranger chan struct{} // held by the one stranger who waits for a place, with the known callers
	queued   atomic.Int64
	searches flight.Group[question, *chainAnswer]
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

// begin runs the search, at once if there is a free place, otherwise when there is one.
func (w *signatureWork) begin(asked question, call *flight.Call[*chainAnswer], path string, run func() *chainAnswer) {
	select {
	case w.running <- struct{}{}:
		w.run(asked, call, run)
		return
	default:
	}
	if asked.facts.Kept() {
		go func() {
			w.running <- struct{}{}
			w.run(asked, call, run)
		}()
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
		<-w.stranger
		w.queued.Add(-1)
		w.run(asked, call, run)
	}()
}

// run searches and then frees its place. The waiting requests get an answer in every case.
func (w *signatureWork) run(asked question, call *flight.Call[*chainAnswer], run func() *chainAnswer) {
	answer, err := safely.Do(func() (*chainAnswer, error) { return run(), nil })
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
