package revocation

import (
	"context"
	"crypto/x509"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	maxPartners = 1024

	maxFetches        = 8    // at once, for one partner
	maxFetchesPerHost = 4    // of these, at one host
	maxFetchQueue     = 1024 // of one partner
	maxHosts          = 1024 // of one partner that are remembered; idle ones that work are forgotten first

	maxRefreshes    = 4 // at once, for one partner
	maxRefreshQueue = 256
	maxFlights      = 2048 // at once, for one partner, whether or not anybody waits
)

// partner is an anchor under which chains have verified: the unit in which an operator gives
// trust. Everything that can run short is given to partners and not to CAs, because one
// partner can have as many CAs, and name as many hosts, as it likes. Nothing here is shared
// between partners, so none of them can use up what another one needs.
type partner struct {
	gate *gate
	name string // of the anchor, for people

	places     chan struct{} // to fetch in
	refreshers chan struct{}
	refreshing atomic.Int64 // with those that wait for a place
	flights    atomic.Int64
	hand       hand

	mu      sync.Mutex
	waiting int
	hosts   map[string]*host
	paths   map[string]*outage
}

// gate finds the partners, and is what they have in common.
type gate struct {
	now  func() time.Time
	seed maphash.Seed
	// tell is told when the outage of a host begins and ends, and when a breaker opens and closes.
	tell func(ctx context.Context, change outageChange)

	inHand int // bytes of lists in hand, for one partner

	mu  sync.Mutex
	all map[string]*partner
}

func newGate(now func() time.Time, inHand int, tell func(context.Context, outageChange)) *gate {
	return &gate{now: now, seed: maphash.MakeSeed(), tell: tell, inHand: inHand, all: map[string]*partner{}}
}

// of returns the partner of an anchor. Copies of its certificate are the same partner.
func (g *gate) of(anchor *x509.Certificate) *partner {
	return g.named(authorityKey(anchor), anchor)
}

// operator is the partner for what the operator configures.
func (g *gate) operator() *partner { return g.named("", nil) }

func (g *gate) named(key string, anchor *x509.Certificate) *partner {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.all[key]
	if p == nil {
		if len(g.all) >= maxPartners {
			g.all = map[string]*partner{} // records keep theirs
		}
		p = &partner{
			gate: g, name: "configured", places: make(chan struct{}, maxFetches), refreshers: make(chan struct{}, maxRefreshes),
			hosts: map[string]*host{}, paths: map[string]*outage{},
		}
		most := g.inHand
		if anchor == nil {
			most *= 4 // several big lists of the operator are read side by side
		}
		p.hand.init(most)
		if anchor != nil {
			p.name = nameText(anchor.RawSubject)
		}
		g.all[key] = p
	}
	return p
}

func (g *gate) partners() []*partner {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := make([]*partner, 0, len(g.all))
	for _, p := range g.all {
		all = append(all, p)
	}
	return all
}

// openBreakers names the hosts that are left alone after failures in a row.
func (g *gate) openBreakers() []string {
	var names []string
	for _, p := range g.partners() {
		p.mu.Lock()
		for _, h := range p.hosts {
			if h.open() && !slices.Contains(names, h.label) {
				names = append(names, h.label)
			}
		}
		p.mu.Unlock()
	}
	return names
}

// endPauses lets every host be asked again now, by one until it has answered.
func (g *gate) endPauses(ctx context.Context) {
	for _, p := range g.partners() {
		var closed []outageChange
		p.mu.Lock()
		for _, h := range p.hosts {
			if h.open() {
				h.failures = breakerOpensAfter - 1
				closed = append(closed, outageChange{host: h.label, partner: p.name, isBreaker: true, over: true})
			}
			h.until = time.Time{}
		}
		for _, o := range p.paths {
			o.until = time.Time{}
		}
		p.mu.Unlock()
		for _, change := range closed {
			g.tell(ctx, change)
		}
	}
}

// hand bounds the lists of one partner that are in hand: from the first byte of the body
// until the index is built. One is built at a time, and one read from the store.
type hand struct {
	most     int64
	held     atomic.Int64
	building chan struct{}
	stored   chan struct{} // to read a list from the store, whose size nobody knows before
}

func (h *hand) init(most int) {
	h.most, h.building, h.stored = int64(most), make(chan struct{}, 1), make(chan struct{}, 1)
}

// take reserves bytes. What does not fit is refused at once: who waited with a part of a list
// in hand would keep the others from ending.
func (h *hand) take(n int) error {
	if h.held.Add(int64(n)) > h.most {
		h.held.Add(-int64(n))
		return fmt.Errorf("%w: %d bytes of lists are being read", ErrBudget, h.most)
	}
	return nil
}

func (h *hand) give(n int) { h.held.Add(-int64(n)) }

// build verifies one list at a time.
func (h *hand) build(ctx context.Context, parse func() (*CRL, error)) (*CRL, error) {
	select {
	case h.building <- struct{}{}:
		defer func() { <-h.building }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrTimeout, ctx.Err())
	}
	return parse()
}
