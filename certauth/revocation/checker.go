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
// renews the evidence. It is the argument of [certauth.NotRevoked]. Make it with [New], once for
// the program, and share it between Authenticators; it is safe for concurrent use. Its zero
// value, and nil, have no evidence for any certificate.
//
// The chains it is given must have verified. What it asks and when, what it remembers, how soon a
// revocation takes effect, and what must be true of your infrastructure is in the documentation of
// the package.
type Checker struct {
	config      Config
	skew        time.Duration
	fetcher     Fetcher
	ownFetcher  *fetch.HTTPFetcher // closed with the Checker
	partners    partners
	crew        *crew
	table       *table
	authorities authorities
	remote      remoteLists
	local       *localLists
	lists       keeper
	generation  atomic.Uint64 // grows with every list that comes or goes
	said        atMostOften
	ahead       signersAhead
	stats       counters
}

// New checks the Config, all of it, and returns a Checker. It opens no file and no socket;
// see [Checker.Preload]. Close it when it is not needed any more.
func New(config Config) (*Checker, error) {
	config, err := config.withDefaults()
	c := &Checker{
		config: config, skew: config.Verify.Tolerance(), fetcher: config.Fetcher,
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
	c.partners = partners{gate: fetch.NewGate(config.Now, c.outageChanged), inHand: config.MaxListBytes + config.MaxListBytes/4}
	c.crew, c.table = newCrew(), newTable(config.MaxRecords)
	c.lists.most, c.lists.now, c.lists.changed, c.lists.held = config.MaxListMemory, config.Now, &c.generation, map[*place]int{}
	c.local = newLocalLists(c)
	return c, nil
}

// isMade distinguishes a Checker that New returned from the zero value and nil.
func (c *Checker) isMade() bool { return c != nil && c.table != nil }

// Close stops all fetches and workers and waits for them. After that it answers
// only from memory; everything else is ErrClosed. A Fetcher of Config is left open.
func (c *Checker) Close() error {
	if !c.isMade() {
		return nil
	}
	c.crew.close()
	if c.ownFetcher != nil {
		return c.ownFetcher.Close()
	}
	return nil
}

// Preload reads Config.Lists, and CRLs at further URLs, before the first request needs
// them. The URLs count as if they were in Config.Lists, now and later; the CAs that sign
// them must be in Config.Issuers. It returns the errors of the lists that could not be read, within ctx and two
// minutes at most. One URL that cannot be used makes it read nothing.
func (c *Checker) Preload(ctx context.Context, crlURLs ...string) error {
	if !c.isMade() || c.crew.isClosed() {
		return ErrClosed
	}
	var mistakes error
	for _, url := range crlURLs {
		if err := fetch.CheckURL(url); err != nil {
			mistakes = errors.Join(mistakes, err)
		}
	}
	if len(crlURLs) > 0 && len(c.config.Issuers) == 0 {
		mistakes = errors.Join(mistakes, errors.New("revocation: Preload needs Config.Issuers, the CAs that sign the lists"))
	}
	if mistakes != nil {
		return mistakes
	}
	c.local.add(crlURLs)
	err := c.local.load(ctx)
	for _, url := range crlURLs {
		if err == nil && !c.local.holds(url) { // a reading that began before they were added
			err = c.local.load(ctx)
		}
	}
	return err
}

// Ready is nil when everything that Config.Lists and Preload name is in memory and current:
// every URL and every file was read, those of a Dir one by one, and no nextUpdate has passed.
// Else the error says what is missing. It is for a start-up or readiness probe, and reads
// nothing itself. MaxAge in Config.Verify can make a list count for nothing before that.
func (c *Checker) Ready() error {
	if !c.isMade() || c.crew.isClosed() {
		return ErrClosed
	}
	return c.local.ready(c.config.Now())
}
