//go:build linux

package main

import (
	"sync"
	"time"
)

// The lives of evidence, by the world's clock. They are short, so that evidence runs out, is renewed
// and is revoked many times in a run.
const (
	answerLife   = 10 * time.Minute // of OCSP answers
	listLife     = 20 * time.Minute
	listEvery    = 5 * time.Minute
	deltaLife    = 5 * time.Minute
	deltaEvery   = time.Minute
	clockSkew    = time.Minute
	worldSpeed   = 20 // minutes of the world in a minute
	mostPause    = 5 * time.Minute * 11 / 10
	pollInterval = 30 * time.Second
)

// clock is the world's, which the authorities live by: it runs faster than the machine's.
type clock struct {
	began, shows time.Time
}

func newClock() *clock {
	now := time.Now()
	return &clock{began: now, shows: now.Round(0).UTC()}
}

func (c *clock) now() time.Time { return c.at(time.Now()) }

// at is what the world's clock showed at a time of the machine.
func (c *clock) at(real time.Time) time.Time { return c.shows.Add(real.Sub(c.began) * worldSpeed) }

// inReal is how long the machine takes for a time of the world.
func inReal(d time.Duration) time.Duration { return d / worldSpeed }

// offset is how wrong the clock of one instance is.
type offset struct {
	mu      sync.Mutex
	by      time.Duration
	largest time.Duration // ever
}

func (o *offset) set(by time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.by = by
	o.largest = max(o.largest, by.Abs())
}

func (o *offset) get() (now, largest time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.by, o.largest
}
