package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// suite holds the compiled tests of one package and the results of running each of them.
type suite struct {
	name   string
	dir    string
	binary string
	tests  []*test
}

// test is one top-level test, example or fuzz target (its seeds) without a mutant.
type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool // the mutants that it reaches
}

// options holds the flags of the command that affect the running of tests.
type options struct {
	skip     *regexp.Regexp
	parallel int
	factor   int
	grace    time.Duration // added to the limit, because processes take time to start
	memory   int           // KiB of address space; 0 is unlimited
}

// The tests that reach a fault run in three groups, because most faults are killed by the first: a
// few of the quickest, the other quick ones, the rest.
const (
	groups = 3
	few    = 16
	slow   = 300 * time.Millisecond
)

// build compiles the tests of each package that has tests, with the instrumented code.
func build(ctx context.Context, dir, overlay string, patterns []string) ([]*suite, error) {
	list := exec.CommandContext(ctx, "go", append([]string{"list", "-f", "{{.ImportPath}}\t{{.Dir}}", "--"}, patterns...)...) //nolint:gosec // the developer's own patterns
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var suites []*suite
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		name, where, _ := strings.Cut(line, "\t")
		s := &suite{name: name, dir: where, binary: filepath.Join(dir, fmt.Sprintf("%d.test", i))}
		compile := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", s.binary, name) //nolint:gosec // as above
		if out, err := compile.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("the instrumented tests of %s do not compile: %w\n%s", name, err, out)
		}
		if _, err := os.Stat(s.binary); err == nil { // otherwise the package has no tests
			suites = append(suites, s)
		}
	}
	if len(suites) == 0 {
		return nil, fmt.Errorf("no tests in %s", strings.Join(patterns, " "))
	}
	return suites, nil
}

// command returns the command that runs the compiled tests in the directory of their package.
func (s *suite) command(ctx context.Context, o options, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.binary, args...) //nolint:gosec // it was just built
	if shell, err := exec.LookPath("sh"); err == nil && o.memory > 0 {
		cmd = exec.CommandContext(ctx, shell, append([]string{"-c", "ulimit -v " + strconv.Itoa(o.memory) + ` 2>/dev/null; exec "$0" "$@"`, s.binary}, args...)...) //nolint:gosec // as above
	}
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	groupOf(cmd)
	return cmd
}

// measure runs every test alone without a mutant, and records which mutants it reaches and how long
// it takes. It returns an error if a test fails.
func (s *suite) measure(ctx context.Context, dir string, o options) error {
	out, err := s.command(ctx, o, nil, "-test.list", ".").Output()
	if err != nil {
		return fmt.Errorf("%s: list of tests: %w", s.name, err)
	}
	for _, name := range strings.Fields(string(out)) {
		if !strings.HasPrefix(name, "Benchmark") && (o.skip == nil || !o.skip.MatchString(name)) {
			s.tests = append(s.tests, &test{name: name, reaches: map[int]bool{}})
		}
	}
	failures := make([]error, len(s.tests))
	inParallel(o.parallel, len(s.tests), func(i int) {
		one := s.tests[i]
		failures[i] = s.measureOne(ctx, one, filepath.Join(dir, fmt.Sprintf("%s-%d.reach", filepath.Base(s.binary), i)), o)
	})
	slices.SortStableFunc(s.tests, func(a, b *test) int { return cmp.Compare(a.took, b.took) })
	return errors.Join(failures...)
}

func (s *suite) measureOne(ctx context.Context, one *test, file string, o options) error {
	begun := time.Now() //nolint:forbidigo // it measures
	out, err := s.command(ctx, o, []string{envReach + "=" + file}, "-test.run", exactly([]*test{one}), "-test.timeout=10m").CombinedOutput()
	one.took = time.Since(begun) //nolint:forbidigo // it measures
	if err != nil {
		return fmt.Errorf("%s: %s fails without any mutant (leave it out with -skip if it measures memory or time): %w\n%s", s.name, one.name, err, last(out, 3000))
	}
	text, err := os.ReadFile(file) //nolint:gosec // the program's own file
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, number := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(number)
		if err != nil {
			return fmt.Errorf("%s: %q is no number of a mutant", file, number)
		}
		one.reaches[n] = true
	}
	return nil
}

func last(text []byte, most int) []byte {
	return text[max(0, len(text)-most):]
}

func exactly(tests []*test) string {
	names := make([]string, 0, len(tests))
	for _, one := range tests {
		names = append(names, one.name)
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

// verdict is the result for one mutant.
type verdict struct {
	killed  bool
	reached bool   // by at least one test
	by      string // the suite whose tests failed, or "time"
}

// try runs the tests that reach the mutant, the quickest of all suites first. A mutant is killed if
// they fail, crash or do not end.
func try(ctx context.Context, m *mutant, suites []*suite, o options) (verdict, error) {
	var v verdict
	for group := range groups {
		for _, s := range suites {
			chosen := s.group(m, group)
			if len(chosen) == 0 {
				continue
			}
			v.reached = true
			var took time.Duration
			for _, one := range chosen {
				took += one.took
			}
			by, err := s.kills(ctx, m, chosen, time.Duration(o.factor)*took+o.grace, o)
			if err != nil || by != "" {
				v.killed, v.by = by != "", by
				return v, err
			}
		}
	}
	return v, nil
}

// group returns the tests of the suite that reach the mutant and belong to the group.
func (s *suite) group(m *mutant, group int) []*test {
	var parts [groups][]*test
	for _, one := range s.tests { // the quickest first
		switch {
		case !one.reaches[m.id]:
		case one.took >= slow:
			parts[2] = append(parts[2], one)
		case len(parts[0]) < few:
			parts[0] = append(parts[0], one)
		default:
			parts[1] = append(parts[1], one)
		}
	}
	return parts[group]
}

func (s *suite) kills(ctx context.Context, m *mutant, chosen []*test, limit time.Duration, o options) (by string, err error) {
	timed, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := s.command(timed, o, []string{envActive + "=" + strconv.Itoa(m.id)}, "-test.run", exactly(chosen), "-test.failfast", "-test.timeout=0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case timed.Err() != nil:
		return "time", nil
	case errors.As(err, &exit), errors.Is(err, exec.ErrWaitDelay):
		return s.name + " " + firstFailure(out.String()), nil
	}
	return "", err
}

var failureLine = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)

func firstFailure(out string) string {
	if found := failureLine.FindStringSubmatch(out); found != nil {
		return found[1]
	}
	return "(crash)"
}

// inParallel calls do with 0 to n-1, a few at a time.
func inParallel(at, n int, do func(int)) {
	var wait sync.WaitGroup
	next := make(chan int)
	for range max(1, at) {
		wait.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// byFile sorts mutants by their position in the code.
func byFile(list []*mutant) {
	slices.SortFunc(list, func(a, b *mutant) int {
		if order := strings.Compare(a.file, b.file); order != 0 {
			return order
		}
		if a.line != b.line {
			return a.line - b.line
		}
		return a.id - b.id
	})
}
