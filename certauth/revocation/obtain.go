package revocation

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

const (
	pauseAfterTransport = 5 * time.Second // the gate knows better how long
	flightLimit         = 2 * time.Minute
)

// obtain gets evidence for one certificate, in the order of Config.Sources, and leaves it
// in the record. It runs once for all who wait.
func (c *Checker) obtain(ctx context.Context, r *record) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	var tried setback
	if before := r.failed.Load(); before != nil {
		tried.staleRevoked = before.staleRevoked // until something newer says otherwise
	}
	ocsp := func() bool {
		if r.sources == CRLOnly {
			return false
		}
		stale, err := c.obtainOCSP(ctx, r)
		tried.staleRevoked = tried.staleRevoked || stale
		if err != nil {
			tried.note(err, c.config.Now())
		}
		known := r.ocsp.Load()
		return err == nil && known != nil && known.Status != Unknown
	}
	lists := func() bool {
		if r.sources == OCSPOnly {
			return false
		}
		loadErr := c.obtainLists(ctx, r)
		if loadErr != nil {
			tried.note(loadErr, c.config.Now())
		}
		result, err := c.fromLists(r, c.config.Now())
		tried.staleRevoked = tried.staleRevoked || result.StaleRevoked
		if err != nil && (tried.err == nil || !errors.Is(err, errNothing)) {
			tried.note(err, c.config.Now())
		}
		return err == nil && !result.Stale && (loadErr == nil || result.Status == Good)
	}
	done := false
	switch r.sources {
	case PreferOCSP, OCSPOnly:
		if done = ocsp(); !done || r.heldByList() != nil {
			done = lists() && done
		}
	case PreferCRL, CRLOnly:
		if done = lists(); !done || r.heldByOCSP() {
			done = ocsp() && done
		}
	case RequireBoth:
		first := ocsp()
		done = lists() && first
	}
	if held := r.heldByList(); held != nil {
		again := *held
		again.RefreshAfter = c.config.Now().Add(softHold)
		r.revoked.CompareAndSwap(held, &again)
	}
	if done {
		r.failed.Store(nil)
		return nil
	}
	// Unknown is an answer, and for a while the last word.
	if known := r.ocsp.Load(); known != nil && known.Status == Unknown && c.config.Now().Before(known.UsableUntil) {
		tried = setback{err: errUnknown, until: known.UsableUntil, staleRevoked: tried.staleRevoked}
	}
	if tried.until.IsZero() {
		return tried.err
	}
	r.failed.Store(&tried)
	return tried.err
}

var errUnknown = errors.New("revocation: the authority does not know the certificate")

// note adds one failure. It is tried again as soon as one of them allows it.
func (f *setback) note(err error, now time.Time) {
	pause := keepBadEvidence
	var refused ResponderStatusError
	switch {
	case errors.Is(err, ErrClosed), errors.Is(err, ErrOverloaded), errors.Is(err, context.Canceled):
		pause = 0 // says nothing about the responder
	case errors.As(err, &refused) && refused.Status == 6:
		pause = keepUnauthorized
	case isTransportFailure(err), wantsBackOff(err), errors.Is(err, ErrBreakerOpen):
		pause = pauseAfterTransport
	}
	f.err = errors.Join(f.err, err)
	if until := now.Add(pause); pause > 0 && (f.until.IsZero() || until.Before(f.until)) {
		f.until = until
	}
}

// obtainOCSP asks the store, then the responders.
func (c *Checker) obtainOCSP(ctx context.Context, r *record) (staleRevoked bool, err error) {
	if len(r.responders) == 0 {
		return false, fmt.Errorf("%w: no responder", ErrNoSource)
	}
	cert, err := x509.ParseCertificate(r.raw)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrArgument, err)
	}
	key := ocspKey(r)
	if c.ocspFromStore(ctx, key, r, cert) {
		return false, nil
	}
	release, appeared := c.takeTurn(ctx, key, ocspTurn, func() bool { return c.ocspFromStore(ctx, key, r, cert) })
	defer release()
	if appeared {
		return false, nil
	}
	got, err := c.askResponders(ctx, r, cert)
	if err != nil {
		return got.staleRevoked, err
	}
	if err := c.learn(r, cert, got.result, false); err != nil {
		return got.staleRevoked, err
	}
	c.ocspToStore(ctx, key, r, cert, got)
	return got.staleRevoked, nil
}

