package certauthtest

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// leaseCheck is the part of CheckStore that is about leases.
type leaseCheck struct {
	*storeCheck
	leasers []leaser
}

func (c *leaseCheck) all() {
	c.tb.Helper()
	c.release(c.race("a free lease", "lease", time.Hour))
	held := c.race("a lease that was released", "lease", time.Hour)
	c.refused("a lease that is held", "lease")
	c.release(c.race("another key's lease", "lease-2", time.Hour))
	c.beside("lease")
	c.release(held)
	again := c.race("a lease that was released a second time", "lease", time.Hour)
	c.release(held)
	c.refused("a lease after a former holder's second release", "lease")
	c.release(again)

	late := c.race("a short lease", "passes", storeTTL)
	c.refused("a short lease that has not passed", "passes")
	unlimited := c.odd("lease-of-nothing", 0)
	c.advance(storeAdvance)
	current := c.race("a lease that has passed", "passes", time.Hour)
	c.release(late)
	c.refused("a lease after the release of one that had passed", "passes")
	c.release(current)
	c.release(c.race("a lease after one for no time at all", "lease-of-nothing", time.Hour))
	c.release(unlimited)
	c.cancelled("cancelled")
}

func (c *leaseCheck) release(release func(context.Context)) {
	if release == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	release(ctx)
}

// take asks for a lease; wrong says what is wrong with the answer.
func (c *leaseCheck) take(ctx context.Context, leaser leaser, name string, ttl time.Duration) (release func(context.Context), wrong string) {
	release, granted, err := leaser.Lease(ctx, c.key(name), ttl)
	switch {
	case err != nil:
		return nil, fmt.Sprintf("Lease: %v", err)
	case granted && release == nil:
		return nil, "granted without a release"
	case !granted && release != nil:
		return nil, "not granted, but with a release"
	}
	return release, ""
}

// race lets 32 ask at once; exactly one must be granted the lease.
func (c *leaseCheck) race(what, name string, ttl time.Duration) (winner func(context.Context)) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	const contenders = 32
	var (
		group    sync.WaitGroup
		start    = make(chan struct{})
		releases [contenders]func(context.Context)
		wrong    [contenders]string
	)
	for i := range contenders {
		group.Go(func() {
			<-start
			releases[i], wrong[i] = c.take(ctx, c.leasers[i%len(c.leasers)], name, ttl)
		})
	}
	close(start)
	group.Wait()
	winners := 0
	for i := range contenders {
		if wrong[i] != "" {
			c.fail("%s: %s", what, wrong[i])
		}
		if releases[i] != nil {
			winners++
			winner = releases[i]
		}
	}
	if winners != 1 {
		c.fail("%s: %d of %d are granted it, want 1", what, winners, contenders)
	}
	return winner
}

// refused asks through both instances for a lease that somebody has.
func (c *leaseCheck) refused(what, name string) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	for _, leaser := range c.leasers {
		release, wrong := c.take(ctx, leaser, name, time.Hour)
		if wrong != "" {
			c.fail("%s: %s", what, wrong)
		}
		if release != nil {
			c.fail("%s: is granted to another", what)
		}
	}
}

// beside sets and gets the value of a key whose lease is held.
func (c *leaseCheck) beside(name string) {
	c.tb.Helper()
	c.want("the value of a key with a lease", name, nil)
	c.set(name, []byte("value"), time.Hour)
	c.want("a value set while its lease is held", name, []byte("value"))
	c.refused("a lease after its value was set", name)
}

// odd asks for a lease that no time is given to; it may be refused, granted, or an error.
func (c *leaseCheck) odd(name string, ttl time.Duration) func(context.Context) {
	ctx, cancel := context.WithTimeout(context.Background(), storeCallLimit)
	defer cancel()
	release, granted, err := c.leasers[0].Lease(ctx, c.key(name), ttl)
	if err != nil || !granted {
		return nil
	}
	return release
}

// cancelled asks with a context that has ended. What is granted all the same must be a lease.
func (c *leaseCheck) cancelled(name string) {
	c.tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var release func(context.Context)
	c.returns("Lease with a context that has ended", func() string {
		got, granted, err := c.leasers[0].Lease(ctx, c.key(name), storeTTL)
		if err == nil && granted != (got != nil) {
			return fmt.Sprintf("granted is %v, release is there: %v", granted, got != nil)
		}
		if err == nil {
			release = got
		}
		return ""
	})
	c.release(release)
}
