package revocation

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// host is one host, port and scheme that a partner's evidence is fetched from.
type host struct {
	outage
	label  string // with its port, for people
	slots  chan struct{}
	inside int

	trouble *trouble // nil while it works
}

// trouble is an outage as an operator sees it: of a host, from the first failure that counts
// until it answers again.
type trouble struct {
	since       time.Time
	refused     int // how many fetches were not made
	isTransport bool
}

func (h *host) open() bool { return h.failures >= breakerOpensAfter }

// pass is the right to fetch once.
type pass struct {
	partner *partner
	host    *host
	path    *outage
	address string
	probing *outage // what it tries again after a pause, nil if it does not
	held    bool    // a place

	hostRound, pathRound int
}

// enter waits for a place within ctx, and refuses at once where the responder is left alone.
// When a pause is over, one asks: until its answer is there the others wait, or are refused if
// the host has failed many times in a row.
//
// What is known against a host is known for one partner: another one may write the URL of a
// responder that is not its own into its certificates, and what that answers to questions that
// are none of its business says nothing about it.
func (p *partner) enter(ctx context.Context, address string) (*pass, error) {
	label, err := hostOf(address)
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(address, ":")
	for {
		one, under, err := p.admit(strings.ToLower(scheme)+"://"+label, label, address)
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
		if err := one.resume(ctx); err != nil {
			one.abandon()
			return nil, err
		}
		if err := one.stillAdmitted(); err != nil {
			one.rest()
			one.abandon()
			return nil, err
		}
		return one, nil
	}
}

func (p *partner) admit(name, label, address string) (*pass, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.gate.now()
	h := p.hosts[name]
	if h == nil {
		p.forgetHost(now)
		h = &host{label: label, slots: make(chan struct{}, maxFetchesPerHost)}
		p.hosts[name] = h
	}
	path := p.paths[address]
	if path == nil {
		p.forgetPath(now)
		path = &outage{}
		p.paths[address] = path
	}
	one := &pass{partner: p, host: h, path: path, address: address, hostRound: h.round, pathRound: path.round}
	tried := path
	if h.open() {
		tried = &h.outage
	}
	if tried.failures > 0 {
		if resting(tried.until, now) || tried.probe != nil && h.open() {
			return nil, nil, one.refusal(tried)
		}
		under, mine := tried.begin()
		if !mine {
			return nil, under, nil
		}
		one.probing = tried
	}
	h.inside++
	return one, nil, nil
}

// refusal counts who is not let through, under the lock.
func (p *pass) refusal(because *outage) error {
	if t := p.host.trouble; t != nil {
		t.refused++
	}
	why := "backing off"
	if p.host.open() {
		why = fmt.Sprintf("%d failures in a row", p.host.failures)
	}
	return &breakerError{host: p.host.label, why: why, until: because.until, since: because.since}
}

// stillAdmitted looks again after the wait for a place: the responder may have failed in the
// meantime.
func (p *pass) stillAdmitted() error {
	if p.probing != nil {
		return nil
	}
	p.partner.mu.Lock()
	defer p.partner.mu.Unlock()
	now := p.partner.gate.now()
	for _, o := range []*outage{&p.host.outage, p.path} {
		if o.failures > 0 && resting(o.until, now) {
			return p.refusal(o)
		}
	}
	return nil
}

// resume waits for a place unless the pass has one: first for one of the partner, then for one
// at the host.
func (p *pass) resume(ctx context.Context) error {
	if p.held {
		return nil
	}
	by := p.partner
	by.mu.Lock()
	full := by.waiting >= maxFetchQueue
	if !full {
		by.waiting++
	}
	by.mu.Unlock()
	if full {
		return fmt.Errorf("%w: %d wait", ErrOverloaded, maxFetchQueue)
	}
	defer func() {
		by.mu.Lock()
		by.waiting--
		by.mu.Unlock()
	}()
	// The host first: who waits for a slow one holds no place that another host could use.
	select {
	case p.host.slots <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for other fetches: %w", ErrTimeout, ctx.Err())
	}
	select {
	case by.places <- struct{}{}:
		p.held = true
		return nil
	case <-ctx.Done():
		<-p.host.slots
		return fmt.Errorf("%w: waiting for other fetches: %w", ErrTimeout, ctx.Err())
	}
}

