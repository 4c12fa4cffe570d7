package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

const (
	configured      = "configured" // the name of the operator as a partner, in records
	maxPartners     = 1024
	maxRefreshes    = 4 // at once, for one partner
	maxRefreshQueue = 256
	maxFlights      = 2048 // at once, for one partner, whether or not anybody waits
)

// partner is an anchor under which chains have verified: the unit in which an operator gives
// trust. Everything that can run short is allotted to partners and not to CAs, because one partner
// can have as many CAs, and name as many hosts, as it likes.
type partner struct {
	*gate
	anchor *x509.Certificate // nil for the operator

	refreshers chan struct{}
	refreshing atomic.Int64 // including those that wait for a place
	flights    atomic.Int64
	records    atomic.Int64 // in the table
	lists      int          // in remoteLists, whose mutex guards it
	budget     *listBudget
}

// partners finds the partner of an anchor, or of one of Config.Lists.
type partners struct {
	now      func() time.Time
	tell     func(ctx context.Context, partner string, e Event) // when an outage begins and ends
	inHand   int                                                // bytes, for one partner
	operator *listBudget                                        // of all of Config.Lists: several large ones, because they are read concurrently

	mu  sync.Mutex
	all map[string]*partner
}

// of returns the partner of an anchor. Copies of its certificate are the same partner.
func (g *partners) of(anchor *x509.Certificate) *partner {
	return g.named(authorityKey(anchor), anchor, newListBudget(g.inHand))
}

// configured returns the partner for one of Config.Lists, because each may be of another partner.
// They only share what the operator may have in hand.
func (g *partners) configured(name string) *partner {
	return g.named("configured "+name, nil, g.operator)
}

func (g *partners) named(key string, anchor *x509.Certificate, budget *listBudget) *partner {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.all[key]
	if p == nil {
		if g.all == nil || len(g.all) >= maxPartners {
			g.all = map[string]*partner{} // records keep theirs
		}
		name := configured
		if anchor != nil {
			name = dn.Quote(anchor.RawSubject)
		}
		tell := func(ctx context.Context, e Event) { g.tell(ctx, name, e) }
		p = &partner{gate: newGate(g.now, tell), anchor: anchor, budget: budget, refreshers: make(chan struct{}, maxRefreshes)}
		g.all[key] = p
	}
	return p
}

func (g *partners) list() []*partner {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Values(g.all))
}

// listBudget bounds the lists of one partner that are in hand: from the first byte of the body until the
// index is built. One list is built at a time, and one is read from the Store.
type listBudget struct {
	most     int64
	held     atomic.Int64
	building chan struct{}
	stored   chan struct{} // held while a list is read from the Store, because its size is not known before
	storing  sync.Mutex    // held for a small list until the Store has taken it
}

func newListBudget(most int) *listBudget {
	return &listBudget{most: int64(most), building: make(chan struct{}, 1), stored: make(chan struct{}, 1)}
}

// lend reports whether a list may wait for the Store in addition to those in hand, so that a slow
// Store does not keep other lists from being read: one of at most most bytes may, until the caller
// unlocks storing.
func (b *listBudget) lend(n, most int) bool { return n <= most && b.storing.TryLock() }

// take reserves bytes. It refuses at once what does not fit: if callers waited while they hold
// part of a list, none of them could finish.
func (b *listBudget) take(n int) error {
	if b.held.Add(int64(n)) > b.most {
		b.held.Add(-int64(n))
		return fmt.Errorf("%w: %d bytes of lists are being read", ErrBudget, b.most)
	}
	return nil
}

func (b *listBudget) give(n int) { b.held.Add(-int64(n)) }

// build verifies one list at a time, because a list is in memory twice while it is built.
func (b *listBudget) build(ctx context.Context, parse func() (*evidence.CRL, error)) (*evidence.CRL, error) {
	if err := take(ctx, b.building); err != nil {
		return nil, err
	}
	defer func() { <-b.building }()
	return parse()
}
