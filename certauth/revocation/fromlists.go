package revocation

import (
	"errors"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
)

// tally adds up what several lists say about one certificate.
type tally struct {
	result  Result
	covered uint16
	stale   bool
	err     error
	against bool      // a list that is too old says revoked
	graced  []graced  // what has run out and is used in StaleGrace, if that is needed
	since   time.Time // of the latest list or delta that is too old and says otherwise
	lifts   time.Time // what is on hold since before then is not any more
	kept    *Result   // the revocation that is known
	changes time.Time // when a list begins to count that does not yet
}

// graced is what a list said that has run out.
type graced struct {
	result Result
	list   *loadedList
}

// listsWord is what all lists in memory together say.
type listsWord struct {
	word
	kept    *Result   // what is kept of that when they are gone
	changes time.Time // when a list begins to count that does not yet
}

// listsWord looks the certificate up in every list in memory that may cover it: the
// operator's, then those of its distribution points. Revoked for good ends it; Good takes lists
// that together answer for every reason (RFC 5280, section 6.3.3).
func (c *Checker) listsWord(r *record, known *knowledge, now time.Time) (says listsWord) {
	kept := known.revoked
	if kept != nil && kept.RevokedForGood() {
		return listsWord{word: word{result: *kept}, kept: kept}
	}
	terms := c.terms(now)
	t := tally{err: errNothing, kept: kept}
	for _, k := range r.authority.kinNow() { // what it has signed counts until its certificate ends
		if ends := k.cert.NotAfter.Add(c.skew + 1); now.Before(ends) {
			t.changes = earliest(t.changes, ends)
		}
	}
	isRevoked := c.tallyLists(&t, r, &terms)
	says.changes, kept = t.changes, t.kept
	if t.covered != evidence.AllReasons {
		for _, g := range t.graced {
			t.add(g.result, g.list, true)
		}
	}
	switch {
	case isRevoked, kept != nil && !kept.ThisUpdate.Before(t.lifts): // for good, or a hold, and no newer list says that it is over
		says.result, says.kept = *kept, kept
	case t.covered == evidence.AllReasons && t.result.ThisUpdate.Before(t.since): // older than what has run out and said otherwise
		says.word = word{result: Result{StaleRevoked: t.against}, err: ErrNotFresh, since: t.since}
	case t.covered == evidence.AllReasons:
		t.result.ReasonsCovered, t.result.Stale, t.result.StaleRevoked = t.covered, t.stale, t.stale && t.against
		says.result = t.result
	default:
		says.word = word{result: Result{StaleRevoked: t.against}, err: t.err, since: t.since}
	}
	return says
}

// tallyLists looks into the lists, and reports whether one says revoked for good.
func (c *Checker) tallyLists(t *tally, r *record, terms *VerifyOptions) bool {
	view := c.local.view.Load()
	own := false
	for i, l := range view.listsOf(r.authority, terms) {
		if l == nil {
			continue
		}
		// A CA may keep a list for each of its keys: what another key has signed says nothing
		// for a certificate where the key that issued it has signed a list as well.
		if errors.Is(l.crl.Covers(&r.who), ErrCRLScope) {
			continue
		}
		l = view.completed(r.authority, l, terms)
		byOther := i >= len(view.of[r.authority.key])
		if own = own || !byOther; own && byOther {
			if result, err := l.crl.LookupSubject(&r.who, terms); err != nil || result.Status != Revoked {
				t.accuse(&result, l)
				continue
			}
		}
		if c.lookInto(t, r, l, terms) {
			return true
		}
	}
	for _, l := range r.lists {
		if known := l.current.Load(); known != nil && c.lookInto(t, r, view.completed(r.authority, known, terms), terms) {
			return true
		}
	}
	return false
}

// lookInto adds one list and reports whether it settles the matter.
func (c *Checker) lookInto(t *tally, r *record, l *loadedList, terms *VerifyOptions) bool {
	result, err := l.crl.LookupSubject(&r.who, terms)
	t.accuse(&result, l)
	if begins := l.crl.ThisUpdate().Add(-c.skew); terms.Now.Before(begins) {
		t.changes = earliest(t.changes, begins)
	}
	if errors.Is(err, ErrNotFresh) {
		if since, listed := l.crl.ListedByDelta(&r.who); listed && since.After(t.since) {
			t.since = since
		}
	}
	if l.crl.SignedBy(&r.who) { // a CA's certificate is not cleared by its own key
		result, err = Result{}, evidence.ErrOwnWitness
	}
	stale := false
	if err != nil && c.config.StaleGrace > 0 && errors.Is(err, ErrNotFresh) {
		result, err = c.withGrace(r, l, terms)
		stale = true
	}
	result.DeltaMissing = l.deltaMissing || l.crl.Delta() != nil && result.DeltaMissing
	switch {
	case err == nil && result.Status == Revoked:
		result.RefreshAfter = result.UsableUntil // a list that no longer names it changes nothing
		e := knowledge{revoked: t.kept}
		if !result.RevokedForGood() {
			result.RefreshAfter = terms.Now.Add(softHold)
		}
		e.keep(&result)
		t.kept = e.revoked
		return result.RevokedForGood() // a newer list may lift a hold
	case stale && err == nil && result.Status == Good:
		t.graced = append(t.graced, graced{result, l})
	case err == nil && result.Status == Good, errors.Is(err, evidence.ErrCRLIncomplete):
		t.add(result, l, stale)
	case errors.Is(t.err, errNothing) || !errors.Is(err, ErrCRLScope):
		t.err = err
	}
	return false
}

// accuse takes a list into account that is too old and says revoked for good.
func (t *tally) accuse(result *Result, l *loadedList) {
	if !result.StaleRevoked {
		return
	}
	t.against = true
	if at := l.crl.ThisUpdate(); at.After(t.since) {
		t.since = at
	}
}

// reasonHold is the flag of certificateHold (RFC 5280, section 4.2.1.13).
const reasonHold = 1 << evidence.ReasonCertificateHold

func (t *tally) add(result Result, l *loadedList, stale bool) {
	if result.ReasonsCovered&reasonHold != 0 && !stale && result.ThisUpdate.After(t.lifts) {
		t.lifts = result.ThisUpdate
	}
	first := t.covered == 0
	t.covered |= result.ReasonsCovered
	t.stale = t.stale || stale
	if t.covered != evidence.AllReasons {
		t.err = evidence.ErrCRLIncomplete
	}
	if first {
		t.result = result
		t.result.Status, t.result.Reason, t.result.RefreshAfter = Good, evidence.ReasonUnspecified, l.soft
	}
	t.result.ThisUpdate, t.result.NextUpdate = earliest(t.result.ThisUpdate, result.ThisUpdate), earliest(t.result.NextUpdate, result.NextUpdate)
	t.result.UsableUntil, t.result.RefreshAfter = earliest(t.result.UsableUntil, result.UsableUntil), earliest(t.result.RefreshAfter, l.soft)
	t.result.DeltaMissing = t.result.DeltaMissing || result.DeltaMissing
}

// withGrace looks the certificate up as if the list had just not run out yet.
func (c *Checker) withGrace(r *record, l *loadedList, terms *VerifyOptions) (Result, error) {
	end := l.crl.NextUpdate()
	if end.IsZero() || terms.Now.Before(end) || terms.Now.After(end.Add(c.config.StaleGrace)) {
		return Result{}, ErrNotFresh
	}
	then := *terms
	then.Now = end
	return l.crl.LookupSubject(&r.who, &then)
}
