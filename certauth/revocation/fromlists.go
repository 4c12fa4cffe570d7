package revocation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/certauth/revocation/evidence"
	"github.com/seed2886b8ae/go-certauth/internal/advice"
)

// listsStatement is what all lists in memory, or those that have been looked at, say together. since is the
// thisUpdate of the latest expired list or delta that contradicts a Good.
type listsStatement struct {
	statement
	kept    *Result      // the revocation that stays known when the lists are gone
	changes time.Time    // when this changes without a new list: one begins, or a signer ends, to count
	isWhole bool         // the result is of one list, for all reasons
	against bool         // an expired list says revoked
	graced  []Result     // from expired lists, for use within StaleGrace
	lifts   time.Time    // a hold older than this has been lifted
	revoked []listSigner // the lists that they have signed can only accuse (RFC 5280, section 6.3.3 (f))
}

// statementOfLists looks the certificate up in every list in memory that may cover it: the operator's,
// then those of its distribution points. Good needs lists that together cover every reason (RFC 5280,
// section 6.3.3).
func (c *Checker) statementOfLists(r *record, known *knowledge, now time.Time) listsStatement {
	if kept := known.revoked; kept != nil && kept.RevokedForGood() {
		return listsStatement{statement: statement{result: *kept}, kept: kept}
	}
	terms := c.terms(now)
	t := listsStatement{statement: statement{err: errNothing}, kept: known.revoked}
	for _, k := range r.authority.otherSigners() { // lists signed by this key count until its certificate expires
		if ends := k.cert.NotAfter.Add(c.skew + 1); now.Before(ends) {
			t.changes = earliest(t.changes, ends)
		}
	}
	t.revoked = slices.DeleteFunc(slices.Clone(r.authority.otherSigners()), func(k listSigner) bool { return !c.isRevoked(k, &terms) })
	var fetched []*loadedList
	for _, l := range r.lists {
		fetched = append(fetched, l.all()...)
	}
	c.tallyLists(&t, r, fetched, &terms)
	if !t.isCovered() {
		for _, result := range t.graced {
			t.add(result)
		}
	}
	switch {
	case t.stillKept() != nil:
		t.statement = statement{result: *t.kept}
		return t
	case t.isCovered() && !t.result.ThisUpdate.Before(t.since):
		t.result.StaleRevoked = t.result.Stale && t.against
		t.statement = statement{result: t.result}
	default:
		t.result = Result{StaleRevoked: t.against}
	}
	t.kept = nil
	return t
}

// isCovered reports whether the lists together cover every reason.
func (t *listsStatement) isCovered() bool { return t.result.ReasonsCovered == evidence.AllReasons }

// stillKept returns a permanent revocation, or a hold that no newer list lifts.
func (t *listsStatement) stillKept() *Result {
	if t.kept != nil && !t.kept.RevokedForGood() && t.kept.ThisUpdate.Before(t.lifts) {
		return nil
	}
	return t.kept
}

var (
	errRevokedSigner = advice.New(helpSigner, ErrCRLIssuer, "the certificate of the key that signed it is revoked")
	errEndedSigner   = fmt.Errorf("%w: the certificate of the key that signed it has expired", ErrCRLIssuer)
)

// tallyLists looks the certificate up in the operator's lists, and in those that were fetched for it.
func (c *Checker) tallyLists(t *listsStatement, r *record, fetched []*loadedList, terms *VerifyOptions) {
	view, own := c.local.view.Load(), false
	look := func(l *loadedList, mute error) {
		for _, whole := range view.completed(r.authority, l, terms) {
			c.lookInto(t, r, whole, terms, mute)
		}
	}
	isForOthers := func(l *loadedList) bool { return errors.Is(l.crl.Covers(&r.who), ErrCRLScope) }
	for i, l := range view.listsOf(r.authority, terms) {
		if isForOthers(l) {
			continue
		}
		byOther := i >= len(view.of[r.authority.key])
		// A CA may keep a list for each of its keys. Once the key that issued the certificate has
		// signed a list for it, a list by another key can only accuse.
		var mute error
		if own = own || !byOther; own && byOther {
			mute = ErrCRLScope
		}
		look(l, mute)
	}
	for _, k := range r.authority.otherSigners() { // what a signer said until its certificate expired
		for _, l := range view.of[k.key] {
			if !evidence.ValidAt(k.cert, terms.Now, c.skew) && evidence.ValidAt(k.cert, l.base.ThisUpdate(), c.skew) && !isForOthers(l) {
				look(l, errEndedSigner)
			}
		}
	}
	for _, l := range fetched {
		look(l, nil)
	}
}

