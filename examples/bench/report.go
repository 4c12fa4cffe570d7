package main

import (
	"fmt"
	"strings"
	"time"
)

// target is a promise about two servers of the comparison.
type target struct {
	text    string
	of, to  string
	limit   float64
	atLeast bool
}

var targets = []target{
	{"ours, in relation to the bare handler", "certauth", "bare", 1.05, false},
	{"client-certificate-auth on node http, in relation to ours", "node-cca", "certauth", 10, true},
	{"client-certificate-auth on Express, in relation to ours", "express-cca", "certauth", 15, true},
	{"the same with chain signatures checked, in relation to ours", "express-cca-chain", "certauth", 25, true},
}

// verdict is the limit in words, and whether the measured value keeps it.
func (t target) verdict(measured float64) string {
	words, kept := "at most", measured <= t.limit
	if t.atLeast {
		words, kept = "at least", measured >= t.limit
	}
	text := fmt.Sprintf("%s %.4g", words, t.limit)
	if !kept {
		text += " (missed)"
	}
	return text
}

// report returns the tables in Markdown. Targets whose server did not run are left out.
func (p plan) report(measured results) string {
	var out strings.Builder
	for _, kind := range p.kinds {
		samples := measured[kind]
		fmt.Fprintf(&out, "\n### %s: server processor time a request\n\n", kind)
		out.WriteString("| server | what it does | ratio to bare (lowest to highest round) | µs | requests/s |\n|---|---|---|---|---|\n")
		for _, c := range p.contestants {
			rounds := samples[c.name]
			var micros, perSecond []float64
			for _, s := range rounds {
				micros = append(micros, float64(s.cpu)/float64(time.Microsecond))
				perSecond = append(perSecond, s.perSecond)
			}
			mid, low, high := ratio(rounds, samples[p.contestants[0].name])
			fmt.Fprintf(&out, "| %s | %s | %.2f (%.2f to %.2f) | %.1f | %.0f |\n", c.name, c.what, mid, low, high, median(micros), median(perSecond))
		}
		out.WriteString("\n| processor time | ratio | target |\n|---|---|---|\n")
		for _, t := range targets {
			if samples[t.of] == nil || samples[t.to] == nil {
				continue
			}
			mid, _, _ := ratio(samples[t.of], samples[t.to])
			fmt.Fprintf(&out, "| %s | %.3g | %s |\n", t.text, mid, t.verdict(mid))
		}
	}
	return out.String()
}