// rest gives the place back, if there is one, and keeps the rest.
func (p *pass) rest() {
	if p.held {
		p.held = false
		<-p.host.slots
		<-p.partner.places
	}
}

// arrived says that the host answers, whatever the answer is worth.
func (p *pass) arrived(ctx context.Context) {
	p.rest()
	p.partner.mu.Lock()
	changes := p.answers()
	p.partner.mu.Unlock()
	p.tell(ctx, changes)
}

// answers ends what is known against the host, under the lock.
func (p *pass) answers() (changes []outageChange) {
	wasOpen := p.host.open()
	p.host.works()
	if p.probing == &p.host.outage {
		p.host.end()
		p.probing = nil
	}
	if wasOpen {
		changes = append(changes, p.change(nil, true, true))
	}
	if t := p.host.trouble; t != nil && t.isTransport {
		changes = append(changes, p.change(nil, false, true))
		p.host.trouble = nil
	}
	return changes
}

func (p *pass) change(err error, isBreaker, over bool) outageChange {
	c := outageChange{host: p.host.label, partner: p.partner.name, isBreaker: isBreaker, over: over, err: err}
	if t := p.host.trouble; t != nil {
		c.since, c.refused = t.since, t.refused
	}
	return c
}

func (p *pass) tell(ctx context.Context, changes []outageChange) {
	for _, c := range changes {
		p.partner.gate.tell(ctx, c)
	}
}

// leave gives the place back and says how it went. Only what the network or the responder
// itself failed at counts against them; an answer that is wrong is looked at elsewhere.
func (p *pass) leave(ctx context.Context, err error, retryAfter time.Duration) {
	defer p.rest() // when the failure is known: who gets the place looks at that
	p.partner.mu.Lock()
	var changes []outageChange
	if ctx.Err() == nil && !errors.Is(err, context.Canceled) && !isOurs(err) { // else it says nothing about the host
		changes = p.settle(p.partner.gate.now(), err, retryAfter)
	}
	p.exit()
	p.partner.mu.Unlock()
	p.tell(ctx, changes)
}

func (p *pass) settle(now time.Time, err error, retryAfter time.Duration) (changes []outageChange) {
	h, g := p.host, p.partner.gate
	if !isTransportFailure(err) {
		changes = p.answers()
	}
	if !wantsBackOff(err) {
		failed := p.path.failures > 0
		p.path.works()
		if failed && h.trouble != nil {
			changes = append(changes, p.change(nil, false, true))
			h.trouble = nil
		}
		return changes
	}
	if h.trouble == nil {
		h.trouble = &trouble{since: now}
		changes = append(changes, p.change(err, false, false))
	}
	if isTransportFailure(err) {
		h.trouble.isTransport = true
		if h.fail(p.hostRound, now) && h.open() {
			h.until = now.Add(g.pause(h.label, h.failures-breakerOpensAfter+1))
			if h.failures == breakerOpensAfter {
				changes = append(changes, p.change(err, true, false))
			}
		}
	}
	if p.path.fail(p.pathRound, now) {
		p.path.until = now.Add(max(g.pause(p.address, p.path.failures), min(retryAfter, backOffMost)))
	}
	return changes
}

// exit undoes admit, under the lock.
func (p *pass) exit() {
	p.host.inside--
	if p.probing != nil {
		p.probing.end()
		p.probing = nil
	}
}

// abandon gives back a place that was never had.
func (p *pass) abandon() {
	p.partner.mu.Lock()
	defer p.partner.mu.Unlock()
	p.exit()
}

// hostOf is the host and port that a breaker is for.
func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "", ErrBlockedURL
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Hostname()) + ":" + port, nil
}

// forgetHost makes room for one more host.
func (p *partner) forgetHost(now time.Time) {
	if len(p.hosts) < maxHosts {
		return
	}
	victim := ""
	for name, h := range p.hosts {
		if h.inside > 0 {
			continue
		}
		victim = name
		if h.failures == 0 || !resting(h.until, now) {
			break
		}
	}
	delete(p.hosts, victim)
}

// forgetPath makes room for one more URL.
func (p *partner) forgetPath(now time.Time) {
	if len(p.paths) < maxHosts {
		return
	}
	victim := ""
	for address, o := range p.paths {
		if o.probe != nil {
			continue
		}
		victim = address
		if o.failures == 0 || !resting(o.until, now) {
			break
		}
	}
	delete(p.paths, victim)
}
