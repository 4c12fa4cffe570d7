//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"sync"
	"time"
)

// effect describes what a fault may do to good clients, according to the documentation.
type effect struct {
	ocsp, lists bool // these sources of a partner are unavailable, or their answers are not usable
	operator    bool // the same for a list in the operator's directory
	anything    bool // a good client may be refused although stored evidence about it is valid
}

// target is the part of the world that a fault affects.
type target int

const (
	onPartner target = iota
	onInstance
	onAll
)

// kind is a kind of fault. begin starts it and returns the function that ends it.
type kind struct {
	name   string
	on     target
	effect effect
	// after is how long the effect can outlast the fault, not counting the documented pauses.
	after time.Duration
	begin func(s *soak, which int) (end func())
}

// place names the component that a fault affects. Only one fault at a time can affect it.
func (k *kind) place(which int) string {
	thing, _, _ := strings.Cut(k.name, ":")
	return fmt.Sprint(thing, which)
}

// fault is a fault that was started, and perhaps ended.
type fault struct {
	*kind
	which        int
	began, ended time.Time
}

func (f *fault) touches(from, to time.Time, after time.Duration) bool {
	return f.began.Before(to) && (f.ended.IsZero() || from.Before(f.ended.Add(after)))
}

// tally counts what happened to the affected clients while faults of one kind were on.
type tally struct {
	times             int
	lasted            time.Duration
	good, goodRefused int
	revokedDenied     int
	why               map[string]int
}

// faults is the history of a run.
type faults struct {
	mu      sync.Mutex
	all     []*fault
	tallies map[string]*tally
	stalls  []stall
}

// stall is a period in which the machine did not run the program.
type stall struct {
	from, to time.Time
}

func (h *faults) begin(k *kind, which int) *fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := &fault{kind: k, which: which, began: time.Now()}
	h.all = append(h.all, f)
	h.tally(k.name).times++
	return f
}

func (h *faults) end(f *fault) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.ended = time.Now()
	h.tally(f.name).lasted += f.ended.Sub(f.began)
}

func (h *faults) tally(name string) *tally {
	t := h.tallies[name]
	if t == nil {
		t = &tally{why: map[string]int{}}
		h.tallies[name] = t
	}
	return t
}

func (f *fault) isFor(by *running, client *client) bool {
	switch f.on {
	case onPartner:
		return f.which == client.of.partner
	case onInstance:
		return f.which == by.number
	case onAll:
	}
	return true
}

// explanation says what could have caused a refusal.
type explanation struct{ sources, anything bool }

// explains returns what could have caused the refusal of a good client: none of the sources that
// the instance asks about one of its certificates was available, now or a short time ago.
func (h *faults) explains(by *running, client *client, began, ended time.Time) explanation {
	h.mu.Lock()
	defer h.mu.Unlock()
	var ocsp, lists, operator, anything bool
	for _, f := range h.all {
		if !f.isFor(by, client) || !f.touches(began, ended, recovery+f.after) {
			continue
		}
		ocsp, lists = ocsp || f.effect.ocsp, lists || f.effect.lists
		operator, anything = operator || f.effect.operator, anything || f.effect.anything
	}
	if by.isOperated {
		return explanation{sources: operator, anything: anything}
	}
	sources := ocsp && lists
	switch client.of.names {
	case "ocsp":
		sources = ocsp
	case "crl":
		sources = lists
	}
	return explanation{sources: sources, anything: anything}
}

// count adds a request to the tallies of the faults that were on.
func (h *faults) count(by *running, client *client, accepted bool, why string, began, ended time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	isRevoked := !client.revokedAt().IsZero()
	for _, f := range h.all {
		if !f.isFor(by, client) || !f.touches(began, ended, 0) {
			continue
		}
		t := h.tally(f.name)
		switch {
		case isRevoked && !accepted:
			t.revokedDenied++
		case !isRevoked && accepted:
			t.good++
		case !isRevoked:
			t.goodRefused++
			t.why[why]++
		}
	}
}

