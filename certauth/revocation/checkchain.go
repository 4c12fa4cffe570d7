package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// ChainResult is what is known about every certificate of a chain.
type ChainResult struct {
	// Revocation is what a policy decides on.
	Revocation certauth.Revocation
	// Certificates are the findings, leaf first, as many as were judged.
	Certificates []Finding
}

// Finding is what is known about one certificate.
type Finding struct {
	Result Result
	// Err says why the status is Unavailable; nil otherwise.
	Err error
}

// Check is CheckChain with the findings about every certificate, for audit and for tools.
func (c *Checker) Check(ctx context.Context, chain []*x509.Certificate) (ChainResult, error) {
	var judged [maxDepth]judgement
	n, err := c.judgeChain(ctx, chain, &judged)
	if err != nil {
		return ChainResult{}, err
	}
	revocation, err := c.decide(ctx, judged[:n])
	all := ChainResult{Revocation: revocation}
	for _, j := range judged[:n] {
		all.Certificates = append(all.Certificates, Finding{Result: j.result, Err: j.err})
	}
	return all, err
}

// CheckChain implements [certauth.RevocationChecker]. chain is leaf first and anchor last
// and must have verified.
//
// The status is good if every certificate is; waived if a certificate was accepted without
// evidence by the Config; revoked if one is, whatever is known of the others. Else the
// error says for which certificate there is no evidence, and why; it is a *[certauth.Error]
// where one step of the operator's would help. An answer from memory
// takes no lock that a fetch holds and allocates nothing.
func (c *Checker) CheckChain(ctx context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	var judged [maxDepth]judgement
	n, err := c.judgeChain(ctx, chain, &judged)
	if err != nil {
		return certauth.Revocation{}, err
	}
	return c.decide(ctx, judged[:n])
}

const (
	maxDepth     = 10
	maxFlightsOf = 4096 // at once for certificates of one CA, whoever waits
)

// judgement is one certificate on its way to a decision.
type judgement struct {
	record *record
	flight *flight
	known  bool // there is an answer already; the flight may bring a better one
	result Result
	err    error
}

// judgeChain judges every certificate in scope. What has to be fetched is fetched side by
// side.
func (c *Checker) judgeChain(ctx context.Context, chain []*x509.Certificate, judged *[maxDepth]judgement) (int, error) {
	if !c.isMade() {
		return 0, ErrClosed
	}
	n := c.inScope(chain)
	switch {
	case len(chain) == 0:
		return 0, fmt.Errorf("%w: empty chain", ErrArgument)
	case n > maxDepth:
		return 0, fmt.Errorf("%w: chain of %d certificates", ErrLimits, len(chain))
	}
	for _, cert := range chain {
		if cert == nil || len(cert.Raw) == 0 {
			return 0, fmt.Errorf("%w: nil certificate in the chain", ErrArgument)
		}
	}
	if n == 0 { // a certificate that is its own anchor: nobody above it could revoke it
		judged[0].err = ErrNoSource
		return 1, nil
	}
	if c.local.isUnread() {
		c.judgeUnread(ctx, chain, judged[:n])
		return n, nil
	}
	moment := ctx
	if reading := c.local.look(c.config.Now()); reading != nil {
		var cancel, over context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.config.MaxWait)
		defer cancel()
		moment, over = context.WithTimeout(ctx, min(aMoment, c.config.MaxWait/2)) // one for all that could be news
		defer over()
		c.local.waitAMoment(moment, reading)
	}
	c.judgeAll(ctx, moment, chain, judged[:n])
	return n, nil
}

// judgeAll waits until moment ends for what may be news, and until ctx ends for what is
// needed.
func (c *Checker) judgeAll(ctx, moment context.Context, chain []*x509.Certificate, judged []judgement) {
	now := c.config.Now()
	for i := range judged {
		j := &judged[i]
		if j.record, j.err = c.recordOf(chain[i], chain[i+1:], now); j.err == nil {
			c.meetPresented(ctx, j.record.authority, chain[i+1:])
			c.start(j, now)
		}
	}
	c.awaitAll(ctx, moment, judged)
}

// awaitAll waits once for all of them.
func (c *Checker) awaitAll(ctx, moment context.Context, judged []judgement) {
	under := false
	for i := range judged {
		under = under || judged[i].flight != nil
	}
	if !under {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait)
	defer cancel()
	moment, over := context.WithTimeout(moment, c.config.MaxWait)
	defer over()
	for i := range judged {
		if judged[i].flight != nil {
			c.await(ctx, moment, &judged[i])
		}
	}
}

