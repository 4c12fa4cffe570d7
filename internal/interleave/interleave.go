// Package interleave compares how long operations take, on machines that are never idle. Every
// round runs each case for a short time, and only values of the same round are compared. It
// measures the processor time of the whole process, because on a shared machine the process may
// not run for longer than a round while the wall clock continues.
package interleave

import (
	"slices"
	"time"
)

// Case is an operation to measure.
type Case struct {
	Name string
	// Run performs the operation n times.
	Run func(n int)
}

// Result is the measurement of a case.
type Result struct {
	Name string
	// Min is the shortest time of a run.
	Min time.Duration
	// Ratio is the median, over the rounds, of the time relative to the first case.
	Ratio float64
	// MinNanoseconds is Min with fractions.
	MinNanoseconds float64
}

// Measure runs every case for about the duration slice in each round.
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

// calibrate determines how many runs fill a slice, and warms the case up. A run that was delayed
// by something else must not count, so two consecutive runs have to agree.
func calibrate(c Case, slice time.Duration) int {
	for n := 1; ; n *= 2 {
		if took := min(clock(c, n), clock(c, n), clock(c, n)); took > slice/4 {
			return max(1, int(float64(n)*float64(slice)/float64(took)))
		}
	}
}

// clock returns the processor time of n runs, including the garbage collector's.
func clock(c Case, n int) time.Duration {
	begun := processorTime()
	c.Run(n)
	return processorTime() - begun
}
