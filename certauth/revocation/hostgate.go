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
)

const (
	maxFetches        = 16 // at once, in all
	maxFetchesPerHost = 4
	maxFetchesPerCA   = 8  // over all hosts that its certificates name
	maxFetchQueueOf   = 64 // for one host, so that nobody fills the queue for the others
	maxFetchQueue     = 512
	maxHosts          = 1024 // remembered; who is idle and well is forgotten first

	breakerOpensAfter = 5 // failures in a row
	backOffFirst      = 5 * time.Second
	backOffMost       = 5 * time.Minute
)

// hostGate stands before every fetch. It bounds how many run at once, leaves a responder
// alone for a while after a failure, and a host after several in a row.
type hostGate struct {
	all  chan struct{}
	now  func() time.Time
	seed maphash.Seed
	// changed is told when a breaker opens or closes.
	changed func(ctx context.Context, host string, open bool)

	mu      sync.Mutex
	waiting int
	hosts   map[string]*host
	owners  map[string]*owner // with somebody inside
	paths   map[string]*backOff
}

type host struct {
	label    string // with its port, for people
	slots    chan struct{}
	inside   int
	waiting  int
	failures int // in a row
	until    time.Time
	probing  bool
}

// owner is a CA whose evidence is fetched. It may name as many hosts as it likes, and each
// may take its time.
type owner struct {
	slots   chan struct{}
	inside  int
	waiting int
}

func (h *host) open() bool { return h.failures >= breakerOpensAfter }

func newHostGate(now func() time.Time, changed func(context.Context, string, bool)) *hostGate {
	return &hostGate{
		all: make(chan struct{}, maxFetches), now: now, seed: maphash.MakeSeed(), changed: changed,
		hosts: map[string]*host{}, owners: map[string]*owner{}, paths: map[string]*backOff{},
	}
}

// pass is the right to fetch once.
type pass struct {
	gate  *hostGate
	host  *host
	owner *owner
	of    string // whose evidence it is
	path  string
	probe bool
	held  bool // a place
}

// enter waits for a place within ctx. It refuses at once where the responder is left
// alone.
//
// What is known against a URL is known for one CA, the owner of the evidence: a CA may write
// the URL of another one's responder into its certificates, and what that answers to
// questions that are none of its business says nothing about it. A host is left alone for
// all, since no connection is the same for everybody, but only as far as it is asked by the
// same scheme.
func (g *hostGate) enter(ctx context.Context, owner, address string) (*pass, error) {
	label, err := hostOf(address)
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(address, ":")
	p, err := g.admit(strings.ToLower(scheme)+"://"+label, label, owner, address)
	if err != nil {
		return nil, err
	}
	if err := p.resume(ctx); err != nil {
		p.abandon()
		return nil, err
	}
	return p, nil
}

// resume waits for a place unless the pass has one.
func (p *pass) resume(ctx context.Context) error {
	if p.held {
		return nil
	}
	err := p.gate.queue(ctx, p)
	p.held = err == nil
	return err
}

// rest gives the place back, if there is one, and keeps the rest.
func (p *pass) rest() {
	if p.held {
		p.held = false
		<-p.gate.all
		<-p.host.slots
		<-p.owner.slots
	}
}