// learn remembers a verified answer, unless what is remembered is newer.
func (c *Checker) learn(r *record, cert *x509.Certificate, result Result, stored bool) error {
	now := c.config.Now()
	ocspDeadlines(&result, cert, now, c.skew, jitterOf(c.table.seed, r.authority.key+string(r.who.serial)))
	if stored && result.Status == Good {
		result.RefreshAfter = softOfStored(result.RefreshAfter, result.ThisUpdate, now, maxSoftOCSP)
	}
	for {
		known := r.ocsp.Load()
		next, err := rollBack(result, result.standing(), known)
		if err != nil {
			return err
		}
		if known != nil && next.Status == Revoked && !next.ThisUpdate.After(known.ThisUpdate) && known.Status == Revoked {
			next.RefreshAfter = result.RefreshAfter // what is known stays, and need not be asked for again at once
		}
		if r.ocsp.CompareAndSwap(known, &next) {
			if held := r.heldByList(); held != nil && next.Status == Good && next.ThisUpdate.After(held.ThisUpdate) {
				r.revoked.CompareAndSwap(held, nil)
			}
			return nil
		}
	}
}

// obtainLists loads what lists the certificate names and does not have in memory, point by
// point, until the lists say something. The operator's lists are looked at first.
func (c *Checker) obtainLists(ctx context.Context, r *record) error {
	if c.listsSuffice(r) {
		return nil
	}
	localErr := c.local.trouble()
	if len(r.lists) == 0 {
		return errors.Join(c.whyNoList(r, localErr), localErr)
	}
	failed := localErr
	for _, l := range r.lists {
		now := c.config.Now()
		l.used.Store(now.Unix())
		if known := l.current.Load(); known != nil && !hasCome(known.soft, now, maxSoftCRL) {
			continue
		}
		if tried := l.failed.Load(); tried.stands(now) {
			failed = errors.Join(failed, tried.err)
			continue
		}
		flight := c.crew.join(&l.mu, &l.flight, func(ctx context.Context) error { return c.loadRemote(ctx, l) })
		if err := flight.wait(ctx); err != nil {
			failed = errors.Join(failed, err)
		}
		if c.listsSuffice(r) {
			return nil
		}
	}
	return failed
}

// whyNoList says why none of the operator's lists covers the certificate, which names none that
// can be fetched. It is nil if one does: what is wrong with that one is found when it is looked
// into. localErr is what could not be read, which may be the list that is missing.
func (c *Checker) whyNoList(r *record, localErr error) error {
	view, terms := c.local.view.Load(), c.terms(c.config.Now())
	var outOfScope error
	for _, l := range view.listsOf(r.authority, &terms) {
		if l == nil {
			continue
		}
		_, err := l.crl.lookup(&r.who, &terms)
		if !errors.Is(err, ErrCRLScope) {
			return nil
		}
		outOfScope = fmt.Errorf("%w: the configured CRL of %s: %w", ErrNoSource, nameText(r.authority.cert().RawSubject), err)
	}
	if outOfScope != nil {
		return outOfScope
	}
	if r.unused != "" && localErr == nil {
		return advise(helpPointers, ErrNoSource, "no configured CRL covers the certificate, which names %s", r.unused)
	}
	return fmt.Errorf("%w: no configured CRL covers the certificate", ErrNoSource)
}

func (c *Checker) listsSuffice(r *record) bool {
	result, err := c.fromLists(r, c.config.Now())
	return err == nil && !result.Stale && !isDue(&result, c.config.Now())
}
