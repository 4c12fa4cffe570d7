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

// ChainResult holds the results for the certificates of a chain.
type ChainResult struct {
	// Revocation is the result for the chain, on which a policy decides.
	Revocation certauth.Revocation
	// Certificates are the results for the certificates that were checked, leaf first.
	Certificates []Finding
}

// Finding is the result for one certificate.
type Finding struct {
	Result Result
	// Err says why the status is Unavailable; nil otherwise.
	Err error
}

// Check is CheckChain with the results for every certificate, for audit and for tools.
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

// CheckChain implements [certauth.RevocationChecker]. chain begins with the leaf and ends with
// the anchor, and must have been verified.
//
// The status is good if every certificate is good; waived if the Config accepted a certificate
// without evidence; and revoked if one is revoked, whatever the status of the others. Otherwise
// the error says for which certificate there is no evidence, and why; it is a *[certauth.Error]
// if a single step of the operator would help. An answer from memory takes no lock that a fetch
// holds and does not allocate.
func (c *Checker) CheckChain(ctx context.Context, chain []*x509.Certificate) (certauth.Revocation, error) {
	var judged [maxDepth]judgement
	n, err := c.judgeChain(ctx, chain, &judged)
	if err != nil {
		return certauth.Revocation{}, err
	}
	return c.decide(ctx, judged[:n])
}

const maxDepth = 10

// judgement is one certificate on its way to a decision.
type judgement struct {
	record *record
	flight *flight // that is worth waiting for; if the verdict is settled, it may improve it
	*verdict
}

// judgeChain judges every certificate in scope, with concurrent fetches.
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
	case slices.ContainsFunc(chain, func(cert *x509.Certificate) bool { return cert == nil || len(cert.Raw) == 0 }):
		return 0, fmt.Errorf("%w: nil certificate in the chain", ErrArgument)
	case n == 0: // the certificate is its own anchor, so no CA above could revoke it
		judged[0].verdict = &verdict{err: ErrNoSource}
		return 1, nil
	}
	now, beside := c.config.Now(), presented.Beside(ctx)
	c.table.find(chain, judged[:n])
	for i := range judged[:n] {
		c.recordOf(&judged[i], chain[i], chain[i+1:], now)
		if r := judged[i].record; r != nil {
			c.findPresentedSigners(r.authority, beside, chain[i+1:])
		}
	}
	brief, reading := ctx, c.local.look(ctx, now)
	if c.local.isUnread() {
		c.judgeUnread(ctx, judged[:n])
		return n, nil
	}
	if reading != nil {
		var cancel, over context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.config.MaxWait)
		defer cancel()
		brief, over = context.WithTimeout(ctx, min(briefWait, c.config.MaxWait/2)) // one timeout for all refreshes
		defer over()
		c.local.waitBriefly(brief, reading)
		now = c.config.Now()
	}
	c.judgeAll(ctx, brief, judged[:n], now)
	return n, nil
}

// judgeAll waits for refreshes until brief ends, and for required evidence until ctx ends.
func (c *Checker) judgeAll(ctx, brief context.Context, judged []judgement, now time.Time) {
	generation, remembered, waits := c.generation.Load(), uint64(0), false
	for i := range judged {
		j := &judged[i]
		if j.record == nil {
			continue
		}
		c.start(j, now)
		if j.settled {
			remembered++
		}
		waits = waits || j.flight != nil
	}
	c.stats.remembered.Add(remembered)
	if !waits {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait) // one for all of them
	defer cancel()
	brief, over := context.WithTimeout(brief, c.config.MaxWait)
	defer over()
	for i := range slices.Backward(judged) { // what revokes the signer of a list comes before the list
		j := &judged[i]
		if j.record != nil && j.flight == nil && c.generation.Load() != generation {
			c.start(j, c.config.Now())
		}
		if j.flight != nil {
			c.await(ctx, brief, j)
		}
	}
}

