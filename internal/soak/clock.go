//go:build linux

package main

import (
	"sync"
	"time"
)

// The lifetimes of evidence, by the world's clock. They are short, so that in one run evidence
// expires, is renewed and is revoked many times.
const (
	answerLife   = 10 * time.Minute // of OCSP answers
	listLife     = 20 * time.Minute
	listEvery    = 5 * time.Minute
	deltaLife    = 5 * time.Minute
	deltaEvery   = time.Minute
	clockSkew    = time.Minute
	worldSpeed   = 20 // minutes of the world per minute
	mostPause    = 5 * time.Minute * 11 / 10
	pollInterval = 30 * time.Second
)

// clock is the world's clock, which the authorities use. It runs faster than the machine's.
type clock struct {
	began, shows time.Time
}

func newClock() *clock {
	now := time.Now()
	return &clock{began: now, shows: now.Round(0).UTC()}
}

func (c *clock) now() time.Time { return c.at(time.Now()) }

// at converts a time of the machine to a time of the world.
func (c *clock) at(machine time.Time) time.Time {
	return c.shows.Add(machine.Sub(c.began) * worldSpeed)
}

// inReal converts a duration of the world to one of the machine.
func inReal(d time.Duration) time.Duration { return d / worldSpeed }

// offset is the error of one instance's clock.
type offset struct {
	mu      sync.Mutex
	by      time.Duration
	largest time.Duration // of the whole run
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
