package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// section is one table of the report.
type section struct {
	title   string
	figures []figure
	note    string
}

const method = `Written by ` + "`bash .ci/run bench`" + `, which runs the program in [examples/bench](../examples/bench); ` + "`BENCH=short bash .ci/run bench`" + ` prints a
quick version. Nothing here is a promise of nanoseconds: every figure but the counts is a ratio of two things that the same run measured in turn.

- What is measured is processor time (` + "`CLOCK_PROCESS_CPUTIME_ID`" + `, that of a server by the same clock of its process): what other processes of a
  shared machine take is not in it. They still share its caches and its memory, so the quartiles matter more than the last digit.
- Every round runs every contender for some milliseconds, begins with another one, and every other round runs backwards. A ratio is taken within a
  round; the tables have the median over rounds and, in parentheses, the quartiles. While an aim lies between the quartiles, there are more rounds.
- Requests are as App Service's front end sends them: ten or twenty-five headers with its evidence, the certificate put back before each, the
  context that net/http's server makes, which calls the measured handler itself. Each status is checked. The handler at the end looks at who is calling.
- *By hand* decodes, parses and verifies on each request, with a key pin and a name. *The floor handler* keeps the promises of a known caller's
  request in one hand-written function that can be configured in nothing (` + "`floor.go`" + ` says which). *First* means that the handler has never seen
  the certificate. Keys of client and CAs are of one kind, with one CA between them. The process holds 64 MB of live data, as a service does.
`

// report returns the text of BENCHMARKS.md.
func report(machine []string, sections []section) string {
	var out, missed strings.Builder
	judged, met := 0, 0
	for _, s := range sections {
		for _, f := range s.figures {
			if !f.aim.set() {
				continue
			}
			if judged++; f.aim.met(f.mid) {
				met++
				continue
			}
			fmt.Fprintf(&missed, "- %s: %s: **%s**, aim %s.\n", s.title, f.name, number(f.mid), f.aim)
		}
	}
	out.WriteString("# Benchmarks\n\n" + method + "\nMeasured on: " + strings.Join(machine, "; ") + ".\n")
	if said, ok := summary(sections); ok {
		out.WriteString("\nIn one sentence, which the README has too:\n\n> " + said + "\n")
	}
	fmt.Fprintf(&out, "\nOf %d aims %d are met.", judged, met)
	if missed.Len() > 0 {
		out.WriteString(" Missed:\n\n" + missed.String())
	} else {
		out.WriteString("\n")
	}
	for _, s := range sections {
		fmt.Fprintf(&out, "\n## %s\n\n| figure | measured (quartiles) | aim | |\n|---|---|---|---|\n", s.title)
		for _, f := range s.figures {
			fmt.Fprintf(&out, "| %s | %s | %s | %s |\n", f.name, f.spread, f.aim, f.verdict())
		}
		if s.note != "" {
			out.WriteString("\n" + s.note + "\n")
		}
	}
	return out.String()
}

// summary returns the sentence of the README, made of three figures. It returns false if one of them
// was not measured.
func summary(sections []section) (string, bool) {
	find := func(title, name string) float64 {
		for _, s := range sections {
			for _, f := range s.figures {
				if s.title == title && f.name == name {
					return f.mid
				}
			}
		}
		return 0
	}
	allocs := find(titleAllocations, rowFull+", allocations")
	byHand := find(titleKnown+" (p256)", figureByHand)
	first := find(titleFirst+" (p256)", figureFirst)
	if allocs == 0 || byHand == 0 || first == 0 {
		return "", false
	}
	return fmt.Sprintf("A known caller's request costs %.0f allocations and 1/%.0f of the processor time of the same checks written by hand; the first request of a new caller costs %.2f times as much as those (P-256).",
		allocs, byHand, first), true
}

// machine describes the properties of the machine that influence the numbers.
func machine() []string {
	model := runtime.GOARCH
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	said := []string{fmt.Sprintf("%d processors (%s)", runtime.NumCPU(), model), fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(text)); len(fields) > 2 {
			said = append(said, fmt.Sprintf("load averages before it began: %s over a minute, %s over a quarter of an hour", fields[0], fields[2]))
		}
	}
	return said
}
