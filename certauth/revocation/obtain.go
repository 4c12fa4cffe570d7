package revocation

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// flightLimit bounds an attempt to get evidence.
const flightLimit = 2 * time.Minute

// wanted says which evidence a request accepts. The zero value accepts any that counts.
type wanted struct {
	news bool   // refuses evidence that is due for renewal, as that from a store may be
	anew uint64 // refuses evidence requested before this call of Refresh, too; 0 is none
}

// attempt is the result of querying one source.
type attempt struct {
	done bool // the source has said all that it can say now
	err  error
}

// obtain gets evidence for one certificate, in the order of Config.Sources, and leaves it in the
// record. It runs once for all requests that wait. The second source is queried when the first has
// failed, or has not answered for half of MaxWait.
func (c *Checker) obtain(ctx context.Context, r *record, want wanted) error {
	ctx, cancel := context.WithTimeout(ctx, flightLimit)
	defer cancel()
	ocsp := func(ctx context.Context) attempt { return c.tryOCSP(ctx, r, want) }
	lists := func(ctx context.Context) attempt { return c.tryLists(ctx, r, want) }
	held := r.state.Load().heldByList()
	var first, second attempt
	switch sources, _ := c.sourcesOf(r); sources {
	case OCSPOnly:
		first = ocsp(ctx)
	case CRLOnly:
		first = lists(ctx)
	case PreferOCSP:
		first, second = c.inOrder(ctx, ocsp, lists, func() bool { return r.state.Load().heldByList() != nil })
	case PreferCRL:
		first, second = c.inOrder(ctx, lists, ocsp, func() bool { return r.state.Load().heldByOCSP() })
	}
	now := c.config.Now()
	tried := setbackOf(now, first.err, second.err)
	r.update(func(e *knowledge) bool { return e.tried(tried, held, first.done, now) })
	c.judge(r, now) // a permanent revocation becomes known to the certificate's other records
	if first.done {
		return nil
	}
	return tried.err
}

// inOrder queries the first source and then, if that is not enough or the second source has put
// the certificate on hold, the second. If the second answers and the first does not, the first has
// failed.
func (c *Checker) inOrder(ctx context.Context, first, second func(context.Context) attempt, otherHolds func() bool) (one, other attempt) {
	sources, firstEnded := [...]func(context.Context) attempt{first, second}, false
	ask := func(ctx context.Context, i int) (attempt, error) { return sources[i](ctx), nil }
	if !hedge(ctx, c.config.MaxWait/2, len(sources), ask, func(i int, tried attempt, panicked error) bool {
		tried.err = cmp.Or(tried.err, panicked)
		if i == 0 {
			one, firstEnded = tried, true
			return one.done && !otherHolds()
		}
		if other = tried; !other.done || firstEnded {
			return false
		}
		one.err = fmt.Errorf("%w: no answer for half of MaxWait", ErrTimeout)
		return true
	}) {
		one.done = one.done && other.done
	}
	return one, other
}

// tried takes an attempt into account, and reports whether that changes anything. held is the hold by
// a list that was known before; one that was found in the Store may have been lifted since.
func (e *knowledge) tried(f setback, held *Result, done bool, now time.Time) bool {
	// A failure has its own pause, which is shorter.
	if held != nil && held == e.revoked && (done || f.until.IsZero()) {
		again := *held
		again.RefreshAfter = now.Add(softHold)
		e.revoked = &again
	}
	if done {
		e.failed = nil
		return true
	}
	// Unknown is an answer, and stays the answer until it expires.
	if e.ocsp != nil && e.ocsp.Status == Unknown && now.Before(e.ocsp.UsableUntil) {
		f.err, f.until = errUnknown, e.ocsp.UsableUntil
	}
	if f.until.IsZero() {
		return e.revoked != nil
	}
	e.failed = &f
	return true
}

func (c *Checker) tryOCSP(ctx context.Context, r *record, want wanted) attempt {
	var a attempt
	a.err = c.obtainOCSP(ctx, r, want)
	c.judge(r, c.config.Now()) // what lists say becomes known
	known := r.state.Load()
	if a.err == nil && known.ocsp != nil && known.ocsp.Status == Good && known.ocsp.ThisUpdate.Before(known.listed) {
		a.err = ErrNotFresh
	}
	a.done = a.err == nil && known.ocsp != nil && known.ocsp.Status != Unknown
	return a
}

