package certauth

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/chainsearch"
	"github.com/seed2886b8ae/go-certauth/internal/factcache"
	"github.com/seed2886b8ae/go-certauth/internal/randomly"
	"github.com/seed2886b8ae/go-certauth/internal/source"
)

func answered() *chainAnswer { return &chainAnswer{chains: []*verifiedChain{{}}} }

func ruleAt(path string) *chainRule {
	return &chainRule{path: path, chainNode: (&chainNodes{}).node(chainSettings{})}
}

// CVE-2018-16875 and similar: verification uses much CPU time. So few searches run at a time that
// known callers keep a core, a limited number wait, and the next is refused at once with a reason.
func TestLimits_SignatureWorkIsBounded(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, rule := newSignatureWork(), ruleAt("Policy.Chain")
		running, most := atomic.Int32{}, atomic.Int32{}
		goOn := make(chan struct{})
		slow := func() *chainAnswer {
			if now := running.Add(1); now > most.Load() {
				most.Store(now)
			}
			<-goOn
			running.Add(-1)
			return answered()
		}
		places := cap(w.running) * (1 + maxQueued)
		var group sync.WaitGroup
		accepted := atomic.Int32{}
		for range places {
			group.Go(func() {
				answer, refused := w.search(t.Context(), &facts{}, rule, generations{}, slow)
				if refused == nil && answer.refused == nil {
					accepted.Add(1)
				}
			})
			synctest.Wait() // one after the other
		}
		assert.EqualValues(t, cap(w.running), running.Load())

		answer, refused := w.search(t.Context(), &facts{}, rule, generations{}, slow)
		require.Nil(t, refused)
		assert.Equal(t, ReasonOverloaded, answer.refused.Reason)
		assert.ErrorIs(t, answer.refused, ReasonOverloaded)

		// Known callers are searched again when roots change; none of them is turned away.
		const known = 100
		for range known {
			f := &facts{Slot: factcache.Slot{Key: source.Key{"known"}}}
			newFactCache(1).Insert(f)
			group.Go(func() {
				answer, refused := w.search(t.Context(), f, rule, generations{}, slow)
				if refused == nil && answer.refused == nil {
					accepted.Add(1)
				}
			})
		}
		synctest.Wait()
		assert.EqualValues(t, places-cap(w.running), w.queued.Load(), "they must not take places from unknown callers")

		close(goOn)
		group.Wait()
		assert.EqualValues(t, places+known, accepted.Load(), "a request with a place in the queue gets an answer")
		assert.EqualValues(t, cap(w.running), most.Load())
		assert.Zero(t, w.queued.Load())
		assert.Empty(t, w.running)
	})
}

// finding S11: after a reload, known callers waited for their new search behind all unknown ones in
// the queue: for seconds, if these send along CAs that claim to be signed by an RSA-4096 or P-384
// CA.
func TestLimits_KnownCallersWaitForNoStrangerInTheQueue(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		w, rule := newSignatureWork(), ruleAt("Policy.Chain")
		one := make(chan struct{}) // search may end
		var group sync.WaitGroup
		begin := func(f *facts, begun *atomic.Int32) {
			group.Go(func() {
				answer, refused := w.search(t.Context(), f, rule, generations{}, func() *chainAnswer {
					begun.Add(1)
					<-one
					return answered()
				})
				assert.Nil(t, refused)
				assert.Nil(t, answer.refused)
			})
			synctest.Wait() // one after the other
		}
		var strangers, known atomic.Int32 // whose search has begun
		for range cap(w.running) + 100 {
			begin(&facts{}, &strangers)
		}
		const callers = 10
		for range callers {
			f := &facts{Slot: factcache.Slot{Key: source.Key{"known"}}}
			newFactCache(1).Insert(f)
			begin(f, &known)
		}
		assert.EqualValues(t, cap(w.running), strangers.Load())
		assert.Zero(t, known.Load())
		for range callers + 1 { // one unknown caller is ahead of them
			one <- struct{}{}
			synctest.Wait()
		}
		assert.EqualValues(t, callers, known.Load())
		close(one)
		group.Wait()
		assert.EqualValues(t, cap(w.running)+100, strangers.Load(), "which then get their turn")
		assert.Zero(t, w.queued.Load())
		assert.Empty(t, w.running)
		assert.Empty(t, w.stranger)
	})
}

