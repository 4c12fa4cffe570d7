package workqueue

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/internal/bubble"
	"github.com/seed2886b8ae/go-certauth/internal/randomly"
)

// isIdle checks that every place is free and that nothing waits.
func (q *Queue) isIdle(t *testing.T) {
	t.Helper()
	synctest.Wait()
	assert.Zero(t, q.waiting.Load())
	assert.Empty(t, q.running)
	assert.Empty(t, q.stranger)
}

// As many works run as there are places, a limited number of strangers wait, and the next one is turned
// away at once. Known callers never are, and take no place from strangers in the queue.
func TestLimits_WorkIsBounded(t *testing.T) {
	for _, places := range []int{1, 3} {
		bubble.Test(t, func(t *testing.T) {
			q := New(places)
			assert.Equal(t, 1024*places, q.MaxWaiting())
			var running, most, done atomic.Int32
			goOn := make(chan struct{})
			work := func() {
				most.Store(max(most.Load(), running.Add(1)))
				<-goOn
				running.Add(-1)
				done.Add(1)
			}
			for range places {
				go q.Do(false, work)
				synctest.Wait()
			}
			for range q.MaxWaiting() {
				assert.True(t, q.Do(false, work))
			}
			assert.False(t, q.Do(false, work))
			const known = 100
			for range known {
				assert.True(t, q.Do(true, work))
			}
			synctest.Wait()
			assert.EqualValues(t, q.MaxWaiting(), q.waiting.Load())
			assert.EqualValues(t, places, running.Load())

			close(goOn)
			q.isIdle(t)
			assert.EqualValues(t, places+q.MaxWaiting()+known, done.Load())
			assert.EqualValues(t, places, most.Load())
		})
	}
}

// finding S11: after a reload, known callers waited for their new search behind all unknown ones in
// the queue: for seconds, if these send along CAs that claim to be signed by an RSA-4096 or P-384
// CA.
func TestLimits_KnownCallersWaitForNoStrangerInTheQueue(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		const places, strangers, callers = 2, 100, 10
		q := New(places)
		one := make(chan struct{}) // work may end
		work := func(begun *atomic.Int32) func() {
			return func() {
				begun.Add(1)
				<-one
			}
		}
		var ofStrangers, ofKnown atomic.Int32
		for range places + strangers {
			go q.Do(false, work(&ofStrangers))
			synctest.Wait() // one after the other
		}
		for range callers {
			q.Do(true, work(&ofKnown))
			synctest.Wait()
		}
		assert.EqualValues(t, places, ofStrangers.Load())
		assert.Zero(t, ofKnown.Load())
		for range callers + 1 { // one stranger is ahead of them
			one <- struct{}{}
			synctest.Wait()
		}
		assert.EqualValues(t, callers, ofKnown.Load())
		close(one)
		q.isIdle(t)
		assert.EqualValues(t, places+strangers, ofStrangers.Load(), "which then get their turn")
	})
}

// A flood of genuine certificates that are used only once costs a search each. On one processor,
// only pauses between the searches leave known callers a share.
func TestQueue_LeavesKnownCallersAShareOfOneProcessor(t *testing.T) {
	const long = 3 * time.Millisecond
	for name, test := range map[string]struct {
		met   bool          // a known caller is met during each work
		known bool          // those that wait are known
		took  time.Duration // of each work
		works int
		want  time.Duration
	}{
		"the first stranger does not wait":                            {met: true, took: long, works: 1, want: long},
		"the next ones leave known callers four times their own time": {met: true, took: long, works: 3, want: long + 2*(4*long+long)},
		"without known callers there is no pause":                     {took: long, works: 3, want: 3 * long},
		"known callers whose work waits do not pause":                 {met: true, known: true, took: long, works: 3, want: 3 * long},
		"a slow work makes no longer pause than the bound":            {met: true, took: time.Second, works: 2, want: 2*time.Second + maxPause},
	} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				q, begun := New(1), time.Now()
				var group sync.WaitGroup
				for range test.works {
					done := make(chan struct{})
					group.Go(func() {
						assert.True(t, q.Do(test.known, func() {
							time.Sleep(test.took) //nolint:forbidigo // inside a bubble
							if test.met {
								q.MeetKnown()
							}
							close(done)
						}))
						<-done
					})
				}
				group.Wait()
				assert.Equal(t, test.want, time.Since(begun))
			})
		})
	}
}

// Whatever the works do and however many places there are, each gets its turn, and all places are free
// afterwards.
func TestQueue_ServesEveryWorkAndLosesNoPlace(t *testing.T) {
	seed, rounds := randomly.Seed(t, 20)
	for round := range rounds {
		places := []int{1, 7}[round%2]
		random := rand.New(rand.NewPCG(seed, uint64(round)))
		bubble.Test(t, func(t *testing.T) {
			q := New(places)
			var running, ran atomic.Int32
			const works = 200
			for range works {
				known, took, meets := random.IntN(3) == 0, time.Duration(random.IntN(9))*time.Millisecond, random.IntN(2) == 0
				go q.Do(known, func() {
					assert.LessOrEqual(t, int(running.Add(1)), places)
					defer running.Add(-1)
					ran.Add(1)
					time.Sleep(took) //nolint:forbidigo // inside a bubble
					if meets {
						q.MeetKnown()
					}
				})
				if random.IntN(4) == 0 {
					time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond) //nolint:forbidigo // inside a bubble
				}
			}
			time.Sleep(works * (maxPause + 10*time.Millisecond)) //nolint:forbidigo // inside a bubble
			q.isIdle(t)
			assert.EqualValues(t, works, ran.Load())
		})
	}
}
