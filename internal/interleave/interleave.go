// Package interleave measures how long things take in relation to one another, on machines
// that are never quiet: every round runs every case for a moment, and only numbers of the
// same round are compared. What counts is the processor time of the whole process: a machine
// shared with others takes the processor away for longer than a round, the wall clock runs on.
package interleave

import (
	"slices"
	"time"
)

// Case is one thing to measure.
type Case struct {
	Name string
	// Run does the thing n times.
	Run func(n int)
}

// Result is what was measured of a case.
type Result struct {
	Name string
	// Min is the least time a run took.
	Min time.Duration
	// Ratio is the median, over the rounds, of the time in relation to the first case.
	Ratio float64
	// MinNanoseconds is Min with fractions.
	MinNanoseconds float64
}

// Measure runs every case for about the slice in each round.
func Measure(rounds int, slice time.Duration, cases ...Case) []Result {
	times := make([][]float64, len(cases))
	counts := make([]int, len(cases))
	for i, c := range cases {
		counts[i] = calibrate(c, slice)
	}
	for range rounds {
		for i, c := range cases {
			times[i] = append(times[i], float64(clock(c, counts[i]))/float64(counts[i]))
		}
	}
	results := make([]Result, len(cases))
	for i, c := range cases {
		ratios := make([]float64, rounds)
		for round := range rounds {
			ratios[round] = times[i][round] / times[0][round]
		}
		slices.Sort(ratios)
		least := slices.Min(times[i])
		results[i] = Result{Name: c.Name, Min: time.Duration(least), MinNanoseconds: least, Ratio: ratios[rounds/2]}
	}
	return results
}

// calibrate finds how many runs fill a slice, and warms the case up. A run that was held up
// by something else must not count: the second of two has to say the same.
func calibrate(c Case, slice time.Duration) int {
	for n := 1; ; n *= 2 {
		if took := min(clock(c, n), clock(c, n), clock(c, n)); took > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took)))
		}
	}
}

// clock returns the processor time that n runs take, the garbage collector's included.
func clock(c Case, n int) time.Duration {
	begun := processorTime()
	c.Run(n)
	return processorTime() - begun
}
