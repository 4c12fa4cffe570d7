package revocation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
	"github.com/seed2886b8ae/go-certauth/internal/bubble"
)

// gated is a gate with a clock of its own, and what it tells.
type gated struct {
	*gate
	at      time.Time
	outages []Event
}

var errUnavailable = fetch.HTTPStatusError{Status: 503}

func newGated() *gated {
	g := &gated{at: time.Unix(0, 0)}
	g.gate = newGate(func() time.Time { return g.at }, func(_ context.Context, e Event) { g.outages = append(g.outages, e) })
	return g
}

func (g *gated) enters(t *testing.T, url string) *pass {
	t.Helper()
	p, err := g.enter(t.Context(), url)
	require.NoError(t, err)
	return p
}

func (g *gated) fetches(t *testing.T, url string, result error) {
	t.Helper()
	g.enters(t, url).leave(t.Context(), result)
}

func (g *gated) pauses(t *testing.T, url string) *pausedError {
	t.Helper()
	_, err := g.enter(t.Context(), url)
	var paused *pausedError
	require.ErrorAs(t, err, &paused)
	return paused
}

// fillUp names more URLs than are remembered, each of a host of its own.
func (g *gated) fillUp(t *testing.T) {
	t.Helper()
	for i := range 10 * maxEndpoints {
		g.fetches(t, fmt.Sprintf("http://%d.works.example/", i), nil)
	}
}

// isIdle checks that no fetch counts as running or waiting any more, so that each endpoint can be forgotten.
func (g *gated) isIdle(t *testing.T) {
	t.Helper()
	assert.LessOrEqual(t, len(g.known), maxEndpoints)
	for key, e := range g.known {
		assert.Zero(t, e.users, key)
		assert.Nil(t, e.probe, key)
		assert.Empty(t, e.slots, key)
	}
	assert.Empty(t, g.queue)
	assert.Empty(t, g.places)
}

