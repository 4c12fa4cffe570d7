package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// hearer is an Observe hook that receives the library's decisions. It is nil while time is measured.
type hearer func(context.Context, certauth.Event)

// contender is measured in the same rounds as others: a handler with the requests that it receives,
// or a function.
type contender struct {
	name string
	// handler makes the measured handler.
	handler func(hear hearer) (http.Handler, error)
	headers []string // values of the certificate header, used in turn
	wide    bool     // twenty-five headers instead of ten
	behind  bool     // there is other middleware between the server and the handler
	opening string   // sent first and not measured, so that everything about the CAs is known
	fresh   bool     // each slice uses a new handler, which has seen none of the headers, and ends after the last of them
	status  int      // of every response
	reason  certauth.Reason

	run func(n int) error // replaces the handler
}

// comparison is a group of contenders with the figures about them.
type comparison struct {
	title      string
	contenders []*contender
	figures    []relation
	rounds     int // replaces the rounds of the effort
}

// relation is a figure made of the times of one round.
type relation struct {
	name string
	of   func(ns func(name string) float64) float64
	aim  aim
}

// to returns the ratio of the costs of two contenders.
func to(of, base string) func(func(string) float64) float64 {
	return func(ns func(string) float64) float64 { return ns(of) / ns(base) }
}

// beyond returns the additional cost of one contender over another, in units of a third.
func beyond(of, than, unit string) func(func(string) float64) float64 {
	return func(ns func(string) float64) float64 { return (ns(of) - ns(than)) / ns(unit) }
}

// effort is the amount of measuring.
type effort struct {
	rounds, mostRounds int
	slice              time.Duration
	clients            int // for comparisons with many clients
	pool               int // number of new certificates
}

// measure runs every contender for a slice in each round. Each round begins with another contender,
// and every other round runs backwards, so that no contender always follows the same one. While an
// aim is between the quartiles, there are more rounds.
func (c *comparison) measure(l *listener, e effort) (section, error) {
	if c.rounds > 0 {
		e.rounds, e.mostRounds = min(e.rounds, c.rounds), min(e.mostRounds, c.rounds)
	}
	tracks := make([]*track, len(c.contenders))
	for i, contender := range c.contenders {
		t := &track{contender: contender}
		if err := t.begin(l); err != nil {
			return section{}, fmt.Errorf("%s: %w", contender.name, err)
		}
		defer t.end()
		if err := t.calibrate(e.slice); err != nil {
			return section{}, fmt.Errorf("%s: %w", contender.name, err)
		}
		tracks[i] = t
	}
	var rounds []map[string]float64
	for round := 0; ; round++ {
		if round >= e.rounds && (round >= e.mostRounds || decided(c.summed(rounds))) {
			return section{title: c.title, figures: c.summed(rounds), note: fmt.Sprintf("%d rounds.", len(rounds))}, nil
		}
		times := map[string]float64{}
		for i := range tracks {
			at := (i + round) % len(tracks)
			if round%2 == 1 {
				at = len(tracks) - 1 - at
			}
			took, err := tracks[at].slice()
			if err != nil {
				return section{}, fmt.Errorf("%s: %w", tracks[at].name, err)
			}
			times[tracks[at].name] = took
		}
		rounds = append(rounds, times)
	}
}

func (c *comparison) summed(rounds []map[string]float64) []figure {
	figures := make([]figure, 0, len(c.figures))
	for _, r := range c.figures {
		values := make([]float64, len(rounds))
		for i, times := range rounds {
			values[i] = r.of(func(name string) float64 {
				ns, there := times[name]
				if !there {
					panic("no contender " + name)
				}
				return ns
			})
		}
		figures = append(figures, figure{name: r.name, spread: spreadOf(values), aim: r.aim})
	}
	return figures
}

func decided(figures []figure) bool {
	return !slices.ContainsFunc(figures, func(f figure) bool {
		return f.aim.set() && f.aim.limit > f.low && f.aim.limit < f.high
	})
}

// track is a contender while it is measured.
type track struct {
	*contender

	server  http.Server // the server in the context of the request
	request *http.Request
	end     func()
	run     func(n int) error // of the next slice
	n       int               // runs in a slice
}

func (t *track) begin(l *listener) error {
	t.end = func() {}
	if t.contender.run != nil {
		t.run = t.contender.run
		return t.run(1)
	}
	var err error
	if t.request, t.end, err = l.request(&t.server, t.wide); err != nil {
		return err
	}
	if err := t.prepare(); err != nil || t.fresh {
		return err
	}
	return t.run(6 * len(t.headers)) // afterwards known callers are no longer on probation
}

// prepare makes the handler. It is not measured.
func (t *track) prepare() error {
	h, err := t.handler(nil)
	if err != nil {
		return err
	}
	if !t.behind {
		t.server.Handler = h
	}
	if t.opening != "" {
		if err := loop(h, t.request, []string{t.opening}, http.StatusOK)(1); err != nil {
			return err
		}
	}
	t.run = loop(h, t.request, t.headers, t.status)
	return nil
}

// clock runs n times and returns the processor time of one run, in nanoseconds.
func (t *track) clock(n int) (float64, error) {
	if t.fresh {
		if err := t.prepare(); err != nil {
			return 0, err
		}
	}
	begun, err := cpuTime(0)
	if err != nil {
		return 0, err
	}
	if err := t.run(n); err != nil {
		return 0, err
	}
	ended, err := cpuTime(0)
	return float64(ended-begun) / float64(n), err
}

// calibrate determines how many runs fill a slice. It uses the fastest of three attempts, because
// other processes can delay one.
func (t *track) calibrate(slice time.Duration) error {
	most := 1 << 30
	if t.fresh {
		most = len(t.headers)
	}
	for n := 1; ; n *= 2 {
		n = min(n, most)
		var quickest float64
		for i := range 3 {
			took, err := t.clock(n)
			if err != nil {
				return err
			}
			if i == 0 || took < quickest {
				quickest = took
			}
		}
		if total := quickest * float64(n); total > float64(slice)/4 || n == most {
			t.n = min(most, max(1, int(float64(slice)/quickest)))
			return nil
		}
	}
}

func (t *track) slice() (float64, error) { return t.clock(t.n) }
