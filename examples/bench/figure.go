package main

import (
	"fmt"
	"math"
	"slices"
)

// aim is the target of a figure. The zero value means that there is none.
type aim struct {
	limit   float64
	atLeast bool
}

func atMost(limit float64) aim  { return aim{limit: limit} }
func atLeast(limit float64) aim { return aim{limit: limit, atLeast: true} }

func (a aim) set() bool { return a != aim{} }

func (a aim) met(measured float64) bool {
	if a.atLeast {
		return measured >= a.limit
	}
	return measured <= a.limit
}

func (a aim) String() string {
	switch {
	case !a.set():
		return "-"
	case a.atLeast:
		return "at least " + number(a.limit)
	}
	return "at most " + number(a.limit)
}

// spread is the result of several rounds: the median and the quartiles.
type spread struct {
	mid, low, high float64
	exact          bool // a count, not a measurement
}

func spreadOf(values []float64) spread {
	sorted := slices.Sorted(slices.Values(values))
	return spread{mid: quantile(sorted, 0.5), low: quantile(sorted, 0.25), high: quantile(sorted, 0.75)}
}

func exactly(value float64) spread { return spread{mid: value, low: value, high: value, exact: true} }

// quantile interpolates between the neighbours.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(math.Floor(at))
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

func (s spread) String() string {
	if s.exact {
		return number(s.mid)
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.mid), number(s.low), number(s.high))
}

// figure is one line of the report.
type figure struct {
	name string
	spread
	aim aim
}

func (f figure) verdict() string {
	switch {
	case !f.aim.set():
		return ""
	case f.aim.met(f.mid):
		return "met"
	}
	return "**missed**"
}

// number formats with the significant digits.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1000 || v == math.Trunc(v):
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 0.1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.4f", v)
}
