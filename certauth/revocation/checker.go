package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth"
)

// Checker finds out whether certificates of verified chains are revoked, remembers that,
// and keeps it fresh. It is what [certauth.NotRevoked] takes. Make it with [New], once for
// the program, and share it between Authenticators; it is safe for concurrent use. Its zero
// value, and nil, have no evidence for any certificate.
//
// The chains it is given must have verified. It then asks, in the order of Config.Sources,
// the operator's responders and lists and those that the certificates name, verifies every
// answer by [VerifyOCSP] and [ParseCRL], and keeps it no longer than it says itself. One
// fetch serves all who wait for the same answer, and none of them cancels it. Evidence is
// renewed before it runs out, while requests are answered from what is known. What is
// known to be revoked stays revoked.
//
// What must be true of your infrastructure: the service reaches the responders and
// distribution points of its partners' CAs by plain HTTP, at public addresses unless
// Config.HTTP allows others; OCSP tells the CA which client is being checked, and when. A
// revocation takes effect within an hour of the CA's answer by OCSP and six hours of its
// CRL; for who comes back after a longer time with the first request, if the CA answers
// within a second.
type Checker struct {
	config      Config
	skew        time.Duration
	fetcher     Fetcher
	ownFetcher  *HTTPFetcher // closed with the Checker
	gate        *hostGate
	crew        *crew
	table       *table
	authorities authorities
	remote      remoteLists
	local       *localLists
	hashes      *certIDHashes
	building    chan struct{}
	refreshing  atomic.Int64
	numbers     atomic.Uint64 // of lists and views
	stats       counters
}

// New checks the Config, all of it, and returns a Checker. It opens no file and no socket;
// see [Checker.Preload]. Only Config.Sweep starts a worker. Close it when it is not needed
// any more.
func New(config Config) (*Checker, error) {
	config, err := config.withDefaults()
	c := &Checker{
		config: config, skew: config.Verify.skew(), fetcher: config.Fetcher, building: make(chan struct{}, 1),
	}
	if config.Fetcher == nil {
		var fetcherErr error
		if c.ownFetcher, fetcherErr = NewHTTPFetcher(config.HTTP); fetcherErr != nil {
			err = errors.Join(err, fmt.Errorf("HTTP: %w", fetcherErr))
		}
		c.fetcher = c.ownFetcher
	}
	if err != nil {
		return nil, fmt.Errorf("revocation: Config: %w", err)
	}
	c.gate, c.crew, c.table = newHostGate(config.Now, c.breakerChanged), newCrew(), newTable(config.MaxRecords)
	c.hashes = newCertIDHashes(config.CertIDHash)
	c.local = newLocalLists(c)
	if config.Sweep > 0 {
		c.crew.run(c.sweep, func(error) {})
	}
	return c, nil
}

// isMade tells what New has returned from the zero value and nil.
func (c *Checker) isMade() bool { return c != nil && c.table != nil }

// Close stops all fetches and workers and waits for them. After that only what is
// remembered is answered; the rest is ErrClosed.
func (c *Checker) Close() error {
	if !c.isMade() {
		return nil
	}
	c.crew.close()
	if c.ownFetcher != nil {
		return c.ownFetcher.Close()
	}
	return nil
}

// Preload reads Config.Lists, and CRLs at further URLs, before the first request needs
// them. The URLs count as if they stood in Config.Lists, now and later; the CAs that sign
// them must stand in Config.Issuers. It returns what could not be read, within ctx.
func (c *Checker) Preload(ctx context.Context, crlURLs ...string) error {
	if !c.isMade() || c.crew.isClosed() {
		return ErrClosed
	}
	var mistakes error
	for _, url := range crlURLs {
		if _, err := checkURL(url, true, nil); err != nil {
			mistakes = errors.Join(mistakes, err)
		}
	}
	if len(crlURLs) > 0 && len(c.config.Issuers) == 0 {
		mistakes = errors.Join(mistakes, errors.New("revocation: Preload needs Config.Issuers, the CAs that sign the lists"))
	}
	if mistakes != nil {
		return mistakes
	}
	c.local.add(crlURLs)
	err := c.local.load(ctx, flightLimit)
	for _, url := range crlURLs {
		if err == nil && !c.local.holds(url) { // a reading that began before they were added
			err = c.local.load(ctx, flightLimit)
		}
	}
	return err
}

// Ready is nil when every list of Config.Lists and Preload is in memory and has not run
// out: for a start-up or readiness probe. It reads nothing itself.
func (c *Checker) Ready() error {
	if !c.isMade() || c.crew.isClosed() {
		return ErrClosed
	}
	return c.local.ready(c.config.Now())
}

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
// error says for which certificate there is no evidence, and why. An answer from memory
// takes no lock that a fetch holds and allocates nothing.
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
	c.local.look(c.config.Now())
	c.judgeAll(ctx, chain, judged[:n])
	return n, nil
}

func (c *Checker) judgeAll(ctx context.Context, chain []*x509.Certificate, judged []judgement) {
	now := c.config.Now()
	for i := range judged {
		j := &judged[i]
		if j.record, j.err = c.recordOf(chain[i], chain[i+1], now); j.err == nil {
			c.start(j, now)
		}
	}
	c.awaitAll(ctx, judged)
}

// awaitAll waits once for all of them.
func (c *Checker) awaitAll(ctx context.Context, judged []judgement) {
	under := false
	for i := range judged {
		under = under || judged[i].flight != nil
	}
	if !under {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.MaxWait)
	defer cancel()
	for i := range judged {
		if judged[i].flight != nil {
			c.await(ctx, &judged[i])
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
	c.judgeAll(ctx, chain, judged)
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

func (c *Checker) recordOf(cert, issuer *x509.Certificate, now time.Time) (*record, error) {
	if known := c.table.find(cert, issuer); known != nil {
		known.authority.meet(issuer)
		return known, nil
	}
	fresh, err := c.newRecord(cert, issuer)
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
	j.flight = c.crew.join(&r.mu, &r.flight, func(ctx context.Context) error { return c.obtain(ctx, r) })
	if j.flight == nil && j.result.Status == Unavailable {
		j.err = ErrClosed
	}
}

// await waits for the flight and judges again. Whatever verified evidence there is by then
// counts, also if the preferred source has not answered.
func (c *Checker) await(ctx context.Context, j *judgement) {
	if j.known {
		j.flight.waitAMoment(ctx)
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
		r, err := c.recordOf(delegate, issuer, c.config.Now())
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