// judgeUnread is for requests that come before the operator's lists have been read. It
// waits for them. If they are not there in time, nothing is good that they may call
// revoked; what other sources say against a certificate counts all the same.
func (c *Checker) judgeUnread(ctx context.Context, chain []*x509.Certificate, judged []judgement) {
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait)
	defer cancel()
	notReady := c.local.firstReading(ctx, c.config.MaxWait/2)
	c.judgeAll(ctx, ctx, chain, judged)
	if notReady == nil {
		return
	}
	for i := range judged {
		j := &judged[i]
		if j.record == nil || j.record.exempt != "" || j.result.Status == Revoked {
			continue
		}
		if j.record.sources != OCSPOnly && c.local.serves(j.record.authority) {
			j.result, j.err = Result{StaleRevoked: j.result.StaleRevoked}, errors.Join(notReady, j.err)
		}
	}
}

// inScope is how many certificates of the chain are judged.
func (c *Checker) inScope(chain []*x509.Certificate) int {
	if c.config.Scope == LeafOnly {
		return min(len(chain)-1, 1)
	}
	return len(chain) - 1
}

// recordOf finds or makes what is remembered of a certificate. above is the rest of its chain,
// the issuer first.
func (c *Checker) recordOf(cert *x509.Certificate, above []*x509.Certificate, now time.Time) (*record, error) {
	issuer := above[0]
	if known := c.table.find(cert, issuer); known != nil {
		known.authority.meet(issuer)
		if len(above) > 1 {
			c.meetKin(known.authority, above)
		}
		return known, nil
	}
	fresh, err := c.newRecord(cert, above)
	if err != nil {
		return nil, err
	}
	return c.table.add(fresh, cert, issuer, now), nil
}

// start answers from memory, or sets off what is needed for an answer.
func (c *Checker) start(j *judgement, now time.Time) {
	r := j.record
	r.touch(now.Unix())
	var settled, refresh bool
	j.result, settled, refresh, j.err = c.judge(r, now)
	if settled {
		c.stats.remembered.Add(1)
		if !refresh {
			return
		}
		if under := c.refresh(r); under != nil && r.overdue(&j.result, now) {
			j.flight, j.known = under, true
		}
		return
	}
	j.flight = c.crew.join(&r.mu, &r.flight, func(ctx context.Context) error {
		defer r.authority.flights.Add(-1)
		if r.authority.flights.Add(1) > maxFlightsOf { // each outlives the request that it was begun for
			return fmt.Errorf("%w: for certificates of one CA", ErrOverloaded)
		}
		return c.obtain(ctx, r)
	})
	if j.flight == nil && j.result.Status == Unavailable {
		j.err = ErrClosed
	}
}

// await waits for the flight and judges again. Whatever verified evidence there is by then
// counts, also if the preferred source has not answered.
func (c *Checker) await(ctx, moment context.Context, j *judgement) {
	if j.known {
		j.flight.waitAMoment(moment)
		j.result, _, _, j.err = c.judge(j.record, c.config.Now())
		return
	}
	c.stats.waited.Add(1)
	waitErr := j.flight.wait(ctx)
	j.result, _, _, j.err = c.judge(j.record, c.config.Now())
	if j.err != nil && waitErr != nil {
		j.err = waitErr
	}
}

// delegateCheck is how the certificate of a responder is looked up in the CRLs of its CA,
// for [CheckCRL]. OCSP is never asked about it: that would go on for ever.
func (c *Checker) delegateCheck(ctx context.Context, issuer *x509.Certificate) func(*x509.Certificate) (Result, error) {
	if c.config.Verify.Delegate != CheckCRL {
		return nil
	}
	return func(delegate *x509.Certificate) (Result, error) {
		r, err := c.recordOf(delegate, []*x509.Certificate{issuer}, c.config.Now())
		if err != nil {
			return Result{}, err
		}
		if result, err := c.fromLists(r, c.config.Now()); err == nil && !result.Stale {
			return result, nil
		}
		if err := c.obtainLists(ctx, r); err != nil {
			return Result{}, err
		}
		result, err := c.fromLists(r, c.config.Now())
		if err == nil && result.Stale { // StaleGrace is for clients
			return Result{}, ErrNotFresh
		}
		return result, err
	}
}
