package main

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// parallel measures the throughput of two goroutines in relation to one. It uses the wall clock, which
// includes the effect of other processes. A loop that shares nothing shows how much of the two
// processors was available.
func parallel(l *listener, clients int, e effort) (section, error) {
	s := section{title: "Two goroutines in relation to one"}
	w, err := newWorld("p256", "Partner")
	if err != nil {
		return s, err
	}
	m, err := w.material()
	if err != nil {
		return s, err
	}
	headers, err := w.issue(clients, w.leaf)
	if err != nil {
		return s, err
	}
	auth, err := library(m, certauth.Config{})
	if err != nil {
		return s, err
	}
	// Each goroutine has a separate final handler, because a shared variable that both write would
	// dominate the measurement.
	names := []string{"a bare loop", rowBase, rowFull}
	handlers := []func() http.Handler{
		func() http.Handler { return http.HandlerFunc(busy) },
		func() http.Handler { return withValue(m.leaf, endOf(leafKey{})) },
		func() http.Handler { return auth.Handler(endOfIdentity()) },
	}
	gains := make([][]float64, len(names))
	var loops [][2]func(int) error
	var counts []int
	for _, handler := range handlers {
		var pair [2]func(int) error
		for i := range pair {
			server := &http.Server{Handler: handler()} //nolint:gosec // it never serves
			r, end, err := l.request(server, false)
			if err != nil {
				return s, err
			}
			defer end()
			pair[i] = loop(server.Handler, r, headers, http.StatusOK)
			if err := pair[i](6 * len(headers)); err != nil {
				return s, err
			}
		}
		t := &track{contender: &contender{}, run: pair[0]}
		if err := t.calibrate(5 * e.slice); err != nil {
			return s, err
		}
		loops, counts = append(loops, pair), append(counts, t.n)
	}
	for range min(e.rounds, 31) {
		for i := range loops {
			alone, err := wall(counts[i], loops[i][0])
			if err != nil {
				return s, err
			}
			together, err := wall(counts[i], loops[i][0], loops[i][1])
			if err != nil {
				return s, err
			}
			gains[i] = append(gains[i], 2*alone.Seconds()/together.Seconds())
		}
	}
	for i, name := range names {
		s.figures = append(s.figures, figure{name, spreadOf(gains[i]), aim{}})
	}
	var ratios []float64
	for round := range gains[0] {
		ratios = append(ratios, gains[2][round]/gains[1][round])
	}
	judged := figure{"a hit (Chain, pin and DNS name), to WithContext(WithValue)", spreadOf(ratios), atLeast(0.95)}
	if free := s.figures[0].mid; free < 1.7 {
		judged.aim = aim{}
		s.note = fmt.Sprintf("Not judged: of two processors a bare loop got %.2f.", free)
	}
	s.figures = append(s.figures, judged)
	return s, nil
}

// busy shares no memory with other goroutines.
func busy(w http.ResponseWriter, _ *http.Request) {
	sum := uint64(1)
	for range 500 {
		sum = sum*31 + sum>>7
	}
	runtime.KeepAlive(sum)
	w.WriteHeader(http.StatusOK)
}

// wall returns the time until each loop has run n times.
func wall(n int, loops ...func(int) error) (time.Duration, error) {
	errs := make([]error, len(loops))
	var running sync.WaitGroup
	begun := time.Now()
	for i, run := range loops {
		running.Go(func() { errs[i] = run(n) })
	}
	running.Wait()
	took := time.Since(begun)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}
