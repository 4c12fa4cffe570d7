package revocation

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

// Checker determines whether certificates of verified chains are revoked, and remembers and
// renews the evidence. It is the argument of [certauth.NotRevoked]. Make one with [New] for the
// whole program and share it between Authenticators; it is safe for concurrent use. The zero
// value and nil have no evidence for any certificate.
//
// The chains that it receives must have been verified. What it asks and guarantees, and what must be
// true of your infrastructure, is in the documentation of the package.
type Checker struct {
	config      Config
	skew        time.Duration
	fetcher     Fetcher
	ownFetcher  *fetch.HTTPFetcher // closed with the Checker
	partners    partners
	background  *background
	table       *table
	authorities *authorities
	remote      remoteLists
	local       *localLists
	lists       keeper
	generation  atomic.Uint64 // changes with every list that is added or removed
	said        atMostOften
	ahead       signersAhead
	stats       counters
}

// New checks the whole Config, reports all mistakes at once, and returns a Checker. It opens no
// file and no socket; see [Checker.Preload]. Close the Checker when it is no longer needed.
func New(config Config) (*Checker, error) {
	config, err := config.withDefaults()
	c := &Checker{
		config: config, skew: config.Verify.Tolerance(), fetcher: config.Fetcher, authorities: &authorities{},
	}
	if config.Fetcher == nil {
		var fetcherErr error
		if c.ownFetcher, fetcherErr = fetch.NewHTTPFetcher(config.HTTP); fetcherErr != nil {
			err = errors.Join(err, fmt.Errorf("HTTP: %w", fetcherErr))
		}
		c.fetcher = c.ownFetcher
	}
	if err != nil {
		return nil, fmt.Errorf("revocation: Config: %w", err)
	}
	inHand := config.MaxListBytes + config.MaxListBytes/4
	c.partners = partners{now: config.Now, tell: c.outageChanged, inHand: inHand, operator: newListBudget(4 * inHand)}
	c.background, c.table = &background{}, newTable(config.MaxRecords)
	c.background.base, c.background.cancel = context.WithCancel(context.Background())
	c.lists.aside, c.lists.with = config.MaxListBytes/4, c.with
	c.lists.most, c.lists.now, c.lists.changed, c.lists.held = config.MaxListMemory, config.Now, &c.generation, map[*place]int{}
	c.local = newLocalLists(c)
	return c, nil
}

// isMade distinguishes a Checker that New returned from the zero value and nil.
func (c *Checker) isMade() bool { return c != nil && c.table != nil }

// Close stops all fetches and workers and waits for them. Afterwards the Checker answers only
// from memory, and everything else is ErrClosed. Close does not close a Fetcher of the Config.
func (c *Checker) Close() error {
	if !c.isMade() {
		return nil
	}
	c.background.close()
	return c.ownFetcher.Close() // does nothing if it is nil
}

// Preload reads Config.Lists, and CRLs at further URLs, before the first request needs them. From
// then on the URLs are treated like those in Config.Lists; the CAs that sign these lists must be
// in Config.Issuers. Preload returns the errors of the lists that could not be read before ctx
// ended, or within two minutes. If one of the URLs is invalid, it reads nothing.
func (c *Checker) Preload(ctx context.Context, crlURLs ...string) error {
	if !c.isMade() || c.background.isClosed() {
		return ErrClosed
	}
	var mistakes error
	for _, url := range crlURLs {
		mistakes = errors.Join(mistakes, fetch.CheckURL(url))
	}
	if len(crlURLs) > 0 && len(c.config.Issuers) == 0 {
		mistakes = errors.Join(mistakes, errors.New("revocation: Preload needs Config.Issuers, the CAs that sign the lists"))
	}
	if mistakes != nil {
		return mistakes
	}
	c.local.add(crlURLs)
	return c.local.load(ctx)
}

// Ready returns nil if everything in Config.Lists and Preload is in memory and current: every URL
// and every file, including each one in a Dir, was read, and no nextUpdate has passed. Otherwise
// the error names what is missing. It is meant for a start-up or readiness probe: it does not wait
// for anything, but starts the reading that a request would start, because no request arrives while
// the probe fails. A list may become unusable before its nextUpdate because of MaxAge in
// Config.Verify.
func (c *Checker) Ready() error {
	if !c.isMade() || c.background.isClosed() {
		return ErrClosed
	}
	now := c.config.Now()
	defer c.local.look(c.background.base, now)
	return c.local.ready(now)
}