// A partner that names many URLs gets no more fetches at one host, and the failure of a fetch that was running counts.
func TestGate_WhatIsInUseIsNotForgotten(t *testing.T) {
	const url = "http://slow.example/a"
	bubble.Test(t, func(t *testing.T) {
		g := newGated()
		var running []*pass
		for range maxFetchesPerHost {
			running = append(running, g.enters(t, url))
		}
		g.fillUp(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.enter(ctx, "http://slow.example/b")
		require.ErrorIs(t, err, ErrTimeout)
		for _, p := range running[1:] {
			p.leave(t.Context(), nil)
		}
		g.fillUp(t)
		running[0].leave(t.Context(), errUnavailable)
		g.fillUp(t)
		assert.ErrorContains(t, g.pauses(t, url), "1 in a row")
		g.isIdle(t)
	})
}

// URLs that are refused because of their host are not remembered forever.
func TestGate_ARefusalLeavesNothing(t *testing.T) {
	g := newGated()
	for range breakerOpensAfter {
		g.fetches(t, "http://failing.example/", ErrTransport)
		g.at = g.at.Add(mostPause * 5 / 4)
	}
	g.at = g.at.Add(-mostPause * 5 / 4)
	for i := range 2 * maxEndpoints {
		assert.ErrorContains(t, g.pauses(t, fmt.Sprintf("http://failing.example/%d", i)), "5 in a row")
	}
	g.isIdle(t)
}

// After a pause one fetch tries, and the others wait until it has ended, or until they end themselves.
func TestGate_OthersWaitForTheOneThatTriesAgain(t *testing.T) {
	const url = "http://failing.example/a"
	for name, c := range map[string]struct {
		result  error
		isTried bool
	}{"it works": {nil, true}, "it fails": {errUnavailable, false}} {
		t.Run(name, func(t *testing.T) {
			bubble.Test(t, func(t *testing.T) {
				g := newGated()
				g.fetches(t, url, errUnavailable)
				g.at = g.at.Add(2 * firstPause)
				probe := g.enters(t, url)
				brief, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err := g.enter(brief, url)
				require.ErrorIs(t, err, ErrTimeout)
				require.ErrorContains(t, err, "failing.example:80 is being tried again")
				var other *pass
				go func() { other, err = g.enter(t.Context(), url) }()
				synctest.Wait()
				assert.Nil(t, other)
				probe.leave(t.Context(), c.result)
				synctest.Wait()
				assert.Equal(t, c.isTried, err == nil, "%v", err)
				if c.isTried {
					g.enters(t, url).leave(t.Context(), nil) // nobody is the only one that tries
					other.leave(t.Context(), nil)
				}
				g.isIdle(t)
			})
		})
	}
}

// One that may try, and ends before there is a place, leaves that to the next.
func TestGate_OneThatGetsNoPlaceLetsOthersTry(t *testing.T) {
	const url = "http://failing.example/a"
	bubble.Test(t, func(t *testing.T) {
		g := newGated()
		g.fetches(t, url, errUnavailable)
		g.at = g.at.Add(2 * firstPause)
		var running []*pass
		for range maxFetchesPerHost {
			running = append(running, g.enters(t, "http://failing.example/b"))
		}
		brief, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := g.enter(brief, url)
		require.ErrorIs(t, err, ErrTimeout)
		for _, p := range running {
			p.leave(t.Context(), nil)
		}
		g.fetches(t, url, nil)
		g.isIdle(t)
	})
}

// Refresh ends the pause of a host, and all of its URLs are tried. Hosts that work are as far from a pause as before.
func TestGate_EndPauses(t *testing.T) {
	g := newGated()
	for range breakerOpensAfter {
		g.fetches(t, "http://failing.example/", ErrTransport)
		g.at = g.at.Add(mostPause * 5 / 4)
	}
	g.fetches(t, "http://works.example/", nil)
	g.endPauses()
	one, other := g.enters(t, "http://failing.example/a"), g.enters(t, "http://failing.example/b")
	one.leave(t.Context(), ErrTransport)
	assert.WithinDuration(t, g.at.Add(firstPause), g.pauses(t, "http://failing.example/c").until, firstPause/5)
	other.leave(t.Context(), nil)
	g.fetches(t, "http://works.example/", ErrTransport)
	g.fetches(t, "http://works.example/b", nil)
	g.isIdle(t)
}

// What ends because its caller has ended says nothing about the host.
func TestGate_ACancelledFetchIsNoFailure(t *testing.T) {
	const url = "http://works.example/"
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx context.Context
		err error
	}{"its context has ended": {ended, ErrTransport}, "it was cancelled": {t.Context(), fmt.Errorf("%w: %w", ErrTransport, context.Canceled)}} {
		t.Run(name, func(t *testing.T) {
			g := newGated()
			g.enters(t, url).leave(c.ctx, c.err)
			g.fetches(t, url, nil)
			assert.Empty(t, g.outages)
		})
	}
}

// An outage of a URL ends when that URL works, an outage of the network when anything at the host works.
func TestGate_WhatEndsAnOutage(t *testing.T) {
	const a, b = "http://failing.example/a", "http://failing.example/b"
	g := newGated()
	isOver := func(want ...bool) {
		t.Helper()
		var over []bool
		for _, e := range g.outages {
			over = append(over, e.Over)
		}
		assert.Equal(t, want, over)
		g.at = g.at.Add(2 * firstPause)
	}
	g.fetches(t, a, ErrTransport)
	isOver(false)
	g.fetches(t, b, nil)
	isOver(false, true)
	g.fetches(t, a, nil)
	g.fetches(t, a, errUnavailable)
	assert.WithinDuration(t, g.at.Add(firstPause), g.pauses(t, a).until, firstPause/5, "it had worked again")
	isOver(false, true, false)
	g.fetches(t, b, nil)
	isOver(false, true, false)
	g.fetches(t, a, nil)
	isOver(false, true, false, true)
	g.isIdle(t)
}
