package revocation

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/fetch"
)

const (
	maxFetches        = 8    // at once, for one partner
	maxFetchesPerHost = 4    // of these, at one host
	maxFetchQueue     = 1024 // of one partner
	maxEndpoints      = 2048 // hosts and URLs remembered of one partner
)

// gate bounds how much is fetched at once for one partner, and pauses requests to failing hosts. The
// gates of two partners share nothing, so that none can use up the resources of another. Failures of a
// host are also recorded per partner: a partner can write the URL of a responder that is not its own
// into its certificates, and that responder's answers to questions that do not concern it say nothing
// about its state.
type gate struct {
	now  func() time.Time
	seed maphash.Seed
	// tell is called without holding a lock when an outage begins and ends.
	tell func(context.Context, Event)

	queue, places chan struct{}

	mu    sync.Mutex
	known map[string]*endpoint
}

func newGate(now func() time.Time, tell func(context.Context, Event)) *gate {
	return &gate{
		now: now, seed: maphash.MakeSeed(), tell: tell, known: map[string]*endpoint{},
		queue: make(chan struct{}, maxFetchQueue), places: make(chan struct{}, maxFetches),
	}
}

// refused counts a caller that was refused for lack of evidence from one of these URLs, once for each host.
func (g *gate) refused(urls ...string) {
	hosts := map[string]struct{}{}
	for _, address := range urls {
		hosts[hostKey(address)] = struct{}{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for host := range hosts {
		if h := g.known[host]; h != nil && h.told != nil {
			h.told.Refused++
		}
	}
}

// openBreakers returns the hosts that are not contacted at present because of repeated failures.
func (g *gate) openBreakers() (names []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.known {
		if e.isOpen() {
			names = append(names, e.label)
		}
	}
	return names
}

// endPauses permits one request to every paused host now; if it is answered, others may follow.
// The failure of a fetch that is already running does not count afterwards.
func (g *gate) endPauses() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, e := range g.known {
		if e.isOpen() {
			e.failures = breakerOpensAfter - 1
		}
		e.until = time.Time{}
		e.round++
	}
}

// pass is the permission to fetch from one URL. It ends with leave.
type pass struct {
	gate       *gate
	host, path *endpoint
	probing    *endpoint // what it tries again after a pause, nil if nothing

	hostRound, pathRound int
}

// enter waits for a free place until ctx ends, and refuses at once if the host is paused. When a
// pause is over, one caller contacts the host. Until it has an answer the others wait, or are
// refused if the host has failed many times in a row. After the fetch call leave.
//
// The error is a pausedError if the host is paused, [ErrTimeout] together with the error of ctx if
// that ended, and [ErrOverloaded] if too many callers wait.
func (g *gate) enter(ctx context.Context, address string) (*pass, error) {
	for {
		p, probe, err := g.admit(address)
		switch {
		case err != nil:
			return nil, err
		case probe != nil:
			select {
			case <-probe:
				continue
			case <-ctx.Done():
				return nil, fmt.Errorf("%w: %s is being tried again: %w", ErrTimeout, hostOf(address), ctx.Err())
			}
		}
		if err := p.takePlace(ctx); err != nil {
			p.gate.mu.Lock()
			p.forgo()
			p.gate.mu.Unlock()
			return nil, err
		}
		return p, nil
	}
}

// admit returns a pass, or a channel that is closed when another caller's probe has ended.
func (g *gate) admit(address string) (*pass, <-chan struct{}, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	h := g.use(hostKey(address), hostOf(address))
	if h.slots == nil {
		h.slots = make(chan struct{}, maxFetchesPerHost)
	}
	path := g.use(address, address)
	p := &pass{gate: g, host: h, path: path, hostRound: h.round, pathRound: path.round}
	switch failing := p.failing(); {
	case failing == nil:
		return p, nil, nil
	case failing.isResting(now), failing.probe != nil && h.isOpen():
		p.forgo()
		return nil, nil, p.refusal(failing)
	case failing.probe != nil:
		p.forgo()
		return nil, failing.probe, nil
	default:
		failing.probe = make(chan struct{})
		p.probing = failing
		return p, nil, nil
	}
}

// use finds or makes an endpoint, which is not forgotten before the pass ends.
func (g *gate) use(key, label string) *endpoint {
	e := g.known[key]
	if e == nil {
		if len(g.known) >= maxEndpoints {
			g.forgetOne()
		}
		e = &endpoint{label: label}
		g.known[key] = e
	}
	e.users++
	return e
}

// forgo ends the use of the endpoints and the probe, if this is one. The mutex is held.
func (p *pass) forgo() {
	p.host.users--
	p.path.users--
	if p.probing != nil {
		close(p.probing.probe)
		p.probing.probe = nil
	}
}

// failing returns the host if it has failed many times in a row, or else the URL if it fails.
func (p *pass) failing() *endpoint {
	switch {
	case p.host.isOpen():
		return p.host
	case p.path.failures > 0:
		return p.path
	}
	return nil
}

func (p *pass) refusal(failing *endpoint) error {
	since := failing.since.UTC().Format(time.RFC3339)
	return &pausedError{fmt.Errorf("%w: %s: failing since %s, %d in a row", ErrBreakerOpen, p.host.label, since, failing.failures), failing.until}
}

// stillAdmitted checks again after the wait for a place.
func (p *pass) stillAdmitted() error {
	if p.probing != nil {
		return nil
	}
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if failing := p.failing(); failing != nil && failing.isResting(p.gate.now()) {
		return p.refusal(failing)
	}
	return nil
}

// takePlace waits for a place at the host and then for one of the partner, so that a fetch waiting
// for a slow host holds no place that another host could use. The host may have failed meanwhile.
func (p *pass) takePlace(ctx context.Context) error {
	select {
	case p.gate.queue <- struct{}{}:
		defer func() { <-p.gate.queue }()
	default:
		return fmt.Errorf("%w: %d wait", ErrOverloaded, maxFetchQueue)
	}
	if err := take(ctx, p.host.slots); err != nil {
		return err
	}
	if err := take(ctx, p.gate.places); err != nil {
		<-p.host.slots
		return err
	}
	err := p.stillAdmitted()
	if err != nil {
		p.givePlace()
	}
	return err
}

func (p *pass) givePlace() {
	<-p.host.slots
	<-p.gate.places
}

// take waits for a place until ctx ends.
func take(ctx context.Context, places chan struct{}) error {
	select {
	case places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for others: %w", ErrTimeout, ctx.Err())
	}
}

// leave returns the place and records the result of the fetch. Only failures of the network or of
// the responder itself count against the host; evidence that does not verify is handled elsewhere.
func (p *pass) leave(ctx context.Context, err error) {
	p.gate.mu.Lock()
	var change *Event
	if ctx.Err() == nil && !errors.Is(err, context.Canceled) && !isOurs(err) { // else it says nothing about the host
		change = p.settle(p.gate.now(), err)
	}
	p.forgo()
	p.gate.mu.Unlock()
	p.givePlace() // after settle: the fetch that gets the place checks the failures
	if change != nil {
		p.gate.tell(ctx, *change)
	}
}

// settle returns the beginning or the end of an outage.
func (p *pass) settle(now time.Time, err error) (change *Event) {
	h, g := p.host, p.gate
	if !isNetwork(err) {
		h.works()
	}
	if !countsAgainstHost(err) {
		if h.told != nil && (h.byNetwork || p.path.failures > 0) { // or another URL of the host fails, and this one never has
			change, h.told, h.byNetwork = h.told, nil, false
			change.Time, change.Over, change.Err = now, true, nil
		}
		p.path.works()
		return change
	}
	if h.told == nil {
		h.told = &Event{Time: now, Host: h.label, Since: now, Err: err}
		change = new(*h.told)
	}
	if isNetwork(err) {
		h.byNetwork = true
		if h.fail(p.hostRound, now) && h.isOpen() {
			h.until = now.Add(g.pause(h, h.failures-breakerOpensAfter+1))
		}
	}
	if p.path.fail(p.pathRound, now) {
		status, _ := errors.AsType[fetch.HTTPStatusError](err)
		p.path.until = now.Add(max(g.pause(p.path, p.path.failures), min(status.RetryAfter, mostPause)))
	}
	return change
}

// forgetOne makes room for one more endpoint: of those not in use it drops one that works, or else any.
func (g *gate) forgetOne() {
	victim := ""
	for key, e := range g.known {
		if e.users > 0 {
			continue
		}
		victim = key
		if e.failures == 0 && e.told == nil {
			break
		}
	}
	delete(g.known, victim)
}

// hostKey returns the key of the host of a URL in gate.known. The URL has been read before.
func hostKey(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return "host " + u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// hostOf returns the host and port of a URL, for messages.
func hostOf(address string) string {
	_, host, _ := strings.Cut(hostKey(address), "://")
	return host
}