// A flood of genuine certificates that are used only once costs a search each. On one processor,
// only pauses between the searches leave known callers a share.
func TestSignatureWork_LeavesKnownCallersAShareOfOneProcessor(t *testing.T) {
	const long = 3 * time.Millisecond
	for name, test := range map[string]struct {
		known     bool          // a known caller is judged during each search
		kept      bool          // those that wait are known, and are searched again
		took      time.Duration // of the searches
		strangers int
		want      time.Duration
	}{
		"the first stranger does not wait":                            {known: true, took: long, strangers: 1, want: long},
		"the next ones leave known callers four times their own time": {known: true, took: long, strangers: 3, want: long + 2*(4*long+long)},
		"without known callers there is no pause":                     {took: long, strangers: 3, want: 3 * long},
		"known callers who are searched for again do not pause":       {known: true, kept: true, took: long, strangers: 3, want: 3 * long},
		"a slow search makes no longer pause than the bound":          {known: true, took: time.Second, strangers: 2, want: 2*time.Second + maxPause},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				w, rule, begun := newSignatureWork(), ruleAt("Policy.Chain"), time.Now()
				w.running = make(chan struct{}, 1) // as on one processor, and on two
				run := func() *chainAnswer {
					time.Sleep(test.took) //nolint:forbidigo // inside a bubble
					if test.known {
						w.meetKnown()
					}
					return answered()
				}
				var group sync.WaitGroup
				for range test.strangers {
					f := &facts{}
					if test.kept {
						f.Key = source.Key{"known"}
						newFactCache(1).Insert(f)
					}
					group.Go(func() {
						answer, refused := w.search(t.Context(), f, rule, generations{}, run)
						assert.Nil(t, refused)
						assert.Nil(t, answer.refused)
					})
				}
				group.Wait()
				assert.Equal(t, test.want, time.Since(begun))
			})
		})
	}
}

// Whatever the searches do and however many places there are, each gets its turn, even if requests
// end or panic in the meantime, and all places are free afterwards.
func TestSignatureWork_ServesEverySearchAndLosesNoPlace(t *testing.T) {
	seed, rounds := randomly.Seed(t, 20)
	for round := range rounds {
		places := []int{1, 7}[round%2]
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		bubble.Test(t, func(t *testing.T) {
			w, rule := newSignatureWork(), ruleAt("Policy.Chain")
			w.running = make(chan struct{}, places)
			var group sync.WaitGroup
			var running, ran atomic.Int32
			const searches = 200
			for range searches {
				f := &facts{}
				if random.IntN(3) == 0 {
					f.Key = source.Key{"known"}
					newFactCache(1).Insert(f)
				}
				took, panics, meets := time.Duration(random.IntN(9))*time.Millisecond, random.IntN(10) == 0, random.IntN(2) == 0
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(2000))*time.Millisecond)
				group.Go(func() {
					defer cancel()
					_, _ = w.search(ctx, f, rule, generations{}, func() *chainAnswer {
						assert.LessOrEqual(t, int(running.Add(1)), places)
						defer running.Add(-1)
						ran.Add(1)
						time.Sleep(took) //nolint:forbidigo // inside a bubble
						if meets {
							w.meetKnown()
						}
						if panics {
							panic("verify")
						}
						return answered()
					})
				})
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond) //nolint:forbidigo // inside a bubble
				}
			}
			group.Wait()
			time.Sleep(searches * (maxPause + 10*time.Millisecond)) //nolint:forbidigo // inside a bubble
			synctest.Wait()
			assert.EqualValues(t, searches, ran.Load())
			assert.Zero(t, w.searches.Len())
			assert.Zero(t, w.queued.Load())
			assert.Empty(t, w.running)
			assert.Empty(t, w.stranger)
		})
	}
}

func TestSearch_IsSharedAndBelongsToNobody(t *testing.T) {
	rule := ruleAt("Policy.Chain")
	t.Run("one run for all who ask the same", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			w, f, runs := newSignatureWork(), &facts{}, atomic.Int32{}
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
			assert.Zero(t, w.searches.Len())
		})
	})
	t.Run("other material is another question", func(t *testing.T) {
		bubble.Test(t, func(t *testing.T) {
			w, f, runs := newSignatureWork(), &facts{}, atomic.Int32{}
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
			w, f := newSignatureWork(), &facts{}
			block, goOn := make(chan struct{}), make(chan struct{})
			for range cap(w.running) { // all places are taken, so the first of the others also waits
				go func() {
					_, _ = w.search(t.Context(), &facts{}, rule, generations{}, func() *chainAnswer { <-block; return answered() })
				}()
			}
			synctest.Wait()
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
			w, f := newSignatureWork(), &facts{}
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
			assert.Zero(t, w.searches.Len())
			assert.Empty(t, w.running)
			answer, _ := w.search(t.Context(), f, rule, generations{}, answered)
			assert.Nil(t, answer.refused)
		})
	})
	t.Run("what only the moment refuses is not kept", func(t *testing.T) {
		w, f := newSignatureWork(), &facts{}
		for _, reason := range []Reason{ReasonOverloaded, ReasonInternalError} {
			_, _ = w.search(t.Context(), f, rule, generations{}, func() *chainAnswer {
				return &chainAnswer{refused: refusal(reason, rule.path, "x")}
			})
			assert.Nil(t, f.answers.of(rule.chainNode), reason)
		}
	})
	t.Run("each node has its place in what is kept of one certificate", func(t *testing.T) {
		w, f, all := newSignatureWork(), &facts{}, &chainNodes{}
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
