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
	maxHosts          = 1024 // remembered of one partner; idle ones that work are forgotten first
)

// Gate bounds how much is fetched at once and pauses requests to failing hosts, separately for each
// partner. It is safe for concurrent use, and so are its partners.
type Gate struct {
	now  func() time.Time
	seed maphash.Seed
	tell func(context.Context, Outage)
}

// Outage is the beginning or the end of a period in which a host does not answer one partner's
// fetches.
type Outage struct {
	Host    string // with its port
	Partner string
	Since   time.Time // the first failure
	Over    bool
	Refused int   // number of callers that were refused meanwhile; set at the end
	Err     error // the first failure; set at the beginning
}

// NewGate makes a Gate. It calls tell, without holding a lock, when an outage begins and ends.
func NewGate(now func() time.Time, tell func(context.Context, Outage)) *Gate {
	return &Gate{now: now, seed: maphash.MakeSeed(), tell: tell}
}

// Partner is the unit to which fetches are allotted: it has eight places for concurrent fetches, of
// which fetches from one host take at most four. Partners share nothing, so that none can use up
// the resources of another. Failures of a host are also recorded per partner: a partner can
// write the URL of a responder that is not its own into its certificates, and that responder's
// answers to questions that do not concern it say nothing about its state.
type Partner struct {
	gate *Gate
	name string

	queue, places chan struct{}

	mu    sync.Mutex
	hosts map[string]*host
	paths map[string]*outage // by URL
}

// NewPartner makes a partner. The name is used in messages only.
func (g *Gate) NewPartner(name string) *Partner {
	return &Partner{
		gate: g, name: name, queue: make(chan struct{}, maxFetchQueue), places: make(chan struct{}, maxFetches),
		hosts: map[string]*host{}, paths: map[string]*outage{},
	}
}

// Refused counts a caller that was refused for lack of evidence from one of these URLs.
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

// OpenBreakers returns the hosts that are not contacted at present because of repeated failures.
func (p *Partner) OpenBreakers() (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.hosts {
		if h.isOpen() {
			names = append(names, h.label)
		}
	}
	return names
}

// EndPauses permits one request to every paused host now; if it is answered, others may follow.
// The failure of a fetch that is already running does not count afterwards.
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

// host is one host, port and scheme from which a partner's evidence is fetched.
type host struct {
	outage
	label  string // with its port, for messages
	slots  chan struct{}
	inside int

	told *Outage // nil while it works
	// byNetwork reports that the network failed, not only the response of the host.
	byNetwork bool
}

func (h *host) isOpen() bool { return h.failures >= breakerOpensAfter }

// Pass is the permission to fetch from one URL. It ends with Leave.
type Pass struct {
	partner *Partner
	host    *host
	path    *outage
	address string
	probing *outage // what it tries again after a pause, nil if nothing

	hostRound, pathRound int
}

// Enter waits for a free place until ctx ends, and refuses at once if the host is paused. When a
// pause is over, one caller contacts the host. Until it has an answer the others wait, or are
// refused if the host has failed many times in a row. After the fetch call [Pass.Leave].
//
// The error is a [*BreakerOpenError] if the host is paused, [ErrTimeout] together with the error of
// ctx if that ended, [ErrOverloaded] if too many callers wait, and [ErrBlockedURL] if the address
// is not a URL with a host.
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
	return &BreakerOpenError{host: p.host.label, why: why, Until: because.until, since: because.since}
}

// stillAdmitted checks again after the wait for a place: the host may have failed meanwhile.
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

// takePlace waits for a place at the host and then for one of the partner, so that a fetch waiting
// for a slow host holds no place that another host could use.
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

// exit ends a probe, if this is one, and allows the host to be forgotten.
func (p *Pass) exit() {
	p.partner.mu.Lock()
	defer p.partner.mu.Unlock()
	p.host.inside--
	if p.probing != nil {
		close(p.probing.probe)
		p.probing.probe = nil
	}
}

// Leave returns the place and records the result of the fetch. Only failures of the network or of
// the responder itself count against the host; evidence that does not verify is handled elsewhere.
func (p *Pass) Leave(ctx context.Context, err error) {
	p.partner.mu.Lock()
	var change *Outage
	if ctx.Err() == nil && !errors.Is(err, context.Canceled) && !isOurs(err) { // else it says nothing about the host
		change = p.settle(p.partner.gate.now(), err)
	}
	p.partner.mu.Unlock()
	p.exit()
	p.givePlace() // after settle: the fetch that gets the place checks the failures
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
			change = nil // another URL of the host fails, this one never has
		}
		p.path.works()
		return change
	}
	if h.told == nil {
		h.told = &Outage{Host: h.label, Partner: p.partner.name, Since: now, Err: err}
		change = new(*h.told)
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

// forgetOne makes room for one more: of those not in use it drops one that works or may be
// contacted, or else any.
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
