// Mutate introduces small faults into the code of packages, one at a time, and lists those that no
// test detects. It is a tool for the developers of this module:
//
//	go run ./internal/mutate [flags] [packages to mutate]
//	go run ./internal/mutate -tests ./certauth,./certauth/forwarded,. ./certauth
//	go run ./internal/mutate -files 'keys.go|validity.go' -skip Alloc ./certauth
//
// The faults are wrong decisions: a negated condition, && exchanged with ||, a comparison that
// differs at its boundary, a removed case, true exchanged with false, an error that is not
// returned, an omitted assignment or call, a limit that is off by one. A survivor is a decision
// without a test, or a fault without an effect. Faults without an effect belong in the list of the
// -equivalent flag, each with the reason why no test can detect it.
//
// All faults are compiled in at once, each behind a switch that an environment variable controls,
// by means of the go command's -overlay flag: the source tree is never written to, and each test
// binary is built once. Every test first runs alone without a fault, which shows how long it takes
// and which faults it reaches. Each fault is then run with the tests that reach it. It is killed if
// a test fails or does not end.
//
// Before any test runs, each entry of the list must match a fault: its file must exist in the
// module and, if its package is mutated, the fault must exist in its code. With -list, the command
// does nothing else.
//
// The exit status is 0 if every fault is killed or listed, 1 if some survive or an entry of the
// list matches no survivor, and 2 if the command cannot do its work, for example because a test
// fails without a fault.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// say writes to the developer's terminal. If that fails, there is nowhere to report it.
func say(to io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(to, format, args...) }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status, err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		say(os.Stderr, "mutate: %v\n", err)
	}
	os.Exit(status)
}

// settings holds the values of the command line.
type settings struct {
	options
	tests, packages []string
	files, ignore   *regexp.Regexp
	equivalent      string
	list, verbose   bool
}

func parse(args []string, stderr io.Writer) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	tests := flags.String("tests", "", "packages whose tests are run, with commas; the changed packages themselves if empty")
	files := flags.String("files", "", "change only files whose name below the module matches, from a slash or the start to the end")
	skip := flags.String("skip", "", "leave out top-level tests that match: those that measure allocations, memory or time")
	ignore := flags.String("ignore", "", "leave alone functions (Name or Type.Name) that match as a whole")
	flags.StringVar(&s.equivalent, "equivalent", "", "file with the survivors that no test can kill")
	flags.BoolVar(&s.list, "list", false, "list the faults and run nothing")
	flags.BoolVar(&s.verbose, "v", false, "say for each fault what became of it")
	flags.IntVar(&s.parallel, "p", 1, "how many test processes run at a time")
	flags.IntVar(&s.factor, "timeout", 4, "a fault may take so many times what the tests take without it")
	flags.DurationVar(&s.grace, "grace", 20*time.Second, "and so much longer")
	flags.IntVar(&s.memory, "memory", 8<<20, "KiB of address space for a test process, where the system can bound it; 0 is no bound")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	s.packages = flags.Args()
	if len(s.packages) == 0 {
		s.packages = []string{"."}
	}
	s.tests = s.packages
	if *tests != "" {
		s.tests = strings.Split(*tests, ",")
	}
	for _, one := range []struct {
		text, format string
		to           **regexp.Regexp
	}{{*files, "(^|/)(%s)$", &s.files}, {*skip, "%s", &s.skip}, {*ignore, "^(%s)$", &s.ignore}} {
		if one.text == "" {
			continue
		}
		compiled, err := regexp.Compile(fmt.Sprintf(one.format, one.text))
		if err != nil {
			return s, err
		}
		*one.to = compiled
	}
	return s, nil
}

// wants reports whether the mutant was asked for.
func (s *settings) wants(m *mutant) bool {
	return (s.files == nil || s.files.MatchString(m.file)) && (s.ignore == nil || !s.ignore.MatchString(m.function))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (status int, err error) {
	s, err := parse(args, stderr)
	if err != nil {
		return 2, err
	}
	var known []*equivalent
	if s.equivalent != "" {
		if known, err = readEquivalent(s.equivalent); err != nil {
			return 2, err
		}
	}
	sources, err := load(s.packages)
	if err != nil {
		return 2, err
	}
	m := newMaker()
	for _, one := range sources {
		m.make(one)
	}
	var chosen []*mutant
	for _, one := range m.mutants {
		if s.wants(one) {
			chosen = append(chosen, one)
		}
	}
	byFile(chosen)
	if reportStale(stdout, s.equivalent, stale(known, sources, m.mutants)) {
		return 1, nil
	}
	if s.list {
		for _, one := range chosen {
			say(stdout, "%s\n", one)
		}
		return 0, nil
	}
	if len(chosen) == 0 {
		return 2, fmt.Errorf("nothing to change in %s", strings.Join(s.packages, " "))
	}
	verdicts, err := s.tryAll(ctx, sources, m, chosen, stderr)
	if err != nil {
		return 2, err
	}
	return report(stdout, s, chosen, verdicts, known), nil
}

// tryAll builds the tests, runs them once without a mutant and then against each mutant.
func (s *settings) tryAll(ctx context.Context, sources []*source, m *maker, chosen []*mutant, stderr io.Writer) ([]verdict, error) {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // in the directory for temporary files
	overlay, err := instrument(dir, sources, m)
	if err != nil {
		return nil, err
	}
	suites, err := build(ctx, dir, overlay, s.tests)
	if err != nil {
		return nil, err
	}
	for _, one := range suites {
		if err := one.measure(ctx, dir, s.options); err != nil {
			return nil, err
		}
		say(stderr, "%s: %d tests pass without a fault\n", one.name, len(one.tests))
	}
	verdicts := make([]verdict, len(chosen))
	failures := make([]error, len(chosen))
	var mutex sync.Mutex
	done, alive := 0, 0
	inParallel(s.parallel, len(chosen), func(i int) {
		if ctx.Err() != nil {
			return
		}
		verdicts[i], failures[i] = try(ctx, chosen[i], suites, s.options)
		mutex.Lock()
		defer mutex.Unlock()
		done++
		if !verdicts[i].killed {
			alive++
		}
		if s.verbose {
			say(stderr, "%s: %s\n", chosen[i], verdicts[i])
		}
		if done%100 == 0 {
			say(stderr, "%d of %d faults tried, %d alive\n", done, len(chosen), alive)
		}
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, err := range failures {
		if err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

func (v verdict) String() string {
	switch {
	case v.killed:
		return "killed by " + v.by
	case v.reached:
		return "survives"
	}
	return "survives, no test comes here"
}

// report prints the survivors that are not listed, and the listed mutants that are killed.
func report(w io.Writer, s settings, chosen []*mutant, verdicts []verdict, known []*equivalent) (status int) {
	byKey := map[string]*equivalent{}
	for _, one := range known {
		byKey[one.key] = one
	}
	killed, listed, open := 0, 0, 0
	for i, m := range chosen {
		entry := byKey[m.key()]
		switch {
		case verdicts[i].killed && entry != nil:
			say(w, "%s:%d: listed, but %s: %s\n", s.equivalent, entry.line, verdicts[i], strings.ReplaceAll(m.key(), "\n", ": "))
			killed, status = killed+1, 1
		case verdicts[i].killed:
			killed++
		case entry != nil:
			listed++
		default:
			say(w, "%s: %s\n", m, verdicts[i])
			open, status = open+1, 1
		}
	}
	say(w, "%d faults: %d killed, %d equivalent, %d survive\n", len(chosen), killed, listed, open)
	return status
}
