package certauth

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/source"
	"github.com/seed2886b8ae/go-certauth/internal/workqueue"
)

func answered() *chainAnswer { return &chainAnswer{chains: []*verifiedChain{{}}} }

func ruleAt(path string) *chainRule {
	return &chainRule{path: path, chainNode: (&chainNodes{}).node(chainSettings{})}
}

// occupied returns searches whose only place is taken until block is closed.
func occupied(block chan struct{}) *searches {
	w := &searches{queue: workqueue.New(1)}
	go w.queue.Do(true, func() { <-block })
	synctest.Wait()
	return w
}

// CVE-2018-16875 and similar: verification uses much CPU time. So few searches run at a time, a limited
// number wait, and the next is refused at once with a reason.
func TestLimits_SearchesAreBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		block, rule := make(chan struct{}), ruleAt("Policy.Chain")
		w := occupied(block)
		var group sync.WaitGroup
		accepted := atomic.Int32{}
		search := func(f *facts) {
			group.Go(func() {
				if answer, refused := w.search(t.Context(), f, rule, generations{}, answered); refused == nil && answer.refused == nil {
					accepted.Add(1)
				}
			})
			synctest.Wait() // one after the other
		}
		waiting := w.queue.MaxWaiting()
		for range waiting {
			search(&facts{})
		}
		answer, refused := w.search(t.Context(), &facts{}, rule, generations{}, answered)
		require.Nil(t, refused)
		assert.Equal(t, ReasonOverloaded, answer.refused.Reason)
		assert.ErrorIs(t, answer.refused, ReasonOverloaded)

		known := &facts{Slot: factcache.Slot{Key: source.Key{"known"}}}
		newFactCache(1).Insert(known)
		search(known) // searched again when roots change, and never turned away
		close(block)
		group.Wait()
		assert.EqualValues(t, waiting+1, accepted.Load(), "a request with a place in the queue gets an answer")
		synctest.Wait()
		assert.Zero(t, w.flights.Len())
	})
}

func TestSearch_IsSharedAndBelongsToNobody(t *testing.T) {
	rule := ruleAt("Policy.Chain")
	t.Run("one run for all who ask the same", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			w, f, runs := newSearches(), &facts{}, atomic.Int32{}
			goOn := make(chan struct{})
			run := func() *chainAnswer { runs.Add(1); <-goOn; return answered() }
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() {
					answer, refused := w.search(t.Context(), f, rule, generations{}, run)
					assert.Nil(t, refused)
					assert.Len(t, answer.chains, 1)
				})
			}
			synctest.Wait()
			close(goOn)
			group.Wait()
			assert.EqualValues(t, 1, runs.Load())
			assert.NotNil(t, f.answers.of(rule.chainNode), "kept")
			assert.Zero(t, w.flights.Len())
		})
	})
	t.Run("other material is another question", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			w, f, runs := newSearches(), &facts{}, atomic.Int32{}
			goOn := make(chan struct{})
			run := func() *chainAnswer { runs.Add(1); <-goOn; return answered() }
			var group sync.WaitGroup
			for i := range uint64(3) {
				group.Go(func() { _, _ = w.search(t.Context(), f, rule, generations{roots: i}, run) })
			}
			synctest.Wait()
			close(goOn)
			group.Wait()
			assert.EqualValues(t, 3, runs.Load())
		})
	})
	t.Run("who gives up stops nobody", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			block, goOn := make(chan struct{}), make(chan struct{})
			w, f := occupied(block), &facts{} // so the first of the others also waits
			ctx, cancel := context.WithCancel(t.Context())
			first, second := make(chan *Error, 1), make(chan *Error, 1)
			run := func() *chainAnswer { <-goOn; return answered() }
			go func() { _, refused := w.search(ctx, f, rule, generations{}, run); first <- refused }()
			synctest.Wait()
			go func() { _, refused := w.search(t.Context(), f, rule, generations{}, run); second <- refused }()
			synctest.Wait()
			cancel()
			require.NotNil(t, <-first)
			close(block)
			close(goOn)
			assert.Nil(t, <-second)
		})
	})
	t.Run("a panic denies all who wait and leaves nothing", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			w, f := newSearches(), &facts{}
			goOn := make(chan struct{})
			var group sync.WaitGroup
			for range 10 {
				group.Go(func() {
					answer, refused := w.search(t.Context(), f, rule, generations{}, func() *chainAnswer { <-goOn; panic("verify") })
					assert.Nil(t, refused)
					assert.Equal(t, ReasonInternalError, answer.refused.Reason)
				})
			}
			synctest.Wait()
			close(goOn)
			group.Wait()
			assert.Nil(t, f.answers.of(rule.chainNode))
			assert.Zero(t, w.flights.Len())
			answer, _ := w.search(t.Context(), f, rule, generations{}, answered)
			assert.Nil(t, answer.refused)
		})
	})
	t.Run("what only the moment refuses is not kept", func(t *testing.T) {
		w, f := newSearches(), &facts{}
		for _, reason := range []Reason{ReasonOverloaded, ReasonInternalError} {
			_, _ = w.search(t.Context(), f, rule, generations{}, func() *chainAnswer {
				return &chainAnswer{refused: refusal(reason, rule.path, "x")}
			})
			assert.Nil(t, f.answers.of(rule.chainNode), reason)
		}
	})
	t.Run("each node has its place in what is kept of one certificate", func(t *testing.T) {
		w, f, all := newSearches(), &facts{}, &chainNodes{}
		var rules []*chainRule
		var answers []*chainAnswer
		for i := range maxChainNodes {
			rules = append(rules, &chainRule{chainNode: all.node(chainSettings{Settings: chainsearch.Settings{MaxDepth: i}})})
			answers = append(answers, answered())
		}
		for i, one := range rules {
			_, _ = w.search(t.Context(), f, one, generations{}, func() *chainAnswer { return answers[i] })
		}
		for i, one := range rules {
			assert.Same(t, answers[i], f.answers.of(one.chainNode), "node %d", i)
		}
		assert.Len(t, *f.answers.more.Load(), maxChainNodes-1, "room is made once")
		late := &chainRule{chainNode: all.node(chainSettings{Settings: chainsearch.Settings{MaxDepth: -1}})} // of a Require
		assert.Nil(t, f.answers.of(late.chainNode))
		_, _ = w.search(t.Context(), f, late, generations{}, answered)
		assert.NotNil(t, f.answers.of(late.chainNode))
		assert.Same(t, answers[255], f.answers.of(rules[255].chainNode))
	})
}
