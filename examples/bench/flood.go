package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// floodPlan is the plan for measuring a flood.
type floodPlan struct {
	rounds      int
	window      time.Duration // one measurement
	connections int           // of the known callers; the flood has the same number
	pool        int           // certificates for the flood; each is sent once
}

var errPoolEmpty = errors.New("all certificates for the flood have been sent")

// flood measures how long known callers wait for their responses while the same number of further
// connections send genuine certificates as fast as they are answered, each certificate once. Every
// round has a quiet window, one with the flood, and one in which the further connections send
// requests of known callers instead, to show the effect of the load alone.
//
// A wait is measured twice: its median by the wall clock, which includes the effect of other
// processes, and its mean by the processor time of the server. Each connection sends its next request
// when it has the response to the last one, so the mean wait is the number of connections divided by
// the rate of responses (Little's law). With the rate in the server's processor time this is the wait
// on an otherwise idle machine.
func flood(ctx context.Context, h *host, processors int, p floodPlan) (s section, err error) {
	s.title = fmt.Sprintf("Known callers beside a flood of genuine one-shot certificates, GOMAXPROCS %d", processors)
	dir, err := os.MkdirTemp("", "certauth-bench-")
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, w, err := newMaterial(dir, "p256")
	if err != nil {
		return s, err
	}
	strangers, err := w.issue(p.pool, w.leaf)
	if err != nil {
		return s, err
	}
	cpus := h.serverCPU
	if processors > 1 {
		cpus = h.bothCPU
	}
	server, err := h.on(cpus, processors)(ctx, contestants[2], dir)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()

	known := requestText(m.header())
	var sent atomic.Int64
	oneShot := func() ([]byte, error) {
		i := sent.Add(1) - 1
		if i >= int64(len(strangers)) {
			return nil, errPoolEmpty
		}
		return requestText(strangers[i]), nil
	}
	again := func() ([]byte, error) { return known, nil }
	var worked, beside, control, rate []float64
	for range p.rounds {
		quiet, err := p.wait(ctx, server, known, nil)
		if err != nil {
			return s, err
		}
		before := sent.Load()
		flooded, err := p.wait(ctx, server, known, oneShot)
		if errors.Is(err, errPoolEmpty) && len(beside) > 0 {
			break
		}
		if err != nil {
			return s, err
		}
		rate = append(rate, float64(sent.Load()-before)/(p.window+p.window/4).Seconds())
		loaded, err := p.wait(ctx, server, known, again)
		if err != nil {
			return s, err
		}
		worked = append(worked, flooded.processor/quiet.processor)
		beside = append(beside, flooded.wall/quiet.wall)
		control = append(control, loaded.processor/quiet.processor)
	}
	s.figures = []figure{
		{"mean wait of known callers beside the flood, to quiet, in the server's processor time", spreadOf(worked), atMost(1.5)},
		{"the same beside as many further known callers, to quiet", spreadOf(control), aim{}},
		{"median wait beside the flood, to quiet, by the wall clock", spreadOf(beside), atMost(1.5)},
	}
	s.note = fmt.Sprintf("%d connections of known callers and %d of the flood, %d rounds; for orientation, the flood got %.0f new certificates accepted a second.",
		p.connections, p.connections, len(beside), spreadOf(rate).mid)
	return s, nil
}

// waited is the wait of known callers, in nanoseconds.
type waited struct {
	wall      float64 // the median
	processor float64 // the mean
}

// wait returns how long the known callers waited in one window.
func (p floodPlan) wait(ctx context.Context, server *process, known []byte, others func() ([]byte, error)) (waited, error) {
	callers, err := dial(ctx, server.address, p.connections, known)
	if err != nil {
		return waited{}, err
	}
	defer callers.close()
	ends := time.Now().Add(p.window + p.window/4)
	counted := ends.Add(-p.window) // responses before that warm up
	done := make(chan error, 1)
	if others == nil {
		done <- nil
	} else {
		crowd, err := dial(ctx, server.address, p.connections, nil)
		if err != nil {
			return waited{}, err
		}
		defer crowd.close()
		go func() {
			done <- crowd.each(func(c conn) error {
				for time.Now().Before(ends) {
					request, err := others()
					if err != nil {
						return err
					}
					if err := c.expect(request); err != nil {
						return err
					}
				}
				return nil
			})
		}()
	}
	waits := make(chan []float64, p.connections)
	finished := make(chan error, 1)
	go func() {
		finished <- callers.each(func(c conn) error {
			var own []float64
			defer func() { waits <- own }()
			for {
				begun := time.Now()
				if begun.After(ends) && len(own) > 0 {
					return nil
				}
				if err := c.expect(known); err != nil {
					return err
				}
				if begun.After(counted) {
					own = append(own, float64(time.Since(begun)))
				}
			}
		})
	}()
	pid := server.cmd.Process.Pid
	time.Sleep(time.Until(counted))
	before, err1 := cpuTime(pid)
	time.Sleep(time.Until(ends))
	after, err2 := cpuTime(pid)
	err = errors.Join(<-finished, <-done, err1, err2)
	var all []float64
	for range p.connections {
		all = append(all, <-waits...)
	}
	if err != nil {
		return waited{}, err
	}
	return waited{wall: spreadOf(all).mid, processor: float64(p.connections) * float64(after-before) / float64(len(all))}, nil
}
