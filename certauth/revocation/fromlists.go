package revocation

import (
	"errors"
	"time"
)

// tally adds up what several lists say about one certificate.
type tally struct {
	result  Result
	covered uint16
	stale   bool
	err     error
	against bool      // a list that is too old says revoked
	graced  []graced  // what has run out and is used in StaleGrace, if that is needed
	since   time.Time // of the latest delta that is too old and lists it
	lifts   time.Time // what is on hold since before then is not any more
}

// graced is what a list said that has run out.
type graced struct {
	result Result
	list   *loadedList
}

// fromLists looks the certificate up in every list in memory that may cover it: the
// operator's, then those of its distribution points. Revoked ends it; Good takes lists
// that together answer for every reason (RFC 5280, section 6.3.3).
func (c *Checker) fromLists(r *record, now time.Time) (Result, error) {
	kept := r.revoked.Load()
	if kept != nil && kept.revokedForGood() {
		return *kept, nil
	}
	view := c.local.view.Load()
	said, nothingLoaded := r.quickLists(view)
	if nothingLoaded {
		return Result{}, errNothing
	}
	if said != nil && now.Before(said.UsableUntil) && !said.ThisUpdate.After(now.Add(c.skew)) {
		return *said, nil
	}
	terms := c.terms(now)
	t := tally{err: errNothing}
	loaded := r.loadedNow() // the verdict holds for these, whatever is swapped meanwhile
	kin := len(r.authority.kinNow())
	own := false
	for _, l := range view.chosenFor(r, &terms) {
		// A CA may keep a list for each of its keys: what another key has signed says nothing
		// for a certificate where the key that issued it has signed a list as well.
		l = view.completed(r.authority, l, &terms)
		byOther := l.crl.key != r.key
		if own = own || !byOther; own && byOther {
			if result, err := l.crl.lookup(&r.who, &terms); err != nil || result.Status != Revoked {
				t.against = t.against || result.StaleRevoked
				continue
			}
		}
		if c.lookInto(&t, r, l, &terms) {
			return t.result, nil
		}
	}
	for _, l := range loaded {
		if l != nil && c.lookInto(&t, r, view.completed(r.authority, l, &terms), &terms) {
			return t.result, nil
		}
	}
	if t.covered != AllReasons {
		for _, g := range t.graced {
			t.add(g.result, g.list, true, &r.who, &terms)
		}
	}
	if kept != nil && !kept.ThisUpdate.Before(t.lifts) {
		return *kept, nil // a hold, and no newer list says that it is over
	}
	if kept != nil {
		r.revoked.CompareAndSwap(kept, nil)
	}
	if t.covered == AllReasons && t.result.ThisUpdate.Before(t.since) { // older than what has run out and said otherwise
		return Result{StaleRevoked: t.against}, ErrNotFresh
	}
	if t.covered == AllReasons {
		t.result.ReasonsCovered, t.result.Stale, t.result.StaleRevoked = t.covered, t.stale, t.stale && t.against
		if !t.stale {
			verdict := &listVerdict{view: view.id(), kin: kin, result: t.result}
			for _, l := range loaded {
				verdict.loaded = append(verdict.loaded, l.id())
			}
			r.byLists.Store(verdict)
		}
		return t.result, nil
	}
	return Result{StaleRevoked: t.against}, t.err
}

// lookInto adds one list and reports whether it settles the matter.
func (c *Checker) lookInto(t *tally, r *record, l *loadedList, terms *VerifyOptions) bool {
	result, err := l.crl.lookup(&r.who, terms)
	t.against = t.against || result.StaleRevoked
	if d := l.crl.delta; d != nil && errors.Is(err, ErrNotFresh) && d.find(r.who.serial) >= listedHeld && d.thisUpdate.After(t.since) {
		t.since = d.thisUpdate
	}
	if l.crl.base.signerKey == r.who.key { // a CA's certificate is not cleared by its own key
		result, err = Result{}, errOwnWitness
	}
	stale := false
	if err != nil && c.config.StaleGrace > 0 && errors.Is(err, ErrNotFresh) {
		result, err = c.withGrace(r, l, terms)
		stale = true
	}
	result.DeltaMissing = err == nil && (l.deltaMissing || l.crl.bounds(&r.who, terms).deltaMissing)
	switch {
	case err == nil && result.Status == Revoked:
		result.RefreshAfter = l.soft
		if result.revokedForGood() {
			result.RefreshAfter = result.UsableUntil // a list that no longer names it changes nothing
		}
		t.result = result
		r.keep(&result)
		return true
	case stale && err == nil && result.Status == Good:
		t.graced = append(t.graced, graced{result, l})
	case err == nil && result.Status == Good, errors.Is(err, ErrCRLIncomplete):
		t.add(result, l, stale, &r.who, terms)
	case errors.Is(t.err, errNothing) || !errors.Is(err, ErrCRLScope):
		t.err = err
	}
	return false
}

// reasonHold is the flag of certificateHold (RFC 5280, section 4.2.1.13).
const reasonHold = 1 << ReasonCertificateHold

func (t *tally) add(result Result, l *loadedList, stale bool, s *subject, terms *VerifyOptions) {
	counts := l.crl.bounds(s, terms)
	if result.ReasonsCovered&reasonHold != 0 && !stale && counts.thisUpdate.After(t.lifts) {
		t.lifts = counts.thisUpdate
	}
	first := t.covered == 0
	t.covered |= result.ReasonsCovered
	t.stale = t.stale || stale
	if t.covered != AllReasons {
		t.err = ErrCRLIncomplete
	}
	if first {
		t.result = result
		t.result.Status, t.result.Source, t.result.Reason = Good, SourceCRL, ReasonUnspecified
		t.result.ThisUpdate, t.result.NextUpdate = counts.thisUpdate, counts.nextUpdate
		t.result.UsableUntil, t.result.RefreshAfter = counts.until, l.soft
	}
	t.result.ThisUpdate, t.result.NextUpdate = earliest(t.result.ThisUpdate, counts.thisUpdate), earliest(t.result.NextUpdate, counts.nextUpdate)
	t.result.UsableUntil, t.result.RefreshAfter = earliest(t.result.UsableUntil, counts.until), earliest(t.result.RefreshAfter, l.soft)
	t.result.DeltaMissing = t.result.DeltaMissing || counts.deltaMissing || l.deltaMissing
}

// bounds are the times of what a list says about a certificate at one moment.
type bounds struct {
	thisUpdate, nextUpdate, until time.Time
	deltaMissing                  bool
}

// bounds leaves a delta out that does not count: the whole is then as old as its base.
func (l *CRL) bounds(s *subject, o *VerifyOptions) bounds {
	b := bounds{thisUpdate: l.base.thisUpdate, nextUpdate: l.base.nextUpdate, until: l.base.usableUntil(s, o)}
	if l.delta == nil {
		return b
	}
	if !l.delta.isFresh(s.isCA, o) {
		b.deltaMissing = true
		return b
	}
	return bounds{thisUpdate: l.delta.thisUpdate, nextUpdate: l.NextUpdate(), until: earliest(b.until, l.delta.usableUntil(s, o))}
}

// withGrace looks the certificate up as if the list had just not run out yet.
func (c *Checker) withGrace(r *record, l *loadedList, terms *VerifyOptions) (Result, error) {
	end := l.crl.NextUpdate()
	if end.IsZero() || terms.Now.Before(end) || terms.Now.After(end.Add(c.config.StaleGrace)) {
		return Result{}, ErrNotFresh
	}
	then := *terms
	then.Now = end
	return l.crl.lookup(&r.who, &then)
}
