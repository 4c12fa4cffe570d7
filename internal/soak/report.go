//go:build linux

package main

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"strings"
	"time"
)

// report prints the findings and reports whether nothing is wrong.
func (s *soak) report(heap uint64, before int) bool {
	for _, i := range s.instances {
		if most := i.log.inAMinute(); most > mostLog {
			s.oracle.breach("%s logged %d bytes in a minute; the last lines:\n%s", i.name, most, strings.Join(i.log.tail, ""))
		}
	}
	if heap > mostHeap {
		s.oracle.breach("%d MiB of live heap, more than %d", heap>>20, mostHeap>>20)
	}
	if after, err := settled(before + mostGoroutines); err != nil {
		s.oracle.breach("%d goroutines at the end, %d at the start: %v", after, before, err)
	}
	fmt.Printf("\n%s\n", s.faults.table())
	for _, i := range s.instances {
		fmt.Printf("%-44s log %d KiB in the loudest minute\n", i.name, i.log.inAMinute()>>10)
	}
	o := &s.oracle
	sort.Slice(o.delays, func(i, j int) bool { return o.delays[i] < o.delays[j] })
	if n := len(o.delays); n > 0 {
		fmt.Printf("from a revocation to the first denial, by the world's clock: median %s, longest %s, of %d\n",
			o.delays[n/2].Round(time.Second), o.delays[n-1].Round(time.Second), n)
	}
	fmt.Printf("%d requests judged, %d connections lost; longest call %s of %s; live heap at most %d MiB\n",
		o.checked, s.lost.Load(), o.longest.Round(time.Millisecond), maxWait, heap>>20)
	fmt.Printf("seed %d: %d breaches\n", s.seed, len(o.breaches))
	return len(o.breaches) == 0
}

// settled waits until there are at most that many goroutines.
func settled(most int) (n int, err error) {
	for range 100 {
		if n = runtime.NumGoroutine(); n <= most {
			return n, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	return n, errors.New(string(stacks[:runtime.Stack(stacks, true)]))
}
