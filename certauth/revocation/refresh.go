package revocation

import (
	"context"
	"time"
)

const (
	maxRefreshes      = 4 // at once, of the certificates of one CA
	maxRefreshQueue   = 256
	maxRefreshQueueOf = 64 // of one CA
)

// refresh gets newer evidence while requests are answered from what is known. It is
// dropped, and nil, when too many wait already; the next request asks for it again.
//
// Places are counted by CA: where the hosts of one do not answer, the certificates of the
// others are refreshed all the same. The flight begins only with a place, so that a request
// that has to wait for evidence never waits for one.
func (c *Checker) refresh(r *record) *flight {
	if under := r.renewal.Load(); under != nil {
		return under
	}
	by := r.authority
	all, own := c.refreshing.Add(1), by.refreshing.Add(1)
	renewal := c.crew.newFlight()
	leave := func(err error) {
		c.refreshing.Add(-1)
		by.refreshing.Add(-1)
		r.renewal.CompareAndSwap(renewal, nil)
		renewal.land(err)
	}
	if all > maxRefreshQueue || own > maxRefreshQueueOf || !r.renewal.CompareAndSwap(nil, renewal) {
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
		if _, _, due, _ := c.judge(r, c.config.Now()); !due { // somebody could not wait and has it by now
			return nil
		}
		c.stats.refreshes.Add(1)
		flight := c.crew.join(&r.mu, &r.flight, func(ctx context.Context) error { return c.obtain(ctx, r) })
		return flight.wait(ctx)
	}, leave)
	if !started {
		leave(ErrClosed)
		return nil
	}
	return renewal
}

// overdue reports whether a refresh should have been long ago: nobody has asked for the
// certificate since, and much may have happened. Who asks first then waits a moment for
// the news, unless it was just found that there are none to be had.
func (r *record) overdue(known *Result, now time.Time) bool {
	return r.failed.Load() == nil && !known.RefreshAfter.IsZero() && now.Sub(known.RefreshAfter) > overdueAfter
}

// sweep is the worker of Config.Sweep.
func (c *Checker) sweep(ctx context.Context) error {
	tick := time.NewTicker(c.config.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.sweepOnce()
		}
	}
}

// sweepOnce refreshes what was used lately and is due.
func (c *Checker) sweepOnce() {
	now := c.config.Now()
	c.local.look(now)
	c.table.each(func(r *record) bool {
		if now.Sub(time.Unix(r.used.Load(), 0)) <= usedWithin {
			if _, _, refresh, _ := c.judge(r, now); refresh {
				c.refresh(r)
			}
		}
		return c.refreshing.Load() < maxRefreshQueue
	})
}
