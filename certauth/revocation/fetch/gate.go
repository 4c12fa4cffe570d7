package fetch

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"
)

const (
	maxFetches        = 8    // at once, for one partner
	maxFetchesPerHost = 4    // of these, at one host
	maxFetchQueue     = 1024 // of one partner
	maxHosts          = 1024 // of one partner that are remembered; idle ones that work are forgotten first
)

// Gate bounds how much is fetched at once and pauses requests to failing hosts, separately for each partner.
type Gate struct {
	now  func() time.Time
	seed maphash.Seed
	tell func(context.Context, Outage)
}

// Outage is the beginning or the end of a time in which a host does not answer one partner's
// fetches.
type Outage struct {
	Host    string // with its port
	Partner string
	Since   time.Time // the first failure
	Over    bool
	Refused int   // how many callers were refused meanwhile, when it is over
	Err     error // the first failure, when it begins
}

// NewGate makes a Gate. tell is told when an outage begins and when it ends, never under a lock.
func NewGate(now func() time.Time, tell func(context.Context, Outage)) *Gate {
	return &Gate{now: now, seed: maphash.MakeSeed(), tell: tell}
}

// Partner is the unit that has places to fetch in: nothing in it is shared with another one, so
// none can use up the resources of another. Failures of a host are recorded for one partner,
// too: another one may write the URL of a responder that is not its own into its certificates,
// and what that answers to questions that are none of its business says nothing about it.
type Partner struct {
	gate *Gate
	name string

	queue, places chan struct{}

	mu    sync.Mutex
	hosts map[string]*host
	paths map[string]*outage // by URL
}

// NewPartner makes a partner. name is for people.
func (g *Gate) NewPartner(name string) *Partner {
	return &Partner{
		gate: g, name: name, queue: make(chan struct{}, maxFetchQueue), places: make(chan struct{}, maxFetches),
		hosts: map[string]*host{}, paths: map[string]*outage{},
	}
}

// Refused counts a caller that is refused for lack of evidence from one of these URLs.
func (p *Partner) Refused(urls ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, address := range urls {
		if _, origin, err := hostOf(address); err == nil {
			if h := p.hosts[origin]; h != nil && h.told != nil {
				h.told.Refused++
			}
		}
	}
}

// LeftAlone names the hosts that are not asked for a while, after failures in a row.
func (p *Partner) LeftAlone() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if h.isOpen() {
			names = append(names, h.label)
		}
	}
	return names
}

// EndPauses lets every host be asked again now, by one until it has answered. How a fetch fails
// that is under way says nothing about what comes after this.
func (p *Partner) EndPauses() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		h.failures = min(h.failures, breakerOpensAfter-1)
		h.until = time.Time{}
		h.round++
	}
	for _, o := range p.paths {
		o.until = time.Time{}
		o.round++
	}
}

// host is one host, port and scheme that a partner's evidence is fetched from.
type host struct {
	outage
	label  string // with its port, for people
	slots  chan struct{}
	inside int

	told *Outage // nil while it works
	// byNetwork says that the network failed, and not only what the host answered.
	byNetwork bool
}

func (h *host) isOpen() bool { return h.failures >= breakerOpensAfter }

// Pass is the right to fetch from one URL, until Leave.
type Pass struct {
	partner *Partner
	host    *host
	path    *outage
	address string
	probing *outage // what it tries again after a pause, nil if it does not

	hostRound, pathRound int
}

// Enter waits for a place within ctx, and refuses at once where the host is left alone. When a
// pause is over, one asks: until its answer is there the others wait, or are refused if the host
// has failed many times in a row.
func (p *Partner) Enter(ctx context.Context, address string) (*Pass, error) {
	label, origin, err := hostOf(address)
	if err != nil {
		return nil, err
	}
	for {
		one, under, err := p.admit(origin, label, address)
		switch {
		case err != nil:
			return nil, err
		case under != nil:
			select {
			case <-under:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: %s is being tried again: %w", ErrTimeout, label, ctx.Err())
			}
		}
		if err := one.takePlace(ctx); err != nil {
			one.exit()
			return nil, err
		}
		if err := one.stillAdmitted(); err != nil {
			one.givePlace()
			one.exit()
			return nil, err
		}
		return one, nil
	}
}