// judgeUnread handles requests that arrive before all of the operator's lists have been read. If no
// list in memory covers a certificate, it waits for them. If they are not available in time,
// no certificate that they might call revoked is good; statements of other sources against a
// certificate are used in any case.
func (c *Checker) judgeUnread(ctx context.Context, judged []judgement) {
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait)
	defer cancel()
	half, over := context.WithTimeout(ctx, c.config.MaxWait/2)
	defer over()
	var notReady error
	if slices.ContainsFunc(judged, c.mayBeListed) {
		notReady = c.local.firstReading(half, func() bool { return !slices.ContainsFunc(judged, c.lacksList) })
	}
	c.judgeAll(ctx, ctx, judged, c.config.Now())
	if notReady == nil {
		return
	}
	for i := range judged {
		j := &judged[i]
		if j.result.Status != Revoked && c.lacksList(*j) {
			j.verdict = &verdict{result: Result{StaleRevoked: j.result.StaleRevoked}, err: errors.Join(notReady, j.err)}
		}
	}
}

// mayBeListed reports whether the operator's lists may say something about a certificate.
func (c *Checker) mayBeListed(j judgement) bool {
	return j.record != nil && j.record.exempt == "" && c.config.Sources != OCSPOnly && c.local.serves(j.record.authority)
}

// lacksList reports whether the operator's lists may say something about a certificate, and
// none that has been read does.
func (c *Checker) lacksList(j judgement) bool {
	if !c.mayBeListed(j) {
		return false
	}
	terms, a := c.terms(c.config.Now()), j.record.authority
	lacks := func(a *authority, who *evidence.Subject, but []listSigner) bool {
		return !slices.ContainsFunc(c.local.view.Load().listsOf(a, &terms), func(l *loadedList) bool {
			if l.crl.Covers(who) != nil || l.isByAny(but) {
				return false
			}
			_, err := l.crl.LookupSubject(who, &terms)
			return err == nil
		})
	}
	silent := slices.DeleteFunc(slices.Clone(a.otherSigners()), func(k listSigner) bool { // what is not there yet may revoke the signer
		return !c.isRevoked(k, &terms) && (k.by == nil || !c.local.serves(k.by) || !lacks(k.by, &k.who, nil))
	})
	return lacks(a, &j.record.who, silent)
}

// inScope returns how many certificates of the chain are checked.
func (c *Checker) inScope(chain []*x509.Certificate) int {
	if c.config.Scope == LeafOnly {
		return min(len(chain)-1, 1)
	}
	return len(chain) - 1
}

// recordOf makes the record of a certificate unless it was found, and notes what this chain says about the
// CA. above is the chain from the issuer on.
func (c *Checker) recordOf(j *judgement, cert *x509.Certificate, above []*x509.Certificate, now time.Time) {
	issuer := above[0]
	if j.record == nil {
		fresh, err := c.newRecord(cert, above)
		if err != nil {
			j.verdict = &verdict{err: err}
			return
		}
		j.record = c.table.add(fresh, cert, issuer)
	}
	a := j.record.authority
	a.meet(issuer)
	if !a.hasSeen(above, now) {
		c.findSigners(a, above)
	}
}

// start answers from memory, or starts what is needed for an answer.
func (c *Checker) start(j *judgement, now time.Time) {
	r := j.record
	r.touch(now.Unix())
	j.verdict = c.judge(r, now)
	if !j.settled {
		j.flight = c.asking(r, wanted{})
		return
	}
	if j.due {
		isOverdue := r.state.Load().isOverdue(j.verdict, now) // before the refresh changes it
		if renewal := c.refresh(r); isOverdue {
			j.flight = renewal
		}
	}
}

// await waits for the flight and judges again. It uses all verified evidence that is available by
// then, even if the preferred source has not answered. Evidence from a store may be as old as the
// known evidence; in that case the sources are asked once more.
func (c *Checker) await(ctx, brief context.Context, j *judgement) {
	if j.settled {
		j.flight.waitBriefly(brief)
		j.verdict = c.judge(j.record, c.config.Now())
		return
	}
	c.stats.waited.Add(1)
	waitErr := j.flight.wait(ctx)
	now := c.config.Now()
	j.verdict = c.judge(j.record, now)
	if j.settled && j.record.state.Load().isOverdue(j.verdict, now) {
		c.refresh(j.record).waitBriefly(brief)
		j.verdict = c.judge(j.record, c.config.Now())
	}
	wasNotAsked := isAny(waitErr, ErrClosed, ErrOverloaded, context.Canceled)
	if j.result.Stale && !j.settled && wasNotAsked { // StaleGrace applies only if a source was asked and did not answer
		j.verdict = &verdict{err: ErrNotFresh}
	}
	if j.err != nil && waitErr != nil {
		j.verdict = &verdict{result: j.result, err: waitErr}
	}
}
