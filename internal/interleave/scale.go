package interleave

import (
	"slices"
	"sync"
	"time"
)

// Worker is an operation to run on several processors at once.
type Worker struct {
	Name string
	// New returns a separate loop for one goroutine.
	New func() func(n int)
}

// Scale returns, for each worker, the throughput of two goroutines relative to one, as the median
// over the rounds. It measures wall-clock time: on a shared machine the result is meaningful only
// relative to another worker of the same call, such as an empty loop.
func Scale(rounds int, slice time.Duration, workers ...Worker) []float64 {
	loops := make([][2]func(int), len(workers))
	counts := make([]int, len(workers))
	for i, w := range workers {
		loops[i] = [2]func(int){w.New(), w.New()}
		counts[i] = calibrate(Case{Name: w.Name, Run: loops[i][0]}, slice)
	}
	times := make([][]float64, len(workers))
	for range rounds {
		for i := range workers {
			alone := wall(loops[i][:1], counts[i])
			together := wall(loops[i][:], counts[i])
			times[i] = append(times[i], 2*float64(alone)/float64(together))
		}
	}
	medians := make([]float64, len(workers))
	for i, t := range times {
		slices.Sort(t)
		medians[i] = t[rounds/2]
	}
	return medians
}

// wall returns how long it takes until each loop has run n times.
func wall(loops []func(int), n int) time.Duration {
	var running sync.WaitGroup
	begun := time.Now() //nolint:forbidigo // it measures time
	for _, loop := range loops {
		running.Go(func() { loop(n) })
	}
	running.Wait()
	return time.Since(begun) //nolint:forbidigo // it measures time
}