func (p *Partner) admit(origin, label, address string) (*Pass, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.gate.now()
	h := p.hosts[origin]
	if h == nil {
		forgetOne(p.hosts, now, func(h *host) (*outage, bool) { return &h.outage, h.inside > 0 })
		h = &host{label: label, slots: make(chan struct{}, maxFetchesPerHost)}
		p.hosts[origin] = h
	}
	path := p.paths[address]
	if path == nil {
		forgetOne(p.paths, now, func(o *outage) (*outage, bool) { return o, o.probe != nil })
		path = &outage{}
		p.paths[address] = path
	}
	one := &Pass{partner: p, host: h, path: path, address: address, hostRound: h.round, pathRound: path.round}
	tried := path
	if h.isOpen() {
		tried = &h.outage
	}
	if tried.failures > 0 {
		if isResting(tried.until, now) || tried.probe != nil && h.isOpen() {
			return nil, nil, one.refusal(tried)
		}
		if tried.probe != nil {
			return nil, tried.probe, nil
		}
		tried.probe = make(chan struct{})
		one.probing = tried
	}
	h.inside++
	return one, nil, nil
}

func (p *Pass) refusal(because *outage) error {
	why := "backing off"
	if p.host.isOpen() {
		why = fmt.Sprintf("%d failures in a row", p.host.failures)
	}
	return &LeftAloneError{host: p.host.label, why: why, Until: because.until, since: because.since}
}

// stillAdmitted looks again after the wait for a place: the host may have failed meanwhile.
func (p *Pass) stillAdmitted() error {
	if p.probing != nil {
		return nil
	}
	p.partner.mu.Lock()
	defer p.partner.mu.Unlock()
	now := p.partner.gate.now()
	for _, o := range []*outage{&p.host.outage, p.path} {
		if o.failures > 0 && isResting(o.until, now) {
			return p.refusal(o)
		}
	}
	return nil
}

// takePlace waits for a place at the host and then for one of the partner: who waits for a slow
// host holds no place that another host could use.
func (p *Pass) takePlace(ctx context.Context) error {
	by := p.partner
	select {
	case by.queue <- struct{}{}:
		defer func() { <-by.queue }()
	default:
		return fmt.Errorf("%w: %d wait", ErrOverloaded, maxFetchQueue)
	}
	select {
	case p.host.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for other fetches: %w", ErrTimeout, ctx.Err())
	}
	select {
	case by.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-p.host.slots
		return fmt.Errorf("%w: waiting for other fetches: %w", ErrTimeout, ctx.Err())
	}
}

func (p *Pass) givePlace() {
	<-p.host.slots
	<-p.partner.places
}

// exit ends a probe, if this is one, and lets the host be forgotten.
func (p *Pass) exit() {
	p.partner.mu.Lock()
	defer p.partner.mu.Unlock()
	p.host.inside--
	if p.probing != nil {
		close(p.probing.probe)
		p.probing.probe = nil
	}
}

// Leave gives the place back and says how the fetch went. Only what the network or the responder
// itself failed at counts against them; an answer that is wrong is looked at elsewhere.
func (p *Pass) Leave(ctx context.Context, err error) {
	p.partner.mu.Lock()
	var change *Outage
	if ctx.Err() == nil && !errors.Is(err, context.Canceled) && !isOurs(err) { // else it says nothing about the host
		change = p.settle(p.partner.gate.now(), err)
	}
	p.partner.mu.Unlock()
	p.exit()
	p.givePlace() // when the failure is known: who gets the place looks at that
	if change != nil {
		p.partner.gate.tell(ctx, *change)
	}
}

func (p *Pass) settle(now time.Time, err error) (change *Outage) {
	h, g := p.host, p.partner.gate
	if !isNetwork(err) {
		h.works()
	}
	if !CountsAgainstHost(err) {
		if change = h.told; change != nil && (h.byNetwork || p.path.failures > 0) {
			change.Over, change.Err = true, nil
			h.told, h.byNetwork = nil, false
		} else {
			change = nil // another URL of the host fails, and this one never did
		}
		p.path.works()
		return change
	}
	if h.told == nil {
		h.told = &Outage{Host: h.label, Partner: p.partner.name, Since: now, Err: err}
		began := *h.told
		change = &began
	}
	if isNetwork(err) {
		h.byNetwork = true
		if h.fail(p.hostRound, now) && h.isOpen() {
			h.until = now.Add(g.pause(h.label, h.failures-breakerOpensAfter+1))
		}
	}
	if p.path.fail(p.pathRound, now) {
		status, _ := errors.AsType[HTTPStatusError](err)
		p.path.until = now.Add(max(g.pause(p.address, p.path.failures), min(status.RetryAfter, backOffMost)))
	}
	return change
}

// forgetOne makes room for one more: of those that nobody uses, one that works or may be asked.
func forgetOne[T any](all map[string]T, now time.Time, look func(T) (*outage, bool)) {
	if len(all) < maxHosts {
		return
	}
	victim := ""
	for name, one := range all {
		o, isUsed := look(one)
		if isUsed {
			continue
		}
		victim = name
		if o.failures == 0 || !isResting(o.until, now) {
			break
		}
	}
	delete(all, victim)
}
