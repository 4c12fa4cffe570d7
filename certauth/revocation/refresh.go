package revocation

import (
	"context"
	"time"
)

const (
	maxRefreshes     = 4
	maxRefreshQueue  = 256
	sweepAtMostAtOne = 1024
)

// refresh gets newer evidence while requests are answered from what is known. It is
// dropped when too many wait already; the next request asks for it again. It waits for
// its turn unless a request comes to wait for it. It returns nil if it was dropped.
func (c *Checker) refresh(r *record) *flight {
	if c.refreshing.Add(1) > maxRefreshQueue {
		c.refreshing.Add(-1)
		return nil
	}
	joined, mine := c.crew.joinLater(&r.mu, &r.flight, func(ctx context.Context, f *flight) error {
		defer c.refreshing.Add(-1)
		select {
		case c.refreshers <- struct{}{}:
			defer func() { <-c.refreshers }()
		case <-f.wanted:
		case <-ctx.Done():
			return ErrClosed
		}
		c.stats.refreshes.Add(1)
		return c.obtain(ctx, r)
	})
	if !mine {
		c.refreshing.Add(-1)
	}
	return joined
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
			c.sweepOnce(ctx)
		}
	}
}

// sweepOnce refreshes what was used lately and is due.
func (c *Checker) sweepOnce(ctx context.Context) {
	now := c.config.Now()
	_ = c.local.look(ctx, now) // what cannot be read is told
	c.table.each(func(r *record) bool {
		if now.Sub(time.Unix(r.used.Load(), 0)) <= usedWithin {
			if _, _, refresh, _ := c.judge(r, now); refresh {
				c.refresh(r)
			}
		}
		return c.refreshing.Load() < maxRefreshQueue
	})
}