// forget drops faults that can no longer explain anything.
func (h *faults) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := h.all[:0]
	for _, f := range h.all {
		if f.ended.IsZero() || time.Since(f.ended) < 2*time.Minute {
			kept = append(kept, f)
		}
	}
	h.all = kept
}

// watch detects periods in which the machine does not run the program.
func (h *faults) watch(done <-chan struct{}) {
	const tick = 50 * time.Millisecond
	for {
		from := time.Now()
		select {
		case <-done:
			return
		case <-time.After(tick):
		}
		if to := time.Now(); to.Sub(from) > tick+300*time.Millisecond {
			h.mu.Lock()
			h.stalls = append(h.stalls, stall{from, to})
			h.mu.Unlock()
		}
	}
}

// stalled returns how long the machine did not run the program between the two times.
func (h *faults) stalled(from, to time.Time) (sum time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.stalls {
		if s.from.Before(to) && from.Before(s.to) {
			sum += s.to.Sub(s.from)
		}
	}
	return sum
}

// inject starts faults in an order that depends on the seed, each kind once before any kind is
// repeated. Up to four are on at a time. About one time in four, a pause without faults follows.
func (s *soak) inject(random *rand.Rand, done <-chan struct{}) {
	var deck []*kind
	pause := func(d time.Duration) bool {
		select {
		case <-done:
			return false
		case <-time.After(d):
			return true
		}
	}
	between := func(least, most time.Duration) time.Duration {
		return least + time.Duration(random.Int64N(int64(most-least)))
	}
	for pause(between(0, 3*time.Second)) {
		var ends []func()
		var under []string
		taken := map[string]bool{}
		for range 2 + random.IntN(3) {
			if len(deck) == 0 {
				deck = s.kinds()
				random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
			}
			k, which := deck[0], 0
			switch k.on {
			case onPartner:
				which = random.IntN(partners)
			case onInstance:
				which = random.IntN(len(s.instances))
			case onAll:
			}
			if taken[k.place(which)] {
				continue
			}
			taken[k.place(which)], deck = true, deck[1:]
			f := s.faults.begin(k, which)
			end := k.begin(s, which)
			ends = append(ends, func() {
				end()
				s.faults.end(f)
			})
			under = append(under, fmt.Sprintf("%s (%d)", k.name, which))
		}
		fmt.Printf("%8s  %s\n", time.Since(s.clock.began).Round(time.Second), strings.Join(under, ", "))
		lasts := between(3*time.Second, 10*time.Second)
		if random.IntN(10) == 0 { // until all stored evidence has expired
			lasts = between(40*time.Second, 70*time.Second)
		}
		ok := pause(lasts)
		for _, end := range ends {
			end()
		}
		if !ok {
			return
		}
		if random.IntN(4) == 0 && !pause(between(recovery/2, recovery*3/2)) {
			return
		}
	}
}

// table formats the tally of every kind of fault.
func (h *faults) table() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	names := make([]string, 0, len(h.tallies))
	for name := range h.tallies {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	fmt.Fprintf(&b, "%-46s %5s %7s %9s %8s %8s  %s\n", "fault", "times", "lasted", "let in", "refused", "revoked", "good clients were refused for")
	for _, name := range names {
		t := h.tallies[name]
		var why []string
		for reason, n := range t.why {
			why = append(why, fmt.Sprintf("%s %d", reason, n))
		}
		sort.Strings(why)
		fmt.Fprintf(&b, "%-46s %5d %7s %9d %8d %8d  %s\n", name, t.times, t.lasted.Round(time.Second), t.good, t.goodRefused, t.revokedDenied, strings.Join(why, ", "))
	}
	fmt.Fprintf(&b, "%d kinds of fault; the machine stood still %d times\n", len(h.tallies), len(h.stalls))
	return b.String()
}