func (c *Checker) tryLists(ctx context.Context, r *record, want wanted) attempt {
	var a attempt
	a.err = c.obtainLists(ctx, r, want)
	now := c.config.Now()
	c.judge(r, now) // a revocation becomes known
	says := c.statementOfLists(r, &r.state.Load().knowledge, now)
	if says.result.Status == Good && says.result.ThisUpdate.Before(r.state.Load().isAgainst()) {
		says.statement = statement{err: ErrNotFresh}
	}
	a.done = says.err == nil && !says.result.Stale && (a.err == nil || says.result.Status == Good)
	if says.err != nil && (a.err == nil || !errors.Is(says.err, errNothing)) {
		a.err = errors.Join(a.err, says.err)
	}
	return a
}

var errUnknown = errors.New("revocation: the authority does not know the certificate")

// setbackOf describes a failure. The sources are queried again as soon as one of the causes allows it.
func setbackOf(now time.Time, causes ...error) setback {
	f := setback{at: now, err: errors.Join(causes...)}
	for _, err := range causes {
		paused, isPaused := errors.AsType[*pausedError](err)
		refused, _ := errors.AsType[evidence.ResponderStatusError](err)
		until := now.Add(keepBadEvidence)
		switch {
		case err == nil, isAny(err, ErrClosed, ErrOverloaded, context.Canceled): // says nothing about the responder
			continue
		case refused.Status == 6:
			until = now.Add(keepUnauthorized)
		case countsAgainstHost(err), isExhausted(err):
			until = now.Add(firstPause)
		case isPaused: // as soon as the host may be contacted
			until = earliest(paused.until, now.Add(firstPause))
		}
		f.until = earliest(f.until, until)
	}
	return f
}