// lookInto adds what one list says. The list can only accuse if mute says why.
func (c *Checker) lookInto(t *listsStatement, r *record, l *loadedList, terms *VerifyOptions, mute error) {
	if l.isByAny(t.revoked) {
		mute = errRevokedSigner
	}
	result, err := l.crl.LookupSubject(&r.who, terms)
	if errors.Is(err, evidence.ErrFuture) { // it had begun when it arrived, and the clock was set back since
		then := *terms
		then.Now = l.crl.ThisUpdate()
		said, _ := l.crl.LookupSubject(&r.who, &then)
		result.StaleRevoked = said.StaleRevoked || said.RevokedForGood()
	}
	if result.StaleRevoked { // it does not count now, and calls the certificate permanently revoked
		t.against, t.since = true, latest(t.since, l.crl.ThisUpdate())
	}
	if begins := l.crl.ThisUpdate().Add(-c.skew); terms.Now.Before(begins) {
		t.changes = earliest(t.changes, begins)
	}
	if errors.Is(err, ErrNotFresh) {
		if since, listed := l.crl.ListedByDelta(&r.who); listed {
			t.since = latest(t.since, since)
		}
	}
	if l.edition().SignedBy(&r.who) { // a CA's certificate is not cleared by its own key
		result, err = Result{}, evidence.ErrSignedBySubject
	}
	if then, isWithin := c.withinGrace(r, l, terms); isWithin && errors.Is(err, ErrNotFresh) {
		result, err = l.crl.LookupSubject(&r.who, &then)
		result.Stale = result.Status != Revoked
	}
	if mute != nil && result.Status != Revoked {
		result, err = Result{}, mute
	}
	result.DeltaMissing, result.RefreshAfter = l.deltaMissing || l.crl.Delta() != nil && result.DeltaMissing, l.soft
	switch {
	case result.Status == Revoked:
		result.RefreshAfter = result.UsableUntil // a later list without the entry changes nothing
		if !result.RevokedForGood() {
			result.RefreshAfter = l.fetched.Add(softHold)
		}
		t.kept = stricter(t.kept, &result)
	case err == nil, errors.Is(err, evidence.ErrCRLIncomplete):
		if result.Stale {
			t.graced = append(t.graced, result)
		} else {
			t.add(result)
		}
	case errors.Is(t.err, errNothing) || !errors.Is(err, ErrCRLScope):
		t.err = err
	}
}

// reasonHold is the flag of certificateHold (RFC 5280, section 4.2.1.13).
const reasonHold = 1 << evidence.ReasonCertificateHold

// add takes a list into account that does not name the certificate. Of the lists for all reasons the
// newest counts alone; lists for some reasons are combined if there is none.
func (t *listsStatement) add(result Result) {
	if result.ReasonsCovered&reasonHold != 0 && !result.Stale {
		t.lifts = latest(t.lifts, result.ThisUpdate)
	}
	soft := earliest(t.result.RefreshAfter, result.RefreshAfter) // of all, so that none goes without a refresh
	isWhole := result.ReasonsCovered == evidence.AllReasons
	switch known := &t.result; {
	case known.ReasonsCovered == 0, isWhole && (!t.isWhole || result.ThisUpdate.After(known.ThisUpdate)):
		t.result, t.isWhole = result, isWhole
		t.result.Status, t.result.Reason = Good, evidence.ReasonUnspecified
	case !t.isWhole:
		known.Stale, known.ReasonsCovered = known.Stale || result.Stale, known.ReasonsCovered|result.ReasonsCovered
		known.ThisUpdate, known.NextUpdate = earliest(known.ThisUpdate, result.ThisUpdate), earliest(known.NextUpdate, result.NextUpdate)
		known.UsableUntil, known.DeltaMissing = earliest(known.UsableUntil, result.UsableUntil), known.DeltaMissing || result.DeltaMissing
	}
	t.result.RefreshAfter = soft
	if !t.isCovered() {
		t.err = evidence.ErrCRLIncomplete
	}
}

// withinGrace returns the terms of the moment at which the list expired, and whether StaleGrace applies.
func (c *Checker) withinGrace(r *record, l *loadedList, terms *VerifyOptions) (then VerifyOptions, is bool) {
	end := earliest(l.crl.NextUpdate(), c.tooOldAt(l.base.ThisUpdate(), r.isCA))
	then = *terms
	then.Now = end
	return then, !end.IsZero() && !terms.Now.Before(end) && !terms.Now.After(end.Add(c.config.StaleGrace))
}