// arrived says that the host answers, whatever the answer is worth.
func (p *pass) arrived(ctx context.Context) {
	p.rest()
	g := p.gate
	g.mu.Lock()
	was := p.host.open()
	p.host.failures, p.host.until = 0, time.Time{}
	if p.probe {
		p.host.probing, p.probe = false, false
	}
	g.mu.Unlock()
	if was {
		g.changed(ctx, p.host.label, false)
	}
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

func (g *hostGate) admit(name, label, of, address string) (*pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	h := g.hosts[name]
	if h == nil {
		g.forget(now)
		h = &host{label: label, slots: make(chan struct{}, maxFetchesPerHost)}
		g.hosts[name] = h
	}
	p := &pass{gate: g, host: h, of: of, path: of + "\n" + address}
	if h.open() {
		o := g.owners[of]
		if h.probing || h.resting(now) || o != nil && len(o.slots) == cap(o.slots) { // who has no place probes nothing
			return nil, fmt.Errorf("%w: %d failures in a row", ErrBreakerOpen, h.failures)
		}
		h.probing, p.probe = true, true
	} else if b := g.paths[p.path]; b != nil && resting(b.until, now) {
		return nil, fmt.Errorf("%w: backing off", ErrBreakerOpen)
	}
	h.inside++
	if p.owner = g.owners[of]; p.owner == nil {
		p.owner = &owner{slots: make(chan struct{}, maxFetchesPerCA)}
		g.owners[of] = p.owner
	}
	p.owner.inside++
	return p, nil
}

// exit undoes admit, under the lock.
func (p *pass) exit() {
	p.host.inside--
	if p.owner.inside--; p.owner.inside == 0 {
		delete(p.gate.owners, p.of)
	}
	if p.probe {
		p.host.probing = false
	}
}

// queue takes the place of the CA first: who waits for it keeps no host from others.
func (g *hostGate) queue(ctx context.Context, p *pass) error {
	taken := []chan struct{}{p.owner.slots, p.host.slots, g.all}
	for i, slots := range taken {
		select {
		case slots <- struct{}{}:
			continue
		default:
		}
		if err := g.wait(ctx, p, slots); err != nil {
			for _, held := range taken[:i] {
				<-held
			}
			return err
		}
	}
	return nil
}

// wait counts who waits for the place of its CA for that alone: it keeps nobody else waiting.
func (g *hostGate) wait(ctx context.Context, p *pass, slots chan struct{}) error {
	counters := []*int{&p.owner.waiting}
	if slots != p.owner.slots {
		counters = append(counters, &p.host.waiting, &g.waiting)
	}
	g.mu.Lock()
	full := p.owner.waiting >= maxFetchQueueOf || len(counters) > 1 && (p.host.waiting >= maxFetchQueueOf || g.waiting >= maxFetchQueue)
	all, own := g.waiting, max(p.owner.waiting, p.host.waiting)
	for _, n := range counters {
		if !full {
			*n++
		}
	}
	g.mu.Unlock()
	if full {
		return fmt.Errorf("%w: %d wait, %d of them for this host", ErrOverloaded, all, own)
	}
	defer func() {
		g.mu.Lock()
		for _, n := range counters {
			*n--
		}
		g.mu.Unlock()
	}()
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: waiting for other fetches: %w", ErrTimeout, ctx.Err())
	}
}

// leave gives the place back and says how it went. Only what the network or the responder
// itself failed at counts against them; an answer that is wrong is looked at elsewhere.
func (p *pass) leave(ctx context.Context, err error, retryAfter time.Duration) {
	p.rest()
	g := p.gate
	g.mu.Lock()
	was := p.host.open()
	if ctx.Err() != nil { // cut off by us, which says nothing about the host: a Fetcher has a deadline of its own
		p.exit()
	} else {
		p.settle(g.now(), err, retryAfter)
	}
	is := p.host.open()
	g.mu.Unlock()
	if was != is {
		g.changed(ctx, p.host.label, is)
	}
}

func (p *pass) settle(now time.Time, err error, retryAfter time.Duration) {
	h := p.host
	p.exit()
	if errors.Is(err, context.Canceled) || wasNotSent(err) { // says nothing about the host
		return
	}
	switch {
	case isTransportFailure(err):
		h.failures++
		if h.open() {
			h.until = now.Add(p.gate.pause(h.label, h.failures-breakerOpensAfter+1))
		}
	default:
		h.failures, h.until = 0, time.Time{}
	}
	if !wantsBackOff(err) {
		delete(p.gate.paths, p.path)
		return
	}
	b := p.gate.paths[p.path]
	if b == nil {
		b = &backOff{}
		p.gate.forgetPaths(now)
		p.gate.paths[p.path] = b
	}
	b.failures++
	b.until = now.Add(max(p.gate.pause(p.path, b.failures), min(retryAfter, backOffMost)))
}

// abandon gives back a place that was never had.
func (p *pass) abandon() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.exit()
}

// wasNotSent reports whether the fetch was refused on our side.
func wasNotSent(err error) bool {
	return errors.Is(err, ErrBlockedURL) || errors.Is(err, ErrBlockedAddress) || errors.Is(err, ErrArgument)
}
