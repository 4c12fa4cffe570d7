package revocation

import (
	"context"
	"crypto/x509"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// trackedChain is a chain whose records have been looked up.
type trackedChain struct {
	checker *Checker
	chain   []*x509.Certificate
	records []*record
}

// TrackChain implements [certauth.RevocationTracker]: it spares the look-up of the chain's
// certificates on every request. What is known about them is looked at every time.
func (c *Checker) TrackChain(chain []*x509.Certificate) certauth.TrackedChain {
	t := &trackedChain{checker: c, chain: chain}
	if !c.isMade() {
		return t
	}
	n := c.inScope(chain)
	if n < 1 || n > maxDepth {
		return t
	}
	now := c.config.Now()
	for _, cert := range chain {
		if cert == nil || len(cert.Raw) == 0 {
			return t
		}
	}
	for i := range n {
		r, err := c.recordOf(chain[i], chain[i+1:], nil, now)
		if err != nil {
			t.records = nil
			return t
		}
		t.records = append(t.records, r)
	}
	return t
}

// CheckTracked implements [certauth.TrackedChain]. It answers as CheckChain does. While the
// verdicts on all certificates hold it compares one deadline for each and allocates nothing.
func (t *trackedChain) CheckTracked(ctx context.Context, now time.Time) (certauth.Revocation, error) {
	c := t.checker
	if len(t.records) == 0 || !c.local.current(now) {
		return c.CheckChain(ctx, t.chain)
	}
	var oldest *Result
	depth, seconds, generation := 0, now.Unix(), c.generation.Load()
	for i, r := range t.records {
		known := r.now()
		if !known.holds(generation, now) || known.verdict.result.Status != Good || r.evicted.Load() {
			return c.CheckChain(ctx, t.chain)
		}
		r.touch(seconds)
		if good := &known.verdict.result; oldest == nil || good.ThisUpdate.Before(oldest.ThisUpdate) {
			oldest, depth = good, i
		}
	}
	c.stats.remembered.Add(uint64(len(t.records)))
	return revocationOf(oldest, depth), nil
}