// obtainOCSP queries the Store, then the responders.
func (c *Checker) obtainOCSP(ctx context.Context, r *record, want wanted) error {
	cert, err := x509.ParseCertificate(r.raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	if found := c.ocspFromStore(ctx, r, cert); found != nil && (want == (wanted{}) || want.news && !isDue(found, c.config.Now())) {
		return nil
	}
	got, err := c.askResponders(ctx, r, cert)
	if err != nil {
		return err
	}
	c.learn(r, cert, got.result, false)
	c.ocspToStore(ctx, r, cert, got)
	return nil
}

// outranks returns the known result for use as VerifyOptions.Previous, or nil if it must not keep
// out older evidence: because it has expired, or was dated by a wrong clock.
func (c *Checker) outranks(known *Result, now time.Time) *Result {
	if known == nil || known.Status == Revoked {
		return known
	}
	if !now.Before(known.UsableUntil) || known.ThisUpdate.After(now.Add(c.skew)) {
		return nil
	}
	return known
}

// learn remembers a verified response, unless the known one is newer.
func (c *Checker) learn(r *record, cert *x509.Certificate, result Result, stored bool) {
	now := c.config.Now()
	ocspDeadlines(&result, cert, now, c.skew, jitterOf(c.table.seed, r.authority.key+string(r.who.Serial())))
	if stored && !result.RevokedForGood() { // it is not known when it was fetched, and the status may have changed since
		result.RefreshAfter = earliest(result.RefreshAfter, result.ThisUpdate.Add(mostSoft(&result)))
	}
	r.update(func(e *knowledge) bool {
		next, err := result.Following(c.outranks(e.ocsp, now))
		if err != nil { // a newer one has arrived meanwhile
			return false
		}
		next.RefreshAfter = result.RefreshAfter // a known revocation that stays was confirmed just now
		e.ocsp = &next
		if held := e.heldByList(); held != nil && next.Status == Good && next.ThisUpdate.After(held.ThisUpdate) {
			e.revoked = nil
		}
		return true
	})
}

// obtainLists loads the lists that the certificate names, as far as they are not in memory, until
// the lists settle its status: the list of the next distribution point as soon as one fails or
// takes longer than hedgeAfter. The operator's lists come first.
func (c *Checker) obtainLists(ctx context.Context, r *record, want wanted) error {
	if want.anew == 0 && c.listsSuffice(r) {
		return nil
	}
	var failed error
	if c.local.serves(r.authority) { // what could not be read may be a list of this CA
		failed = c.local.view.Load().err
	}
	if len(r.lists) == 0 {
		return errors.Join(c.whyNoList(r, failed), failed)
	}
	ask := func(ctx context.Context, i int) (none struct{}, err error) {
		if c.needsUpdate(r, r.lists[i], want) {
			err = c.update(r, r.lists[i], want).wait(ctx)
		}
		return none, err
	}
	if hedge(ctx, hedgeAfter, len(r.lists), ask, func(_ int, _ struct{}, err error) bool {
		failed = errors.Join(failed, err)
		return want.anew == 0 && c.listsSuffice(r)
	}) {
		return nil
	}
	return failed
}

// needsUpdate reports whether a list is not in memory, expired, too old for the certificate, or due.
func (c *Checker) needsUpdate(r *record, l *remoteList, want wanted) bool {
	now, known := c.config.Now(), l.first()
	if want.anew > 0 {
		return l.asked.Load() < want.anew
	}
	if known == nil || c.renewed(&l.place, known).Current(now, c.skew) != nil || hasCome(known.soft, now, maxSoftCRL) {
		return true
	}
	if known.idle || c.whyOutdated(known, r, now) != nil {
		return hasCome(known.fetched.Add(minSoft), now, minSoft)
	}
	return r.state.Load().heldByList() != nil && hasCome(known.fetched.Add(softHold), now, softHold)
}

// whyOutdated returns why the CA must have another list for a certificate, nil if this one will do: it, or its delta, is
// too old or does not cover the certificate, or the certificate of its signer is revoked or has expired.
func (c *Checker) whyOutdated(l *loadedList, r *record, now time.Time) error {
	terms := c.terms(now)
	if _, err := l.crl.LookupSubject(&r.who, &terms); isAny(err, ErrNotFresh, ErrCRLScope) {
		return err
	}
	return c.whySilent(l.edition(), r.authority, now)
}

// update starts to bring a list up to date, or joins a flight that does. It fails at once if that has
// just failed. For Refresh, the failure of an attempt that began before it does not count.
func (c *Checker) update(r *record, l *remoteList, want wanted) *flight {
	return c.background.join(&l.flight, want.anew, func(ctx context.Context) error {
		if tried := l.failed.Load(); tried.stands(c.config.Now()) && l.asked.Load() >= want.anew {
			return tried.err
		}
		if !c.needsUpdate(r, l, want) { // another flight has just ended
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, flightLimit)
		defer cancel()
		err := c.loadRemote(ctx, l, r, want)
		l.asked.Store(max(l.asked.Load(), want.anew))
		if tried := setbackOf(c.config.Now(), err); !tried.until.IsZero() {
			l.failed.Store(&tried)
		}
		return err
	})
}

// whyNoList says why none of the operator's lists covers a certificate that names no list that can
// be fetched. It returns nil if one does, since the look-up says what is wrong with that one.
// localErr is what could not be read, which may be the list that is missing.
func (c *Checker) whyNoList(r *record, localErr error) error {
	view, terms := c.local.view.Load(), c.terms(c.config.Now())
	var outOfScope error
	for _, l := range view.listsOf(r.authority, &terms) {
		_, err := l.crl.LookupSubject(&r.who, &terms)
		if !errors.Is(err, ErrCRLScope) {
			return nil
		}
		outOfScope = fmt.Errorf("%w: the configured CRL of %s: %w", ErrNoSource, dn.Quote(r.authority.cert().RawSubject), err)
	}
	if outOfScope != nil {
		return outOfScope
	}
	if r.names.Unused != "" && localErr == nil {
		return advice.New(helpPointers, ErrNoSource, "no configured CRL covers the certificate, which names %s", r.names.Unused)
	}
	if sources, _ := c.sourcesOf(r); sources == CRLOnly && advice.In(localErr) == "" && !view.byURL { // nothing is fetched
		return advice.New(helpLists, ErrNoSource, "no configured CRL covers the certificate")
	}
	return fmt.Errorf("%w: no configured CRL covers the certificate", ErrNoSource)
}

func (c *Checker) listsSuffice(r *record) bool {
	now := c.config.Now()
	says := c.statementOfLists(r, &r.state.Load().knowledge, now)
	return says.err == nil && !says.result.Stale && !isDue(&says.result, now)
}
