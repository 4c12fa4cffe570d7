package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/presented"
)

// ChainResult holds the findings about the certificates of a chain.
type ChainResult struct {
	// Revocation is the value that a policy decides on.
	Revocation certauth.Revocation
	// Certificates are the findings, leaf first, as many as were judged.
	Certificates []Finding
}

// Finding is the result for one certificate.
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
	if known := c.allGood(ctx, chain); known.Status == certauth.RevocationGood {
		return known, nil
	}
	var judged [maxDepth]judgement
	n, err := c.judgeChain(ctx, chain, &judged)
	if err != nil {
		return certauth.Revocation{}, err
	}
	return c.decide(ctx, judged[:n])
}

// allGood is the answer where the verdict on every certificate is Good and holds: a deadline is
// compared for each. Everything else takes more than a look.
func (c *Checker) allGood(ctx context.Context, chain []*x509.Certificate) certauth.Revocation {
	if !c.isMade() || len(chain) < 2 {
		return certauth.Revocation{}
	}
	now := c.config.Now()
	if !c.local.current(now) || presented.Beside(ctx) != nil {
		return certauth.Revocation{}
	}
	var oldest *Result
	n, depth, seconds, generation := c.inScope(chain), 0, now.Unix(), c.generation.Load()
	if n > maxDepth || slices.Contains(chain, nil) {
		return certauth.Revocation{}
	}
	for i, cert := range chain[:n] {
		r := c.table.find(cert, chain[i+1])
		if r == nil || !r.authority.hasMet(chain[i+1:]) {
			return certauth.Revocation{}
		}
		known := r.now()
		if !known.holds(generation, now) || known.verdict.result.Status != Good {
			return certauth.Revocation{}
		}
		r.touch(seconds)
		if good := &known.verdict.result; oldest == nil || good.ThisUpdate.Before(oldest.ThisUpdate) {
			oldest, depth = good, i
		}
	}
	c.stats.remembered.Add(uint64(n)) //nolint:gosec // a length
	return revocationOf(oldest, depth)
}

const maxDepth = 10

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
		return 0, fmt.Errorf("%w: chain of %d certificates", evidence.ErrLimits, len(chain))
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
			if j.record.isOutdated() {
				c.makePlan(j.record)
			}
			c.start(j, now)
		}
	}
	if !slices.ContainsFunc(judged, func(j judgement) bool { return j.flight != nil }) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait) // one for all of them
	defer cancel()
	moment, over := context.WithTimeout(moment, c.config.MaxWait)
	defer over()
	for i := range judged {
		if judged[i].flight != nil {
			c.await(ctx, moment, &judged[i])
		}
	}
}

// judgeUnread is for requests that come before all of the operator's lists have been read. It
// waits for them where none that is there says anything yet. If they are not there in time,
// nothing is good that they may call revoked; what other sources say against a certificate
// counts all the same.
func (c *Checker) judgeUnread(ctx context.Context, chain []*x509.Certificate, judged []judgement) {
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait)
	defer cancel()
	half, over := context.WithTimeout(ctx, c.config.MaxWait/2)
	defer over()
	notReady := c.local.firstReading(half, func() bool { return !c.lacksLists(chain, judged) })
	c.judgeAll(ctx, ctx, chain, judged)
	if notReady == nil {
		return
	}
	for i := range judged {
		j := &judged[i]
		if j.record == nil || j.record.exempt != "" || j.result.Status == Revoked {
			continue
		}
		if c.lacksList(j.record) {
			j.result, j.err = Result{StaleRevoked: j.result.StaleRevoked}, errors.Join(notReady, j.err)
		}
	}
}

// lacksLists reports whether a certificate is waiting for one of the operator's lists.
func (c *Checker) lacksLists(chain []*x509.Certificate, judged []judgement) bool {
	now := c.config.Now()
	for i := range judged {
		if r, err := c.recordOf(chain[i], chain[i+1:], now); err == nil && r.exempt == "" && c.lacksList(r) {
			return true
		}
	}
	return false
}

// lacksList reports whether the operator's lists may say something about a certificate, and
// none that has been read does.
func (c *Checker) lacksList(r *record) bool {
	if r.plan.Load().sources == OCSPOnly || !c.local.serves(r.authority) {
		return false
	}
	terms := c.terms(c.config.Now())
	for _, l := range c.local.view.Load().listsOf(r.authority, &terms) {
		if l == nil {
			continue
		}
		if _, err := l.crl.LookupSubject(&r.who, &terms); err == nil {
			return false
		}
	}
	return true
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
		if known.isOutdated() {
			c.makePlan(known)
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
	v := c.judge(r, now)
	j.result, j.err = v.result, v.err
	if v.settled {
		c.stats.remembered.Add(1)
		j.flight, j.known = c.newer(r, v, now), true
		return
	}
	j.flight = c.asking(r, wanted{})
	if j.flight == nil && (j.result.Status == Unavailable || j.result.Stale) {
		j.result, j.err = Result{StaleRevoked: j.result.StaleRevoked}, ErrClosed
	}
}

// newer sets a refresh off if one is due, and returns it if the news is worth a moment.
func (c *Checker) newer(r *record, v *verdict, now time.Time) *flight {
	if !v.due {
		return nil
	}
	isOverdue := r.now().isOverdue(v, now) // before it changes
	under := c.refresh(r)
	if isOverdue {
		return under
	}
	return nil
}

// await waits for the flight and judges again. Whatever verified evidence there is by then
// counts, also if the preferred source has not answered. What came from a store may be as old
// as what was known, and somebody is asked once more then.
func (c *Checker) await(ctx, moment context.Context, j *judgement) {
	if j.known {
		j.flight.waitAMoment(moment)
		v := c.judge(j.record, c.config.Now())
		j.result, j.err = v.result, v.err
		return
	}
	c.stats.waited.Add(1)
	waitErr := j.flight.wait(ctx)
	now := c.config.Now()
	v := c.judge(j.record, now)
	if v.settled && j.record.now().isOverdue(v, now) {
		c.refresh(j.record).waitAMoment(moment)
		v = c.judge(j.record, c.config.Now())
	}
	j.result, j.err = v.result, v.err
	wasNotAsked := isAny(waitErr, ErrClosed, ErrOverloaded, context.Canceled)
	if v.result.Stale && !v.settled && wasNotAsked { // StaleGrace is for who was asked and did not answer
		j.result, j.err = Result{StaleRevoked: v.result.StaleRevoked}, ErrNotFresh
	}
	if j.err != nil && waitErr != nil {
		j.err = waitErr
	}
}
