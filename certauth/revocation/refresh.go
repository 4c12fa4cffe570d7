package revocation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// refresh gets newer evidence while requests are answered from memory. It does nothing if too many
// refreshes of the partner are waiting; the next request tries again. The attempt itself starts only
// when the refresh has a place, so that a request that needs evidence never waits for a place.
func (c *Checker) refresh(r *record) *flight {
	return c.background.join(&r.renewal, 0, func(ctx context.Context) error {
		by := r.partner
		defer by.refreshing.Add(-1)
		if by.refreshing.Add(1) > maxRefreshQueue {
			return nil
		}
		if take(ctx, by.refreshers) != nil {
			return ErrClosed
		}
		defer func() { <-by.refreshers }()
		if !c.judge(r, c.config.Now()).due { // a request that could not wait has fetched it by now
			return nil
		}
		c.stats.refreshes.Add(1)
		return c.asking(r, wanted{news: true}).wait(ctx)
	})
}

// asking joins an attempt to get evidence, or starts one.
func (c *Checker) asking(r *record, want wanted) *flight {
	return c.background.join(&r.flight, want.anew, func(ctx context.Context) error {
		defer r.partner.flights.Add(-1)
		if r.partner.flights.Add(1) > maxFlights { // a flight outlives the request that started it
			return fmt.Errorf("%w: for certificates of one partner", ErrOverloaded)
		}
		err := c.obtain(ctx, r, want)
		if err != nil && ctx.Err() != nil { // an attempt that Close ended is no outage
			return fmt.Errorf("%w: %w", ErrClosed, err)
		}
		return err
	})
}

// isOverdue reports whether a refresh is long overdue: the certificate was not used for a while,
// and its status may have changed since. Its next request then waits a moment for newer evidence,
// unless an attempt has just failed.
func (s *state) isOverdue(v *verdict, now time.Time) bool {
	since := v.result.RefreshAfter
	return v.due && !since.IsZero() && !s.failed.isRecent(now) && hasCome(since.Add(overdueAfter), now, maxSoftCRL)
}

// Refresh queries the sources now: for newer evidence about every certificate that was used within
// the last hour, for the lists of Config.Lists and Preload, and at hosts that are paused after
// failures. It is for an operator who knows that an outage is over, or that something was revoked.
// Known evidence counts until newer evidence arrives. Refresh waits until all sources have
// answered or ctx ends, and returns what could not be obtained.
func (c *Checker) Refresh(ctx context.Context) error {
	if !c.isMade() || c.background.isClosed() {
		return ErrClosed
	}
	anew := c.background.refreshes.Add(1)
	for _, p := range c.partners.list() {
		p.endPauses()
	}
	c.remote.endPauses()
	var mu sync.Mutex
	var failed []error
	fail := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = append(failed, err)
	}
	var listErr error
	var all sync.WaitGroup
	read := make(chan struct{})
	all.Go(func() { // beside the certificates, because a list may hang
		defer close(read)
		c.local.countFrom(anew)
		listErr = c.local.load(ctx)
	})
	for by, records := range c.refreshable(c.config.Now()) {
		all.Go(func() {
			after := anew
			if by == nil {
				<-read
				after = c.background.refreshes.Add(1) // an attempt that began while they were read may have missed them
			}
			c.refreshAll(ctx, records, after, fail)
		})
	}
	all.Wait()
	if len(failed) == 0 {
		return listErr
	}
	err := errors.Join(listErr, failed[0])
	if more := len(failed) - 1; more > 0 {
		err = fmt.Errorf("%w; and for %d more certificates", err, more)
	}
	return err
}

// refreshable returns the certificates about which Refresh queries the sources, by partner, so that
// none waits for the sources of another partner. Those for which only the operator's lists are
// queried are under nil.
func (c *Checker) refreshable(now time.Time) map[*partner][]*record {
	all := map[*partner][]*record{}
	for _, r := range c.table.all() {
		if now.Sub(time.Unix(r.used.Load(), 0)) > usedWithin || r.exempt != "" || !c.hasSource(r) {
			continue
		}
		by := r.partner
		if len(r.responders)+len(r.lists) == 0 {
			by = nil
		}
		all[by] = append(all[by], r)
	}
	return all
}

// refreshAll queries the sources of the certificates, and waits for the answers until ctx ends.
func (c *Checker) refreshAll(ctx context.Context, records []*record, anew uint64, fail func(error)) {
	var all sync.WaitGroup
	defer all.Wait()
	places := make(chan struct{}, maxRefreshQueue)
	for _, r := range records {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			fail(ctx.Err())
			return
		}
		all.Go(func() {
			defer func() { <-places }()
			if err := c.asking(r, wanted{anew: anew}).wait(ctx); err != nil {
				fail(err)
			}
		})
	}
}
