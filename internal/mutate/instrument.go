package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The environment of a test process: the active mutant, and the file to which the numbers of the
// mutants that the test reaches are written.
const (
	envActive = "MUTATE_ACTIVE"
	envReach  = "MUTATE_REACH"
)

// instrument writes the changed files below dir and returns the overlay with which the go command
// uses them instead of the real ones. The source tree is not modified.
func instrument(dir string, sources []*source, m *maker) (overlay string, err error) {
	replace := map[string]string{}
	put := func(path string, text []byte) error {
		to := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		replace[path] = to
		return os.WriteFile(to, text, 0o600)
	}
	for _, s := range sources {
		for _, file := range s.files {
			if err := put(file.path, m.edits[file].apply(file.text)); err != nil {
				return "", err
			}
		}
		if err := put(filepath.Join(s.dir, "zz_mutate_switches.go"), fmt.Appendf(nil, switches, s.name, envActive, envReach, m.next)); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// switches is added to each package. A process has one mutant for its entire life.
const switches = `package %s

import (
	"cmp"
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutateActive, _ = strconv.Atoi(os.Getenv(%q))
	mutateReach     = mutateOpen(os.Getenv(%q))
	mutateReached   [%d]atomic.Bool
)

func mutateOpen(name string) *os.File {
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		panic(err)
	}
	return file
}

func mutateOn(n int) bool {
	if mutateReach != nil {
		mutatePassed(n)
	}
	return n == mutateActive
}

func mutatePassed(n int) {
	if n != 0 && !mutateReached[n].Swap(true) {
		mutateReach.WriteString(strconv.Itoa(n) + "\n")
	}
}

func mutateLess[T cmp.Ordered](n int, a, b T) bool {
	if mutateOn(n) {
		return a <= b
	}
	return a < b
}

func mutateAtMost[T cmp.Ordered](n int, a, b T) bool {
	if mutateOn(n) {
		return a < b
	}
	return a <= b
}

func mutateMore[T cmp.Ordered](n int, a, b T) bool {
	if mutateOn(n) {
		return a >= b
	}
	return a > b
}

func mutateAtLeast[T cmp.Ordered](n int, a, b T) bool {
	if mutateOn(n) {
		return a > b
	}
	return a >= b
}

type mutateInteger interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr
}

func mutateLimit[T mutateInteger](plus, minus int, step, v T) T {
	switch {
	case mutateOn(plus) && plus != 0:
		return v + step
	case mutateOn(minus) && minus != 0:
		return v - step
	}
	return v
}
`
