package revocation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// refresh gets newer evidence while requests are answered from what is known. It is
// dropped, and nil, when too many of the partner wait already; the next request asks for it
// again. The flight begins only with a place, so that a request that has to wait for evidence
// never waits for one.
func (c *Checker) refresh(r *record) *flight {
	if under := r.renewal.Load(); under != nil {
		return under
	}
	by := r.partner
	renewal := c.crew.newFlight()
	leave := func(err error) {
		by.refreshing.Add(-1)
		r.renewal.CompareAndSwap(renewal, nil)
		renewal.land(err)
	}
	if by.refreshing.Add(1) > maxRefreshQueue || !r.renewal.CompareAndSwap(nil, renewal) {
		leave(nil)
		return r.renewal.Load()
	}
	started := c.crew.run(func(ctx context.Context) error {
		select {
		case by.refreshers <- struct{}{}:
			defer func() { <-by.refreshers }()
		case <-ctx.Done():
			return ErrClosed
		}
		if !c.judge(r, c.config.Now()).due { // somebody could not wait and has it by now
			return nil
		}
		c.stats.refreshes.Add(1)
		return c.asking(r, wanted{news: true}).wait(ctx)
	}, leave)
	if !started {
		leave(ErrClosed)
		return nil
	}
	return renewal
}

// asking takes part in an attempt to get evidence, or begins one.
func (c *Checker) asking(r *record, want wanted) *flight {
	return c.crew.join(&r.mu, &r.flight, want.anew, func(ctx context.Context) error {
		defer r.partner.flights.Add(-1)
		if r.partner.flights.Add(1) > maxFlights { // each outlives the request that it was begun for
			return fmt.Errorf("%w: for certificates of one partner", ErrOverloaded)
		}
		err := c.obtain(ctx, r, want)
		if err != nil && ctx.Err() != nil { // what was cut short by Close is no outage
			return fmt.Errorf("%w: %w", ErrClosed, err)
		}
		return err
	})
}

// isOverdue reports whether a refresh should have been long ago: nobody has asked for the
// certificate since, and much may have happened. Who asks first then waits a moment for
// the news, unless it was just found that there are none to be had.
func (s *state) isOverdue(v *verdict, now time.Time) bool {
	since := v.result.RefreshAfter
	return v.due && !since.IsZero() && !s.failed.isRecent(now) && hasCome(since.Add(overdueAfter), now, maxSoftCRL)
}

// Refresh asks now: for newer evidence about every certificate that was used within the last
// hour, for the lists of Config.Lists and Preload, and for hosts that are left alone after
// failures. It is for an operator who knows that an outage is over, or that something was
// revoked. What is known counts until something newer is there. It waits for what comes until
// ctx ends, and returns what could not be had.
func (c *Checker) Refresh(ctx context.Context) error {
	if !c.isMade() || c.crew.isClosed() {
		return ErrClosed
	}
	anew := c.crew.refreshes.Add(1)
	c.partners.endPauses()
	c.remote.endPauses()
	err := c.local.refresh(ctx, anew)
	now := c.config.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	places := make(chan struct{}, maxRefreshQueue)
	failed := 0
	for _, r := range c.table.all() {
		if now.Sub(time.Unix(r.used.Load(), 0)) > usedWithin || r.exempt != "" || r.plan.Load().noSource != nil {
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			all.Wait()
			return errors.Join(err, ctx.Err())
		}
		all.Go(func() {
			defer func() { <-places }()
			if one := c.asking(r, wanted{anew: anew}).wait(ctx); one != nil {
				mu.Lock()
				defer mu.Unlock()
				if failed++; failed == 1 {
					err = errors.Join(err, one)
				}
			}
		})
	}
	all.Wait()
	if failed > 1 {
		err = fmt.Errorf("%w; and %d certificates more", err, failed-1)
	}
	return err
}
