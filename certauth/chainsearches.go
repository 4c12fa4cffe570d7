package certauth

import (
	"context"
	"runtime"

	"github.com/seed2886b8ae/go-certauth/internal/flight"
	"github.com/seed2886b8ae/go-certauth/internal/safely"
	"github.com/seed2886b8ae/go-certauth/internal/workqueue"
)

// searches runs the searches for chains, which are CPU-bound. On a machine with several processors,
// one is left to callers that are known already. A search takes about a tenth of a millisecond, so the
// last unknown caller in the queue waits about half a second; with CAs of P-384 or RSA-4096 and unknown
// callers that send CAs along, it waits seconds. The number of known callers, whose chains are searched
// again when roots change, is not limited by the queue: the cache limits it, and a reload must not
// refuse anybody.
type searches struct {
	queue   *workqueue.Queue
	flights flight.Group[question, *chainAnswer]
}

// question identifies a search. Requests with the same question share it.
type question struct {
	facts    *facts
	node     *chainNode
	material generations
}

func newSearches() *searches {
	return &searches{queue: workqueue.New(max(1, runtime.GOMAXPROCS(0)-1))}
}

// search returns the answer of run. Concurrent requests with the same question share one run and
// its answer, also if that is a refusal. The run belongs to none of them: a request that stops
// waiting does not end it.
func (s *searches) search(ctx context.Context, f *facts, r *chainRule, material generations, run func() *chainAnswer) (*chainAnswer, *Error) {
	asked := question{f, r.chainNode, material}
	call, first := s.flights.Join(asked)
	if first && !s.queue.Do(f.Kept(), func() { s.finish(asked, call, answerOf(run)) }) {
		s.finish(asked, call, &chainAnswer{refused: refusal(ReasonOverloaded, r.path, "%d chains are already waiting to be verified", s.queue.MaxWaiting())})
	}
	answer, err := s.flights.Wait(ctx, call)
	if err != nil {
		return nil, refusal(ReasonRequestCanceled, r.path, "%w", err)
	}
	return answer, nil
}

// answerOf searches. The waiting requests get an answer in every case.
func answerOf(run func() *chainAnswer) *chainAnswer {
	answer, err := safely.Do(func() (*chainAnswer, error) { return run(), nil })
	if err != nil {
		return &chainAnswer{refused: refusal(ReasonInternalError, "", "%w", err)}
	}
	return answer
}

// finish remembers the answer before another search for the same question can begin.
func (s *searches) finish(asked question, call *flight.Call[*chainAnswer], answer *chainAnswer) {
	if answer.lasting() {
		asked.facts.remember(asked.node, answer)
	}
	s.flights.Forget(asked, call)
	s.flights.Finish(call, answer)
}
